"""The corrected decisions, beside what the old ones answer for the same input."""

import datetime as dt

import pytest

import caio_py
from caio_py import compat

TODAY = dt.date(2026, 11, 2)
NOW = dt.datetime(2026, 11, 2, 12, tzinfo=dt.timezone.utc)


def ramp(**members):
    return {"ramp": {"enabled": True, "start_date": "2026-02-17", "ramp_days": 3, **members}}


def test_a_bad_ramp_date_restricts_pr_6():
    config = ramp(start_date="2026/02/17")
    assert compat.ramp_status(config, TODAY)["active"] is False
    ours = caio_py.ramp_status(config, TODAY)
    assert (ours["active"], ours["email_limit_override"], ours["tier_filter"]) == (True, 5, "tier_1")
    assert "2026/02/17" in ours["problem"]
    assert caio_py.warmup_schedule(config, TODAY)["email_daily_limit"] == 5
    assert compat.warmup_schedule(config, TODAY)["email_daily_limit"] == 25


def test_the_ramp_ends_on_clean_days_pr_7():
    config = ramp()
    assert compat.ramp_status(config, TODAY)["active"] is False
    assert caio_py.ramp_status(config, TODAY)["active"] is True
    days = [TODAY - dt.timedelta(days=n) for n in (1, 2, 3)]
    clean = [{"day": day, "sent": 2, "errors": 0} for day in days]
    assert caio_py.ramp_status(config, TODAY, ledger=clean)["active"] is False
    dirty = [*clean, {"day": days[0], "sent": 1, "errors": 1}]
    status = caio_py.ramp_status(config, TODAY, ledger=dirty)
    assert (status["active"], status["done"], status["remaining_days"]) == (True, 2, 1)


def batch(**members):
    record = {
        "batch_id": "batch_0a1b2c3d",
        "created_at": "2026-11-02T10:00:00+00:00",
        "motion": "outbound",
        "status": "approved",
        "expires_at": "2026-11-03T10:00:00+00:00",
        "approved_shadow_email_ids": ["b", "a"],
        **members,
    }
    return {"preview_hash": caio_py.compute_preview_hash(record), **record}


@pytest.mark.parametrize(
    ("members", "old", "ours"),
    [
        ({}, None, "seal_missing"),
        ({"expires_at": "soon"}, None, "expired"),
        ({"expires_at": "2026-11-03T10:00:00"}, "TypeError", "seal_missing"),
        ({"expires_at": "2026-11-01T10:00:00"}, "TypeError", "expired"),
        ({"expires_at": "2026-11-01T10:00:00Z"}, "expired", "expired"),
        ({"expires_at": None}, "missing_expiry", "missing_expiry"),
        ({"status": "pending"}, "status", "status"),
        ({"preview_hash": "0" * 64}, "hash_mismatch", "hash_mismatch"),
        ({"motion": "cadence"}, "motion", "motion"),
    ],
)
def test_expiry_fails_closed_and_a_seal_is_asked_for(members, old, ours):
    def kind(call):
        try:
            call()
        except caio_py.BatchInvalid as error:
            return error.kind
        except TypeError:
            return "TypeError"
        return None

    record = batch(**members)
    assert kind(lambda: compat.validate_batch(record, "outbound", NOW)) == old
    assert kind(lambda: caio_py.validate_batch(record, "outbound", NOW)) == ours


def test_an_unknown_motion_and_a_bad_key_are_errors():
    with pytest.raises(caio_py.InvalidInput):
        caio_py.validate_batch(batch(), "everything", NOW)
    sealed = {**batch(), "digest": "", "items": []}
    with pytest.raises(caio_py.BatchInvalid) as caught:
        caio_py.validate_batch(sealed, "outbound", NOW, seal_keys="k:x")
    assert caught.value.kind == "unreadable"


def test_a_naive_instant_is_utc_and_a_date_is_none():
    naive = dt.datetime(2026, 11, 3, 9, 59)
    east = dt.datetime(2026, 11, 3, 12, 1, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    assert compat.validate_batch(batch(), "outbound", naive) is None
    with pytest.raises(caio_py.BatchInvalid):
        compat.validate_batch(batch(), "outbound", east)
    with pytest.raises(caio_py.WrongType):
        compat.validate_batch(batch(), "outbound", TODAY)
    with pytest.raises(TypeError):
        compat.ramp_status({}, "2026-11-02")


def test_a_rejection_says_which_of_twelve_and_why():
    assert compat.categorize_rejection("another task") == "cta_issue"
    assert caio_py.rejection("weak_cta", " asks twice ") == {"tag": "weak_cta", "reason": "asks twice"}
    for tag, reason, code in (
        ("", "x", "rejection.tag_missing"),
        ("cta", "x", "rejection.tag_unknown"),
        ("weak_cta", " ", "rejection.reason_missing"),
    ):
        with pytest.raises(caio_py.InvalidInput) as caught:
            caio_py.rejection(tag, reason)
        assert caught.value.code == code


def test_two_people_never_share_a_file_pr_1():
    pair = ("a.b@example.com", "a_b@example.com")
    assert len({compat.email_to_filename(email, "lead_status") for email in pair}) == 1
    assert len({caio_py.record_file_name(email) for email in pair}) == 2
    assert caio_py.record_file_name(" A.B@example.com") == caio_py.record_file_name(pair[0])
    with pytest.raises(caio_py.InvalidInput):
        caio_py.record_file_name("  ")


def test_a_panic_is_a_bug_report_and_nothing_else(capfd):
    from caio_py import _caio_py

    with pytest.raises(caio_py.CaioBug, match="please report it.*made for the tests") as caught:
        _caio_py._panic()
    assert isinstance(caught.value, Exception) and caught.value.code == "bug"
    assert caio_py.normalize_email(" A ") == "a"


def test_a_record_that_holds_itself_is_refused():
    lead = {"email": "kim@example.com"}
    lead["company"] = lead
    with pytest.raises(caio_py.InvalidInput, match="nested"):
        caio_py.segment_lead(lead)
    with pytest.raises(caio_py.InvalidInput, match="nested"):
        compat.instantly_lead({"recipient_data": lead})
    assert compat.segment_lead(lead)["company"] == "", "the old scorer looks no deeper"


def test_a_legacy_id_makes_its_recipient_ineligible(tmp_path, write_files):
    """The old tests' scenario: a day's record names a shadow id alone."""
    write_files(tmp_path / "shadow_mode_emails", {"legacy.json": {"email_id": "legacy", "to": "Repeat@Example.com"}})
    changed, leads = compat.migrate_legacy_dedup(["legacy"], tmp_path)
    assert (changed, leads) == (True, ["legacy", "email:repeat@example.com"])
    assert compat.migrate_legacy_dedup(leads, tmp_path) == (False, leads)
    assert not compat.is_lead_eligible("repeat@example.com", leads, tmp_path)
    assert compat.is_lead_eligible("repeat@example.com", ["legacy"], tmp_path), "before, nobody knew"


def test_the_scope_that_was_approved_is_the_scope_that_is_valid():
    """The old tests' scenario: what drifts after approval, or has been executed, is refused."""
    frozen = batch(approved_shadow_email_ids=["seed_1", "seed_2"])
    assert compat.validate_batch(frozen, "outbound", NOW) is None
    for members, kind in (
        ({"approved_shadow_email_ids": ["seed_1", "seed_2", "seed_3"]}, "hash_mismatch"),
        ({"approved_linkedin_shadow_ids": ["seed_1"]}, "hash_mismatch"),
        ({"executed_at": "2026-11-02T11:00:00+00:00"}, "already_executed"),
        ({"execution_report": {"run_id": "op_out_1"}}, "already_executed"),
    ):
        with pytest.raises(caio_py.BatchInvalid) as caught:
            compat.validate_batch({**frozen, **members}, "outbound", NOW)
        assert caught.value.kind == kind
    assert compat.validate_batch({**frozen, "approved_shadow_email_ids": ["seed_2", "seed_1"]}, "outbound", NOW) is None

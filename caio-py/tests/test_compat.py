"""The recorded answers of the Python system, through the module; every case, odd ones included."""

import datetime as dt
from collections import Counter

import pytest

import caio_py
from caio_py import compat

date = dt.date.fromisoformat


def instant(text):
    return dt.datetime.fromisoformat(text.replace("Z", "+00:00"))


def caught(call):
    try:
        return call()
    except Exception as error:  # the recorded answer holds the class
        return {"error": type(error).__name__}


def answer(name, i, tmp_path, write_files):
    if name == "email_to_filename":
        rules = ("cadence_engine", "lead_status", "state_store")
        return {rule: caught(lambda: compat.email_to_filename(i["email"], rule)) for rule in rules}
    if name == "eligibility":
        write_files(tmp_path / "lead_status", i["status_files"])
        return compat.is_lead_eligible(i["email"], i["leads_dispatched"], tmp_path)
    if name == "legacy_dedup_migration":
        write_files(tmp_path / "shadow_mode_emails", i["shadow_files"])
        changed, leads = compat.migrate_legacy_dedup(i["leads_dispatched"], str(tmp_path))
        return {"changed": changed, "leads_dispatched": leads}
    if name == "lead_mapping":
        return {
            "instantly": caught(lambda: compat.instantly_lead(i)),
            "heyreach": caught(lambda: compat.heyreach_lead(i)),
        }
    if name == "campaign_name":
        today = date(i["today"])
        return {
            "instantly": caught(
                lambda: compat.instantly_campaign_name(i["tier"], i["source"], today, i["existing"])
            ),
            "heyreach": caught(lambda: compat.heyreach_list_name(i["tier"], today, i["existing"])),
        }
    return {
        "normalize_email": lambda: compat.normalize_email(i["email"]),
        "dedup_email_key": lambda: compat.dedup_email_key(i["email"]),
        "cadence_email_hash": lambda: compat.cadence_email_hash(i["email"]),
        "preview_hash": lambda: compat.compute_preview_hash(i),
        "ramp_status": lambda: compat.ramp_status(i["operator_config"], date(i["today"])),
        "warmup_schedule": lambda: compat.warmup_schedule(i["operator_config"], date(i["today"])),
        "icp_score": lambda: compat.segment_lead(i),
        "rejection_category": lambda: compat.categorize_rejection(i["reason"]),
        "priority_to_tier": lambda: compat.priority_to_tier(i["priority"]),
    }[name]()


COUNTS = {
    "normalize_email": 130,
    "dedup_email_key": 120,
    "cadence_email_hash": 120,
    "email_to_filename": 122,
    "preview_hash": 300,
    "ramp_status": 204,
    "warmup_schedule": 271,
    "eligibility": 150,
    "legacy_dedup_migration": 72,
    "icp_score": 500,
    "lead_mapping": 100,
    "campaign_name": 79,
    "rejection_category": 100,
    "priority_to_tier": 31,
}


@pytest.mark.parametrize("name", COUNTS)
def test_recorded_answers(name, vectors, tmp_path, write_files):
    cases = vectors(name)
    assert len(cases) == COUNTS[name]
    wrong = []
    for number, case in enumerate(cases):
        got = caught(lambda: answer(name, case["input"], tmp_path / str(number), write_files))
        if got != case["expected"]:
            wrong.append((case["name"], case["expected"], got))
    assert wrong == []


def test_validate_batch(vectors):
    seen = Counter()
    for case in vectors("batch_validate"):
        i, expected = case["input"], case["expected"]
        kind, message = None, None
        try:
            compat.validate_batch(i["batch"], i["expected_motion"], instant(i["now"]))
        except caio_py.BatchInvalid as error:
            assert isinstance(error, ValueError) and error.code == "compat.batch_invalid"
            kind, message = error.kind, str(error)
        except Exception as error:
            kind, message = "exception", str(error)
        if expected.get("ok"):
            assert kind is None, case["name"]
        else:
            assert kind == expected["kind"], case["name"]
            if kind != "exception":
                assert message == expected["message"], case["name"]
        seen[kind] += 1
    kinds = "status missing_hash missing_expiry already_executed expired motion hash_mismatch"
    assert set(seen) == {None, "exception", *kinds.split()}


def test_access(vectors):
    seen = Counter()
    for case in vectors("auth_paths"):
        i, expected = case["input"], case["expected"]
        seen[i["kind"]] += 1
        if i["kind"] == "path":
            path = compat.normalize_path(i["path"])
            exempt = compat.is_auth_exempt_path(i["path"], i["env"])
            is_api = path.startswith("/api/")
            got = {"normalized": path, "exempt": exempt, "is_api": is_api, "needs_token": is_api and not exempt}
        elif i["kind"] == "allowlist":
            got = {"allowlist": sorted(compat.auth_allowlist(i["env"]))}
        elif i["kind"] == "token":
            got = {"valid": compat.token_is_valid(i["token"], i["env"]), "strict": compat.is_strict(i["env"])}
        else:
            continue
        assert got == expected, case["name"]
    assert min(seen[kind] for kind in ("path", "allowlist", "token")) > 10


def test_exceptions_of_the_old_system_carry_a_code():
    for call in (lambda: compat.segment_lead(5), lambda: compat.email_to_filename(5, "lead_status")):
        with pytest.raises(AttributeError) as caught:
            call()
        assert caught.value.code == "compat.raised"


def test_a_field_that_nobody_reads_never_costs_a_lead():
    lead = {"title": "CEO", "company": {}, "scraped_at": dt.datetime(2026, 3, 2), "raw": b"\xff"}
    assert compat.segment_lead(lead)["title"] == "CEO"


def test_variables_of_the_process_are_an_environment(monkeypatch):
    import os

    monkeypatch.setenv("DASHBOARD_AUTH_TOKEN", "hush")
    assert compat.token_is_valid("hush", os.environ) and not compat.token_is_valid("hus", os.environ)

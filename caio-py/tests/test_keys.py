"""Keys and hashes against an independent Python, written from the description of the old records."""

import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

import caio_py

# Characters assigned after the Unicode version of the oldest Python lower-case differently.
texts = st.text(
    alphabet=st.characters(max_codepoint=0x2FFF, exclude_categories=["Cs", "Cn"]), max_size=30
)
odd_edges = st.sampled_from(["", " ", "\t", "\x1c", "\x1f", "\u00a0", "\u2003", "\u200b", "\n"])
addresses = st.builds(lambda a, b, c: a + b + c, odd_edges, texts, odd_edges)


def normal(email):
    return email.strip().lower() if email else ""


def canonical(batch):
    def number(value):
        return int(value) if value else 0

    actions = [
        {
            "action_id": str(item.get("action_id", "")),
            "channel": str(item.get("channel", "")),
            "day": number(item.get("day")),
            "email": normal(item.get("email")),
            "step": number(item.get("step")),
        }
        for item in batch.get("approved_cadence_actions") or []
    ]
    scope = {
        "approved_cadence_actions": sorted(actions, key=lambda item: item["action_id"]),
        "approved_linkedin_shadow_ids": sorted(batch.get("approved_linkedin_shadow_ids", [])),
        "approved_revival_emails": sorted(batch.get("approved_revival_emails", [])),
        "approved_shadow_email_ids": sorted(batch.get("approved_shadow_email_ids", [])),
        "motion": batch.get("motion"),
    }
    return json.dumps(scope, sort_keys=True, separators=(",", ":"))


@given(addresses)
def test_normalize(email):
    assert caio_py.normalize_email(email) == normal(email)
    assert caio_py.compat.normalize_email(email) == normal(email)


@given(addresses)
def test_dedup_key(email):
    expected = "email:" + normal(email) if normal(email) else ""
    assert caio_py.dedup_email_key(email) == expected


@given(addresses)
def test_cadence_hash(email):
    key = normal(email)
    expected = hashlib.sha256(key.encode()).hexdigest()[:24] if key else ""
    assert caio_py.cadence_email_hash(email) == expected


@given(addresses, st.sampled_from(["email", "linkedin"]), st.integers(0, 99), st.integers(0, 99))
def test_action_id(email, channel, step, day):
    expected = f"{normal(email)}|{channel}|s{step}|d{day}"
    assert caio_py.cadence_action_id(email, channel, step, day) == expected


ids = st.lists(texts, max_size=8)
actions = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "action_id": st.none() | texts,
            "channel": st.none() | texts,
            "email": st.none() | texts,
            "step": st.none() | st.integers(-(2**40), 2**40) | st.sampled_from(["2", " 7 ", 2.9]),
            "day": st.none() | st.integers(0, 99) | st.booleans(),
            "cadence_id": texts,
        },
    ),
    max_size=4,
)
batches = st.fixed_dictionaries(
    {"motion": st.none() | texts},
    optional={
        "approved_shadow_email_ids": ids,
        "approved_linkedin_shadow_ids": ids,
        "approved_revival_emails": ids,
        "approved_cadence_actions": st.none() | actions,
        "status": texts,
        "subject": texts,
    },
)


@given(batches)
def test_preview_hash(batch):
    expected = hashlib.sha256(canonical(batch).encode()).hexdigest()
    assert caio_py.compute_preview_hash(batch) == expected
    assert caio_py.compat.compute_preview_hash(batch) == expected


def test_the_published_vectors():
    empty = caio_py.compute_preview_hash({"motion": "outbound"})
    assert empty == "93799a61aa238672029efa431bfee6aef33c0ed78e3e08526784f6ac4a29757d"
    assert caio_py.cadence_email_hash("  Lead@Example.COM ") == "9fbdefe2837a03c9225be80e"
    assert caio_py.cadence_email_hash("ÜNAL@Example.de") == "848789347dd244d4a8707d00"


def test_a_dataclass_is_a_batch_and_many_ids_are_one_hash():
    @dataclass
    class Batch:
        motion: str = "outbound"
        approved_shadow_email_ids: list = field(default_factory=list)
        approved_linkedin_shadow_ids: tuple = ()
        approved_revival_emails: list = field(default_factory=list)
        approved_cadence_actions: list = field(default_factory=list)
        warmup_schedule: object = None

    ids = [f"pipe_{(n * 7919) % 10_007:05}é" for n in range(10_000)]
    batch = Batch(approved_shadow_email_ids=ids, warmup_schedule=object())
    record = {"motion": "outbound", "approved_shadow_email_ids": tuple(ids)}
    expected = hashlib.sha256(canonical(record).encode()).hexdigest()
    assert caio_py.compute_preview_hash(batch) == expected
    assert caio_py.compute_preview_hash(record) == expected


@pytest.mark.parametrize("wrong", [5, 1.5, True, ["a"], {"a": 1}, object()])
def test_wrong_types_raise_what_the_old_functions_raised(wrong):
    for call in (caio_py.normalize_email, caio_py.dedup_email_key, caio_py.cadence_email_hash):
        with pytest.raises(AttributeError, match="strip"):
            call(wrong)


@pytest.mark.parametrize("nothing", [None, "", 0, False, [], {}])
def test_nothing_is_nobody(nothing):
    assert caio_py.normalize_email(nothing) == ""
    assert caio_py.dedup_email_key(nothing) == ""
    assert caio_py.cadence_email_hash(nothing) == ""


def test_what_a_hash_cannot_cover_is_an_error():
    for ids, error in ((None, TypeError), ([1, "a"], TypeError), (5, TypeError)):
        with pytest.raises(error):
            caio_py.compute_preview_hash({"motion": "all", "approved_shadow_email_ids": ids})
    with pytest.raises(ValueError):
        caio_py.compute_preview_hash({"approved_cadence_actions": [{"step": "two"}]})
    for batch in (None, 5, "batch", []):
        with pytest.raises(AttributeError):
            caio_py.compute_preview_hash(batch)


def test_values_print_in_a_narrow_encoding():
    """A Windows console of the old system's users: everything we make ourselves is printable."""
    code = (
        "import caio_py\n"
        "print(caio_py.cadence_email_hash('ünal@example.com'), caio_py.dedup_email_key('ÜNAL@EXAMPLE.COM'))\n"
        "print(caio_py.segment_lead({'email': 'zoë@example.com', 'title': 'Directrice générale'}))\n"
        "print(caio_py.LeadBatch.from_dicts([]), caio_py.ramp_status({}, __import__('datetime').date(2026, 3, 2)))\n"
        "help(caio_py.compat.segment_lead)\n"
        "try: caio_py.segment_lead({'email': ''})\n"
        "except caio_py.CaioError as error: print(error.code, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONIOENCODING": "cp1252", "PATH": "/usr/bin"},
        capture_output=True,
        check=True,
    )
    assert "email:ünal@example.com".encode("cp1252") in done.stdout

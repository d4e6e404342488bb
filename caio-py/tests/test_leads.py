"""Scoring of one lead, of a list, and of a file that stays in Rust."""

import csv
import gc
import io
import json
import resource
import signal
import subprocess
import sys
import threading

import pytest

import caio_py
from caio_py import LeadBatch

LEAD = {
    "lead_id": "lead_1",
    "title": "CEO",
    "name": "Kim Doe",
    "company": {
        "name": "Acorn",
        "employee_count": "51-200",
        "industry": "Computer Software",
        "technologies": ["HubSpot"],
    },
    "contact": {"work_email": " Kim@Acorn.example "},
    "intent": {"website_visits": 6},
    "source_type": "event_attendee",
    "source_name": "Spring Summit",
}


def line(number, **members):
    return json.dumps({"email": f"kim{number}@example.com", "title": "CEO", "company": f"Acorn {number}", **members})


def test_one_lead():
    found = caio_py.segment_lead(LEAD)
    assert (found["email"], found["name"], found["company_size"]) == ("kim@acorn.example", "Kim Doe", 51)
    assert found["icp_tier"] in ("tier_1", "tier_2", "tier_3", "tier_4")
    assert found["icp_score"] == min(100, sum(
        points for name, points in found["score_breakdown"].items() if name != "multiplier_percent"
    ) * found["score_breakdown"]["multiplier_percent"] // 100)
    assert found["scoring_reasons"][-1].startswith(f"= {found['icp_score']} of")
    assert caio_py.segment_lead(LEAD, "legacy-746")["model"] == "legacy-746"
    assert caio_py.compat.segment_lead(LEAD)["score_breakdown"].get("company_size") is None  # D-36


def test_a_lead_without_an_address_is_refused_and_costs_itself_alone():
    with pytest.raises(caio_py.InvalidInput, match="email") as caught:
        caio_py.segment_lead({"title": "CEO"})
    assert caught.value.code == "record.refused"
    first, second, third = caio_py.segment_leads([LEAD, {"title": "CEO"}, LEAD])
    assert first == third and second["icp_tier"] is None and second["refused"]["field"] == "email"
    with pytest.raises(caio_py.WrongType):
        caio_py.segment_leads([5])
    with pytest.raises(caio_py.InvalidInput, match="legacy-746"):
        caio_py.segment_leads([], model="newest")


@pytest.mark.parametrize("is_on", [True, False])
def test_the_cycle_collector_is_left_as_it_was(is_on):
    def leads():
        for number in range(1000):
            seen.append(gc.isenabled())
            yield LEAD if number < 999 else 5

    seen = []
    try:
        (gc.enable if is_on else gc.disable)()
        caio_py.segment_leads([LEAD] * 1000)
        assert gc.isenabled() is is_on
        with pytest.raises(caio_py.WrongType):
            caio_py.segment_leads(leads())
        assert gc.isenabled() is is_on
    finally:
        gc.enable()
    assert not any(seen), "what is made while the list grows is not looked through"


def test_a_disqualified_lead_has_no_tier_d_05():
    small = {**LEAD, "company": {**LEAD["company"], "employee_count": 3}}
    ours, old = caio_py.segment_lead(small), caio_py.compat.segment_lead(small)
    assert (ours["icp_tier"], ours["recommended_campaign"]) == (None, None)
    assert ours["disqualification_reason"] and old["icp_tier"].startswith("tier_")


def test_every_form_says_the_same(tmp_path):
    source = tmp_path / "leads.ndjson"
    rows = [line(1, name="Zoë Dœ", employees=120), line(2, title=None), "{broken", line(1), "[]", line(3, email="no")]
    source.write_text("\n".join(rows) + "\n", encoding="utf-8")
    batch = LeadBatch.from_ndjson(source).segment()
    assert len(batch) == 3
    dicts = batch.to_dicts()
    assert list(batch) == dicts
    assert LeadBatch.from_ndjson(source.read_bytes()).segment().to_dicts() == dicts
    assert caio_py.segment_leads([json.loads(rows[0])]) == dicts[:1]
    assert LeadBatch.from_dicts([json.loads(rows[0])]).segment().to_dicts() == dicts[:1]

    assert batch.to_ndjson(tmp_path / "out.ndjson") == 3
    out = (tmp_path / "out.ndjson").read_text(encoding="utf-8").splitlines()
    assert [json.loads(text) for text in out] == dicts
    again = LeadBatch.from_ndjson(tmp_path / "out.ndjson").segment().to_dicts()
    assert [(row["email"], row["icp_score"]) for row in again] == [(row["email"], row["icp_score"]) for row in dicts]

    assert batch.to_csv(tmp_path / "out.csv") == 3
    table = list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text(encoding="utf-8"))))
    assert [row["name"] for row in table] == [row["name"] for row in dicts]
    assert [int(row["icp_score"]) for row in table] == [row["icp_score"] for row in dicts]
    assert len(LeadBatch.from_csv(tmp_path / "out.csv")) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["leads.ndjson", "out.csv", "out.ndjson"]


def test_refused_rows_say_line_field_and_reason():
    rows = [line(1), "{broken", line(2, email="nobody"), line(1)]
    batch = LeadBatch.from_ndjson("\n".join(rows).encode())
    assert [(row["line"], row["field"]) for row in batch.refused] == [(2, "row"), (3, "email")]
    assert len(batch) == 2
    once = batch.dedup()
    assert [(row["line"], row["reason"]) for row in once.refused][-1] == (4, "the same person as in line 1")
    assert len(once) == 1 and len(batch) == 2


def test_summary_counts():
    rows = "\n".join([line(1, employees=120), line(2, employees=3), "x"]).encode()
    plain = LeadBatch.from_ndjson(rows).summary()
    assert plain == {"leads": 2, "refused": 1}
    scored = LeadBatch.from_ndjson(rows).segment().summary()
    assert scored["disqualified"] == 1 and sum(scored["by_tier"].values()) == 1
    assert len(scored["model_digest"]) == 64


def test_what_cannot_be_read_at_all_is_an_error(tmp_path):
    table = tmp_path / "leads.csv"
    table.write_text("email,title\nkim@example.com,CEO\n")
    for call, code in (
        (lambda: LeadBatch.from_csv(tmp_path / "none.csv"), "source.read"),
        (lambda: LeadBatch.from_ndjson(b""), "source.empty"),
        (lambda: LeadBatch.from_ndjson(table), "source.format"),
        (lambda: LeadBatch.from_csv(tmp_path), "source.read"),
        (lambda: LeadBatch.from_csv(table).to_ndjson(tmp_path / "no" / "folder"), "target.write"),
    ):
        with pytest.raises(caio_py.LeadSourceError) as caught:
            call()
        assert caught.value.code == code and isinstance(caught.value, OSError)
    with pytest.raises(TypeError):
        LeadBatch.from_csv(5)
    table.write_text("title\nCEO\n")
    with pytest.raises(caio_py.LeadSourceError) as caught:
        LeadBatch.from_csv(table)
    assert caught.value.code == "header.unusable"


def test_a_file_that_changes_between_two_passes_is_an_error(tmp_path):
    table = tmp_path / "leads.csv"
    table.write_text("email,title\nkim@example.com,CEO\n")
    batch = LeadBatch.from_csv(table)
    assert len(batch) == 1
    table.write_text("email,title\nkim@example.com,CEO\nlou@example.com,CEO\n")
    with pytest.raises(caio_py.LeadSourceError) as caught:
        batch.to_dicts()
    assert caught.value.code == "source.changed"


def test_own_models(tmp_path):
    with pytest.raises(caio_py.LeadSourceError):
        caio_py.segment_lead(LEAD, str(tmp_path / "none.toml"))
    (tmp_path / "model.toml").write_text("name = 5")
    with pytest.raises(caio_py.InvalidInput):
        caio_py.segment_lead(LEAD, str(tmp_path / "model.toml"))


def test_threads_share_a_batch_and_others_run_meanwhile(tmp_path):
    rows = "\n".join(line(n) for n in range(20_000)).encode()
    batch = LeadBatch.from_ndjson(rows).segment()
    counts = []

    def work(number):
        counts.append(batch.to_ndjson(tmp_path / f"{number}.ndjson"))
        counts.append(sum(1 for _ in batch))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [20_000] * 8
    assert len({(tmp_path / f"{number}.ndjson").read_bytes() for number in range(4)}) == 1


def test_ctrl_c_ends_a_pass_and_leaves_no_file(tmp_path):
    source = tmp_path / "leads.ndjson"
    source.write_text("".join(line(n) + "\n" for n in range(100_000)))
    code = (
        "import caio_py, sys\n"
        f"batch = caio_py.LeadBatch.from_ndjson({str(source)!r}).segment()\n"
        "print('ready', flush=True)\n"
        "try:\n"
        f"    while True: batch.to_ndjson({str(tmp_path / 'out.ndjson')!r})\n"
        "except KeyboardInterrupt: print('interrupted')\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "ready\n"
        while not list(tmp_path.glob("*.part")):
            assert child.poll() is None
        child.send_signal(signal.SIGINT)
        assert child.stdout.read() == "interrupted\n"
    assert child.returncode == 0
    assert not list(tmp_path.glob("*.part"))


def test_a_million_leads_in_flat_memory(tmp_path):
    """The whole way over a file of a million rows costs no more memory than over a tenth of it."""
    code = (
        "import caio_py, resource, sys\n"
        "source, target = sys.argv[1:]\n"
        "count = caio_py.LeadBatch.from_ndjson(source).segment().to_ndjson(target)\n"
        "print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )

    def run(rows):
        source, target = tmp_path / "in.ndjson", tmp_path / "out.ndjson"
        with source.open("w") as file:
            file.writelines(f'{{"email":"k{n}@example.com","title":"CEO","employees":90}}\n' for n in range(rows))
        done = subprocess.run(
            [sys.executable, "-c", code, str(source), str(target)], capture_output=True, text=True, check=True
        )
        count, kilobytes = map(int, done.stdout.split())
        assert count == rows
        return kilobytes

    small, large = run(100_000), run(1_000_000)
    assert large < small + 8_192
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 0

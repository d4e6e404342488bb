"""caio beside plain Python in one run: ``python caio-py/benches/ratios.py [--old CHECKOUT]``.

Prints the median ratio of alternating pairs, and the least and the largest one. With ``--old`` the segmentor of an old checkout stands
in for the reference in ``reference.py``. No test looks at these numbers.
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import reference

import caio_py

PAIRS = 15
TITLES = ["CEO", "Vice President of Sales", "Director of Operations", "Marketing Manager", "Analyst"]
INDUSTRIES = ["Marketing Agency", "Computer Software", "Logistics", "Mining"]


def lead(number):
    return {
        "lead_id": f"lead_{number:06}",
        "name": "Kim Doe",
        "title": f"{TITLES[number % 5]} - Region {number // 5 % 100}",
        "linkedin_url": f"https://linkedin.example/in/kim-{number}",
        "source_type": "event_attendee",
        "source_name": "Spring Summit",
        "company": {
            "name": f"Acorn {number}",
            "employee_count": 5 + number % 900,
            "industry": INDUSTRIES[number % 4],
            "technologies": ["HubSpot", "Slack"],
            "revenue_estimate": 5_000_000.0,
        },
        "intent": {
            "website_visits": number % 7,
            "content_downloads": 1,
            "pricing_page_visits": 0,
            "demo_requested": False,
            "intent_score": 40,
        },
        "contact": {"work_email": f"Kim.Doe{number}@acorn{number % 1000}.example.com"},
    }


def seconds(work, times, clock):
    begin = clock()
    for _ in range(times):
        work()
    return (clock() - begin) / times


def compare(name, bar, old, ours, times=1, per=1, clock=time.process_time):
    """Alternating pairs; by processor time of this process, all its threads, which a busy machine leaves alone."""
    for work in (old, ours):
        work()
    pairs = [(seconds(old, times, clock), seconds(ours, times, clock)) for _ in range(PAIRS)]
    ratios = sorted(a / b for a, b in pairs)
    old_us, ours_us = (statistics.median(pair[side] for pair in pairs) * 1e6 / per for side in (0, 1))
    ratio = statistics.median(ratios)
    verdict = "" if ratio >= bar else "   BELOW THE BAR"
    spread = f"{ratios[0]:.2f}-{ratios[-1]:.2f}"
    print(f"{name:36} old {old_us:9.2f} us  caio {ours_us:8.2f} us  {ratio:6.2f}x ({spread}; bar {bar:.3g}){verdict}")


def start(code):
    subprocess.run([sys.executable, "-c", code], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--old", type=Path, help="checkout of the Python system")
    given = parser.parse_args()
    segment = reference.segment
    if given.old:
        sys.path.insert(0, str(given.old))
        sys.dont_write_bytecode = True
        from execution.segmentor_classify import LeadSegmentor

        segment = LeadSegmentor(use_annealing=False).segment_lead

    for email in ("Kim.Doe@Example.COM", "kim.doe@example.com"):
        compare(f"normalize_email {email}", 1, lambda: reference.normalize_email(email), lambda: caio_py.normalize_email(email), 50_000)
        compare(f"dedup_email_key {email}", 1, lambda: reference.dedup_email_key(email), lambda: caio_py.dedup_email_key(email), 50_000)
    leads = [lead(number) for number in range(1000)]
    compare("compat.segment_lead", 3, lambda: [segment(it) for it in leads], lambda: [caio_py.compat.segment_lead(it) for it in leads], per=1000)
    compare("segment_leads of dicts", 5, lambda: [segment(it) for it in leads], lambda: caio_py.segment_leads(leads), per=1000)
    chance = random.Random(5)
    for count, bar, times in ((25, 3, 500), (10_000, 2.5, 2)):
        batch = {"motion": "outbound", "approved_shadow_email_ids": [f"{chance.getrandbits(128):032x}" for _ in range(count)]}
        compare(f"compute_preview_hash of {count}", bar, lambda: reference.compute_preview_hash(batch), lambda: caio_py.compute_preview_hash(batch), times)
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "in.ndjson"), Path(folder, "out.ndjson")
        source.write_text("".join(json.dumps(lead(number)) + "\n" for number in range(20_000)))

        def plain():
            with source.open() as rows, target.open("w") as out:
                for row in rows:
                    out.write(json.dumps(vars(segment(json.loads(row)))) + "\n")

        compare("LeadBatch, file to file", 10, plain, lambda: caio_py.LeadBatch.from_ndjson(source).segment().to_ndjson(target), per=20_000)
    compare("import, as a share of a bare start", 1 / 1.5, lambda: start("pass"), lambda: start("import caio_py"), 3, clock=time.perf_counter)


if __name__ == "__main__":
    main()

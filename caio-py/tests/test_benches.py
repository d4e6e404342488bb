"""The reference that the benches measure does the same work: it answers the recorded cases."""

import sys
from pathlib import Path

from caio_py import compat

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benches"))


def test_the_reference_answers_as_the_old_calls_did(vectors):
    import reference

    equal = 0
    for case in vectors("icp_score"):
        if isinstance(case["expected"], dict) and "error" in case["expected"]:
            continue
        try:
            assert reference.segment_lead(case["input"]) == compat.segment_lead(case["input"]), case["name"]
        except (TypeError, AttributeError):
            continue  # types that the reference does not take
        equal += 1
    assert equal > 400
    for case in vectors("preview_hash"):
        if isinstance(case["expected"], str):
            assert reference.compute_preview_hash(case["input"]) == case["expected"]

"""What importing costs, and that every public name says what it does."""

import inspect
import subprocess
import sys

import caio_py
from caio_py import compat


def test_an_import_brings_nothing_but_itself():
    code = "import sys; before = set(sys.modules); import caio_py; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["caio_py", "caio_py._caio_py", "caio_py._errors", "caio_py.compat"]


def test_every_public_name_is_documented_and_exported():
    for module in (caio_py, compat):
        assert sorted(module.__all__) == module.__all__
        for name in module.__all__:
            value = getattr(module, name)
            if name not in ("__version__", "compat"):
                assert inspect.getdoc(value), name
    for member in ("segment", "dedup", "summary", "refused", "to_dicts", "to_ndjson", "to_csv", "from_csv"):
        assert inspect.getdoc(getattr(caio_py.LeadBatch, member)), member


def test_docstrings_of_compat_name_the_defects_that_they_keep():
    for name, defects in {
        "ramp_status": ("PR-6", "PR-7", "PR-9"),
        "validate_batch": ("PR-3", "PR-4", "PR-5", "BT-6"),
        "segment_lead": ("D-03", "D-05", "D-22", "D-36"),
        "email_to_filename": ("PR-1", "PR-2"),
        "is_lead_eligible": ("LS-2", "OPD-1"),
    }.items():
        text = inspect.getdoc(getattr(compat, name))
        assert all(defect in text for defect in defects), name
        assert "Corrected: `caio_py." in text.replace("\n", " "), name


def test_errors_have_one_base_and_a_code():
    for name in caio_py.__all__:
        value = getattr(caio_py, name)
        if isinstance(value, type) and issubclass(value, Exception):
            assert issubclass(value, caio_py.CaioError)
            assert value("text", "some.code").code == "some.code"

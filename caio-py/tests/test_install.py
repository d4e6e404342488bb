"""``compat.install`` over a small package with the old names, in both modes and both import orders."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import caio_py
from caio_py import _report, compat

STANDIN = Path(__file__).parent / "standin"


@pytest.fixture
def script(tmp_path):
    """Runs a script against the old names, in a process and a folder of its own."""

    def run(code, *arguments, check=True):
        (tmp_path / ".hive-mind").mkdir(exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(STANDIN)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    run.record = tmp_path / "caio-shadow.jsonl"
    return run


def lines(path):
    return [json.loads(text) for text in path.read_text().splitlines()]


USE = """
import sys, json
from core import state_store
from core.state_store import cadence_email_hash
print(json.dumps([state_store.cadence_email_hash(' Kim@Example.com'), cadence_email_hash('kim@example.com'),
                  state_store.normalize_email(email=' A ')]))
"""
INSTALL = "import caio_py; caio_py.compat.install({!r})\n"
OLD, OURS = 23, 24


@pytest.mark.parametrize("first", ["install", "import"])
@pytest.mark.parametrize(("mode", "length"), [("shadow", OLD), ("replace", OURS)])
def test_both_orders_and_both_modes(script, first, mode, length):
    code = INSTALL.format(mode) + USE
    if first == "import":
        # A name that was taken before the installation is found and bound too.
        code = "from core.state_store import cadence_email_hash as mine\n" + code + "assert mine is cadence_email_hash\n"
    first_hash, second_hash, normal = json.loads(script(code).stdout)
    assert (len(first_hash), first_hash, normal) == (length, second_hash, "a")
    if mode == "replace":
        assert not script.record.exists()
        return
    recorded = lines(script.record)
    different = [line for line in recorded if "old" in line]
    assert [line["function"] for line in different] == ["core.state_store.cadence_email_hash"] * 2
    assert {(len(line["old"]), len(line["ours"])) for line in different} == {(OLD, OURS)}
    assert all(len(line["input"]) == 16 and line["old_ns"] > 0 and line["ours_ns"] > 0 for line in different)
    assert different[0]["input"] != different[1]["input"]
    equal = {line["function"]: line["equal"] for line in recorded if "equal" in line}
    assert equal["core.state_store.normalize_email"] >= 1
    assert script.record.stat().st_mode & 0o777 == 0o600


def test_nothing_old_is_imported_before_the_script_does_so(script):
    code = INSTALL.format("shadow") + "import sys; print([m for m in sys.modules if m.split('.')[0] in "
    code += "('core', 'execution', 'dashboard')])"
    assert script(code).stdout == "[]\n"


def test_a_module_looks_as_it_did(script):
    code = INSTALL.format("replace") + (
        "import importlib, inspect\n"
        "from core import state_store as it\n"
        "assert it.__file__.endswith('state_store.py') and type(it.__loader__).__name__ == 'SourceFileLoader'\n"
        "assert it.__spec__.loader is it.__loader__\n"
        "assert str(inspect.signature(it.normalize_email)) == '(email: str) -> str'\n"
        "assert it.normalize_email.__name__ == 'normalize_email' and it.normalize_email.__module__ == it.__name__\n"
        "assert len(importlib.reload(it).cadence_email_hash('a')) == 24\n"
    )
    script(code)


def test_uninstall_gives_everything_back(script):
    code = (
        "import sys, caio_py\n"
        "from core.state_store import normalize_email as before\n"
        "caio_py.compat.install('replace')\n"
        "from core import state_store\n"
        "from core.state_store import cadence_email_hash as during\n"
        "from execution.operator_outbound import OperatorOutbound\n"
        "assert len(during('a')) == 24\n"
        "caio_py.compat.uninstall()\n"
        "assert before is state_store.normalize_email and len(state_store.cadence_email_hash('a')) == 23\n"
        "assert len(during('a')) == 23, 'a name taken meanwhile is given back too'\n"
        "assert not hasattr(OperatorOutbound._dedup_email_key, '__caio_original__')\n"
        "assert not any(type(it).__module__.startswith('caio_py') for it in sys.meta_path)\n"
        "caio_py.compat.uninstall()\n"
    )
    script(code)


EVERYTHING = """
import json, dataclasses
import execution.operator_outbound as oo, execution.segmentor_classify as sc, execution.cadence_engine as ce
import execution.instantly_dispatcher as ins, execution.heyreach_dispatcher as hr, core.lead_signals as ls
import core.state_store as ss, dashboard.health_app as ha

def answer(call):
    try: it = call()
    except Exception as error: return type(error).__name__
    if dataclasses.is_dataclass(it): it = dataclasses.asdict(it); it.pop('segmented_at', None)
    return str(it) if not isinstance(it, (dict, list, bool)) else it

op, state = oo.OperatorOutbound(), oo.OperatorDailyState('2026-03-02', ['a@example.com'])
good = oo.DispatchBatch('batch_1', '2026-03-02T10:00:00+00:00', 'outbound', 'approved', ['b', 'a'],
                        expires_at='2099-01-01T00:00:00+00:00')
good.preview_hash = op._compute_batch_preview_hash(good)
late = dataclasses.replace(good, expires_at='2020-01-01T00:00:00+00:00')
out = {
  'dedup': answer(lambda: op._dedup_email_key(' K@x ')),
  'hash': answer(lambda: op._compute_batch_preview_hash(good)),
  'good': answer(lambda: op._validate_batch_for_execution(good, 'outbound')),
  'late': answer(lambda: op._validate_batch_for_execution(late, expected_motion='outbound')),
  'late_status': [late.status, len(op._state_store.saved)],
  'ramp': answer(op._get_ramp_status), 'schedule': answer(op.get_warmup_schedule),
  'eligible': answer(lambda: op._is_lead_eligible('k@x.example', state)),
  'migrated': answer(lambda: op._migrate_legacy_dedup_entries(state)), 'state': state.leads_dispatched,
  'segment': answer(lambda: sc.LeadSegmentor().segment_lead({'title': 'CEO'})),
  'cadence': answer(lambda: ce.CadenceEngine()._email_to_filename('A@b.c')),
  'signals': answer(lambda: ls.LeadStatusManager()._email_to_filename('A@b.c')),
  'path': answer(lambda: ss.StateStore()._cadence_file_path('A@b.c')),
  'campaign': answer(lambda: ins.InstantlyDispatcher()._generate_campaign_name('tier_1')),
  'instantly': answer(lambda: ins.InstantlyDispatcher()._map_to_instantly_lead({'to': 'k@x'})),
  'list': answer(lambda: hr.HeyReachDispatcher()._generate_list_name('tier_2')),
  'heyreach': answer(lambda: hr.HeyReachDispatcher()._map_to_heyreach_lead({'to': 'k@x'})),
  'category': answer(lambda: ha._categorize_rejection('too long')),
  'tier': answer(lambda: ha._priority_to_tier('HIGH')), 'normal': answer(lambda: ha._normalize_path('a/')),
  'list_of_paths': sorted(ha._load_api_auth_allowlist()), 'strict': answer(ha._is_token_strict_mode),
  'valid': answer(lambda: ha._token_is_valid('x')), 'exempt': answer(lambda: ha._is_auth_exempt_path('/api/health/')),
}
print(json.dumps(out))
"""


def test_every_function_in_every_mode(script):
    plain = json.loads(script(EVERYTHING).stdout)
    shadow = json.loads(script(INSTALL.format("shadow") + EVERYTHING).stdout)
    assert shadow == plain, "shadow mode never changes what a script sees"
    replaced = json.loads(script(INSTALL.format("replace") + EVERYTHING).stdout)
    changed = {name for name in plain if plain[name] != replaced[name]}
    # These are wrong, or raise, in the small package; everything else it does as the old system.
    assert changed == {"schedule", "segment", "instantly", "heyreach", "category", "late", "late_status"}
    assert replaced["schedule"]["email_daily_limit"] == 25
    assert (replaced["late"], replaced["late_status"]) == ("BatchInvalid", ["expired", 0])
    saved = script.record.parent / ".hive-mind" / "operator_batches" / "batch_1.json"
    assert json.loads(saved.read_text())["status"] == "expired", "by the store that stands in"
    summary = _report.read(str(script.record))["functions"]
    bound = {name for name, entry in summary.items() if entry["calls"]}
    from caio_py.compat import _bindings

    functions = {binding.name for binding in _bindings.FUNCTIONS if binding.shadow}
    assert functions - bound == {"core.state_store.cadence_email_hash"}, "each function was called at least once"
    differ = {name.rsplit(".", 1)[1] for name, entry in summary.items() if entry["different"]}
    assert differ == {
        "get_warmup_schedule",
        "segment_lead",
        "_map_to_instantly_lead",
        "_map_to_heyreach_lead",
        "_categorize_rejection",
    }
    assert not any(entry["failures"] for entry in summary.values())


ENGINES = """
import json
from core.lead_signals import LeadStatusManager
from execution.cadence_engine import CadenceEngine, CadenceAction, LeadCadenceState
manager, engine = LeadStatusManager(), CadenceEngine()
manager.update_lead_status('kim@example.com', 'replied', 'instantly_webhook:reply')
manager.handle_email_opened('kim@example.com')
manager.update_lead_status('lou@example.com', 'replied', 'instantly_webhook:reply')
out = [manager.get_lead_status('kim@example.com')['status'], manager.is_revivable('lou@example.com')]
"""


def test_engines_stand_in_for_the_old_classes(script):
    code = INSTALL.format("replace") + ENGINES + (
        "state = engine.enroll('max@example.com', tier='tier_1')\n"
        "assert type(state) is LeadCadenceState and state.current_step == 1\n"
        "(action,) = engine.get_due_actions()\n"
        "assert type(action) is CadenceAction and (action.email, action.step.step) == ('max@example.com', 1)\n"
        "assert engine.mark_step_done('max@example.com', 1) is None and engine.get_due_actions() == []\n"
        "print(json.dumps(out))\n"
    )
    assert json.loads(script(code).stdout) == ["replied", False]


def test_of_engines_shadow_mode_compares_questions_alone(script):
    seed = (
        "import caio_py\n"
        "caio_py.CadenceEngine('.hive-mind', {'default_21day': {'steps': [{'step': 1, 'day': 1, 'channel': 'email',"
        " 'action': 'intro'}]}}).enroll('max@example.com')\n"
    )
    code = seed + INSTALL.format("shadow") + ENGINES + "assert engine.get_due_actions() == []; print(json.dumps(out))"
    assert json.loads(script(code).stdout) == ["opened", True]
    found = [(line["function"].rsplit(".", 1)[1], line["defect"]) for line in lines(script.record) if "old" in line]
    assert found == [("is_revivable", "LS-6"), ("get_due_actions", "CA-3")]


def test_only_what_is_named(script):
    code = "import caio_py\ncaio_py.compat.install('replace', only=['core.state_store.normalize_email'])\n" + USE
    assert [len(it) for it in json.loads(script(code).stdout)] == [OLD, OLD, 1]
    with pytest.raises(caio_py.InvalidInput, match="normalize_email"):
        compat.install("replace", only=["core.state_store.normalise"])
    with pytest.raises(caio_py.InvalidInput):
        compat.install("both")
    with pytest.raises(OSError):
        compat.install("shadow", report="/nonexistent/record.jsonl")


def test_a_failure_of_ours_is_recorded_and_not_raised(script):
    code = (
        "import caio_py\n"
        "from caio_py.compat import _bindings, _install\n"
        "import dataclasses\n"
        "def broken(*_): raise ZeroDivisionError('ours')\n"
        "_install.all_bindings = lambda: tuple(dataclasses.replace(it, inputs=broken) if it.target == 'normalize_email'"
        " else dataclasses.replace(it, ours=broken, old=broken) for it in _bindings.FUNCTIONS)\n"
        "caio_py.compat.install('shadow')\n" + USE
    )
    assert [len(it) for it in json.loads(script(code).stdout)] == [OLD, OLD, 1]
    assert {line["failure"] for line in lines(script.record)} == {"ZeroDivisionError: ours"}


def test_a_record_that_can_no_longer_be_written_changes_nothing(script):
    code = INSTALL.format("shadow") + "import os; os.remove('caio-shadow.jsonl'); os.mkdir('caio-shadow.jsonl')\n" + USE
    done = script(code)
    assert [len(it) for it in json.loads(done.stdout)] == [OLD, OLD, 1]


def test_threads_and_a_fork_write_whole_lines(script):
    code = INSTALL.format("shadow") + (
        "import os, threading\n"
        "from core import state_store\n"
        "def work():\n"
        "    for n in range(300): state_store.cadence_email_hash(f'k{n}@example.com'); state_store.normalize_email('a')\n"
        "threads = [threading.Thread(target=work) for _ in range(4)]\n"
        "[it.start() for it in threads]; [it.join() for it in threads]\n"
        "child = os.fork()\n"
        "work()\n"
        "if child: assert os.waitpid(child, 0)[1] == 0\n"
    )
    script(code)
    summary = _report.read(str(script.record))
    assert summary["unreadable_lines"] == 0
    assert summary["functions"]["core.state_store.cadence_email_hash"]["different"] == 1800
    assert summary["functions"]["core.state_store.normalize_email"]["equal"] >= 1800


def test_report_command(script):
    script(INSTALL.format("shadow") + USE)
    done = subprocess.run(
        [sys.executable, "-m", "caio_py", "report", str(script.record)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3, "something is unexplained"
    assert "core.state_store.cadence_email_hash" in done.stdout and "unexplained" in done.stdout
    assert "old   " in done.stdout and "ours  " in done.stdout
    as_json = subprocess.run(
        [sys.executable, "-m", "caio_py", "report", "--json", str(script.record)], capture_output=True, check=False
    )
    found = json.loads(as_json.stdout)["functions"]["core.state_store.cadence_email_hash"]
    assert (found["different"], found["by_defect"]) == (2, {"unexplained": 2})
    missing = subprocess.run([sys.executable, "-m", "caio_py", "report", "none"], capture_output=True, check=False)
    assert missing.returncode == 1 and b"none" in missing.stderr


def test_the_pytest_plugin(script, tmp_path):
    (tmp_path / "test_theirs.py").write_text(
        "def test_length():\n"
        "    from core.state_store import cadence_email_hash\n"
        "    assert len(cadence_email_hash('kim@example.com')) == 23\n"
    )

    def run(*arguments):
        code = "import sys, pytest; sys.exit(pytest.main(sys.argv[1:]))"
        return script(code, "-q", "-p", "no:cacheprovider", "-p", "caio_py.cutover", *arguments, check=False)

    plain, shadow, replace = run(), run("--caio=shadow"), run("--caio=replace")
    assert (plain.returncode, shadow.returncode, replace.returncode) == (0, 0, 1)
    assert "unexplained" in shadow.stdout and "cadence_email_hash" in shadow.stdout
    assert "assert 24 == 23" in replace.stdout
    only = run("--caio=replace", "--caio-only=core.state_store.normalize_email")
    assert only.returncode == 0 and "normalize_email" in only.stdout

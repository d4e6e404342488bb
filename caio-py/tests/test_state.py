"""``StateStore`` in files and against a real Redis: same keys, same values, and errors that are errors."""

import datetime as dt
import json
import os
import socket
import subprocess
import sys
import threading
import uuid
from dataclasses import dataclass

import pytest
import redis as client

import caio_py
from caio_py import StateStore

DAY = "2026-03-02"
EMPTY = {
    "date": DAY,
    "outbound_email_dispatched": 0,
    "outbound_linkedin_dispatched": 0,
    "revival_dispatched": 0,
    "cadence_dispatched": 0,
    "leads_dispatched": [],
    "last_run_at": None,
    "runs_today": 0,
}


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for name in ("STATE_BACKEND", "REDIS_URL", "STATE_REDIS_PREFIX", "STATE_DUAL_READ_ENABLED", "STATE_FILE_FALLBACK_WRITE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("redis")
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for text in process.stdout:
            if "Ready to accept connections" in text:
                break
        yield f"redis://127.0.0.1:{port}/0"
        process.terminate()
        process.stdout.read()


@pytest.fixture
def prefix():
    return f"t{uuid.uuid4().hex[:8]}"


@pytest.fixture
def plain(server):
    """What the Python system's own client sees."""
    with client.Redis.from_url(server, decode_responses=True) as connection:
        yield connection


@pytest.fixture
def opened(server, prefix, tmp_path, monkeypatch):
    monkeypatch.setenv("REDIS_URL", server)
    monkeypatch.setenv("STATE_REDIS_PREFIX", prefix)
    return lambda **options: StateStore(tmp_path / ".hive-mind", **options)


def batch(number, **members):
    return {
        "batch_id": f"batch_{number}",
        "created_at": f"2026-03-02T10:00:0{number}+00:00",
        "status": "pending",
        **members,
    }


# -- files ------------------------------------------------------------------------------------------


def test_files_have_the_old_places_and_the_old_form(tmp_path):
    store = StateStore(tmp_path)
    assert (store.backend, store.redis_prefix, store.hive_dir) == ("file", "caio", tmp_path)
    assert store.batch_dir == tmp_path / "operator_batches" and store.batch_dir.is_dir()
    store.save_operator_daily_state(DAY, {**EMPTY, "leads_dispatched": ["email:zoë@example.com"]})
    text = store.operator_state_file.read_text(encoding="utf-8")
    assert text == json.dumps({**EMPTY, "leads_dispatched": ["email:zoë@example.com"]}, indent=2, ensure_ascii=False)
    assert store.get_operator_daily_state(DAY)["leads_dispatched"] == ["email:zoë@example.com"]
    assert store.get_operator_daily_state("2026-03-03") is None
    store.save_batch("batch_1", batch(1))
    store.save_batch("batch_2", batch(2, status="approved"))
    assert json.loads((store.batch_dir / "batch_1.json").read_text())["batch_id"] == "batch_1"
    assert [it["batch_id"] for it in store.list_batches()] == ["batch_2", "batch_1"]
    assert [it["batch_id"] for it in store.list_batches("approved")] == ["batch_2"]
    assert store.get_batch("batch_9") is None
    store.save_cadence_lead_state(" Kim.Doe@Example.com", {"email": "Kim.Doe@Example.com", "status": "active"})
    assert (store.cadence_state_dir / "kim_doe_at_example_com.json").exists()
    assert store.get_cadence_lead_state("kim.doe@example.com")["status"] == "active"
    assert len(store.list_cadence_lead_states()) == 1
    assert not [path for path in tmp_path.rglob("*.part")]


def test_two_people_never_share_a_record_pr_1(tmp_path):
    store = StateStore(tmp_path)
    for email in ("a.b@example.com", "a_b@example.com"):
        store.save_cadence_lead_state(email, {"email": email})
    assert store.get_cadence_lead_state("a.b@example.com") == {"email": "a.b@example.com"}
    assert store.get_cadence_lead_state("A_B@example.com") == {"email": "a_b@example.com"}
    assert len(list(store.cadence_state_dir.iterdir())) == 2
    store.save_cadence_lead_state("/etc/x@example.com", {"email": "/etc/x@example.com"})
    assert len(list(store.cadence_state_dir.iterdir())) == 3


def test_what_is_broken_is_never_absent_st_2(tmp_path):
    store = StateStore(tmp_path)
    for text in ("{", "[]", "null", ""):
        (store.batch_dir / "batch_1.json").write_text(text)
        for call in (lambda: store.get_batch("batch_1"), store.list_batches):
            with pytest.raises(caio_py.StateCorrupt) as caught:
                call()
            assert caught.value.code == "store.corrupt" and "batch_1.json" in str(caught.value)


def test_bad_ids_and_wrong_types(tmp_path):
    store = StateStore(tmp_path)
    for bad in ("", "../x", "/etc/passwd", "a.b"):
        with pytest.raises(caio_py.InvalidInput):
            store.get_batch(bad)
        with pytest.raises(caio_py.InvalidInput):
            store.acquire_operator_lock(bad)
    with pytest.raises(caio_py.WrongType):
        store.save_batch("batch_1", [])
    with pytest.raises(caio_py.InvalidInput):
        store.save_cadence_lead_state(" ", {})
    with pytest.raises(caio_py.InvalidInput):
        store.get_operator_daily_state("2026-3-2")
    with pytest.raises(TypeError):
        store.get_batch(5)
    assert store.get_cadence_lead_state("") is None


def test_a_dataclass_is_a_record(tmp_path):
    @dataclass
    class Batch:
        batch_id: str = "batch_1"
        created_at: str = ""

    store = StateStore(str(tmp_path))
    store.save_batch("batch_1", Batch())
    assert store.get_batch("batch_1") == {"batch_id": "batch_1", "created_at": ""}


def test_a_file_lock_excludes_and_ends_with_its_holder_st_4(tmp_path):
    one, other = StateStore(tmp_path), StateStore(tmp_path)
    token = one.acquire_operator_lock("outbound")
    assert len(token) == 32 and other.acquire_operator_lock("outbound") is None
    assert one.acquire_operator_lock("outbound") is None
    assert other.acquire_operator_lock("cadence") is not None
    other.release_operator_lock("outbound", token)
    one.release_operator_lock("outbound", "another")
    assert other.acquire_operator_lock("outbound") is None
    one.release_operator_lock("outbound", token)
    assert other.acquire_operator_lock("outbound") is not None
    code = f"import caio_py; print(caio_py.StateStore({str(tmp_path)!r}).acquire_operator_lock('revival'))"
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert len(done.stdout.strip()) == 32


def test_redis_that_is_configured_and_away_refuses_st_4(tmp_path, monkeypatch):
    monkeypatch.setenv("STATE_BACKEND", "redis")
    with pytest.raises(caio_py.StateUnavailable, match="REDIS_URL"):
        StateStore(tmp_path)
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    with pytest.raises(caio_py.StateUnavailable) as caught:
        StateStore(tmp_path)
    assert caught.value.code == "store.unavailable" and isinstance(caught.value, ConnectionError)
    monkeypatch.setenv("REDIS_URL", "http://example.com")
    with pytest.raises(caio_py.InvalidInput):
        StateStore(tmp_path)
    monkeypatch.setenv("STATE_BACKEND", "file")
    assert StateStore(tmp_path).backend == "file"


# -- Redis ------------------------------------------------------------------------------------------


def test_the_same_keys_and_the_same_text(opened, plain, prefix):
    store = opened()
    assert (store.backend, store.redis_prefix) == ("redis", prefix)
    record = {"batch_id": "batch_1", "name": "Zoë", "n": [1, 2], "x": None}
    store.save_batch("batch_1", record)
    assert plain.get(f"{prefix}:operator:batch:batch_1") == json.dumps(record, ensure_ascii=False)
    store.save_operator_daily_state(DAY, EMPTY)
    assert json.loads(plain.get(f"{prefix}:operator:state:{DAY}")) == EMPTY
    assert 0 < plain.ttl(f"{prefix}:operator:state:{DAY}") <= 90 * 86_400
    store.save_cadence_lead_state("Kim@Example.com", {"email": "Kim@Example.com"})
    name = caio_py.cadence_email_hash("kim@example.com")
    assert json.loads(plain.get(f"{prefix}:cadence:lead:{name}")) == {"email": "Kim@Example.com"}
    # The files beside it, for whoever still reads there.
    assert json.loads((store.batch_dir / "batch_1.json").read_text()) == record
    assert opened(file_write=False).save_batch("batch_2", record) is None
    assert not (store.batch_dir / "batch_2.json").exists()


def test_what_the_old_system_wrote_is_read(opened, plain, prefix):
    plain.set(f"{prefix}:operator:batch:batch_1", json.dumps(batch(1)))
    plain.set(f"{prefix}:operator:batch:batch_2", json.dumps(batch(2)))
    store = opened()
    assert [it["batch_id"] for it in store.list_batches("pending")] == ["batch_2", "batch_1"]
    plain.set(f"{prefix}:operator:batch:batch_3", "not JSON")
    with pytest.raises(caio_py.StateCorrupt):
        store.list_batches()
    plain.delete(f"{prefix}:operator:batch:batch_3")
    plain.rpush(f"{prefix}:operator:batch:batch_3", "a list")
    with pytest.raises(caio_py.StateError):
        store.get_batch("batch_3")


def test_a_file_fills_an_absent_key_and_never_replaces_one(opened, plain, prefix):
    store = opened()
    for name, status in (("batch_1", "approved"), ("batch_2", "approved")):
        (store.batch_dir / f"{name}.json").write_text(json.dumps({"batch_id": name, "status": status}))
    plain.set(f"{prefix}:operator:batch:batch_1", json.dumps({"batch_id": "batch_1", "status": "executed"}))
    # Scenario 3: executed in Redis and approved in a stale file.
    assert store.get_batch("batch_1")["status"] == "executed"
    assert store.list_batches("approved") == []
    assert json.loads(plain.get(f"{prefix}:operator:batch:batch_1"))["status"] == "executed"
    assert store.get_batch("batch_2")["status"] == "approved"
    assert json.loads(plain.get(f"{prefix}:operator:batch:batch_2"))["status"] == "approved"
    (store.batch_dir / "batch_3.json").write_text(json.dumps({"batch_id": "batch_3"}))
    assert opened(dual_read=False).get_batch("batch_3") is None


def test_what_somebody_else_changed_is_not_overwritten(opened):
    one, other = opened(), opened()
    one.save_batch("batch_1", batch(1))
    mine, theirs = one.get_batch("batch_1"), other.get_batch("batch_1")
    other.save_batch("batch_1", {**theirs, "status": "rejected"})
    with pytest.raises(caio_py.StateConflict) as caught:
        one.save_batch("batch_1", {**mine, "status": "approved"})
    assert caught.value.code == "store.conflict"
    assert other.get_batch("batch_1")["status"] == "rejected"
    again = one.get_batch("batch_1")
    one.save_batch("batch_1", {**again, "note": "seen"})
    one.save_batch("batch_1", {**again, "note": "seen twice"})
    assert other.get_batch("batch_1")["note"] == "seen twice"


def test_two_runs_of_a_day_are_added_up_st_6(opened):
    one, other = opened(), opened()
    one.save_operator_daily_state(DAY, {**EMPTY, "outbound_email_dispatched": 2, "leads_dispatched": ["email:a"]})
    mine, theirs = one.get_operator_daily_state(DAY), other.get_operator_daily_state(DAY)
    other.save_operator_daily_state(
        DAY, {**theirs, "outbound_email_dispatched": 5, "leads_dispatched": ["email:a", "email:b"], "runs_today": 1}
    )
    one.save_operator_daily_state(
        DAY, {**mine, "outbound_email_dispatched": 3, "leads_dispatched": ["email:a", "email:c"], "runs_today": 1}
    )
    both = other.get_operator_daily_state(DAY)
    assert (both["outbound_email_dispatched"], both["runs_today"]) == (6, 2)
    assert sorted(both["leads_dispatched"]) == ["email:a", "email:b", "email:c"]


def test_locks_are_the_old_ones(opened, plain, prefix):
    one, other = opened(), opened()
    token = one.acquire_operator_lock("outbound", ttl_seconds=1)
    key = f"{prefix}:locks:operator:outbound"
    assert plain.get(key) == token and 9 <= plain.ttl(key) <= 10
    assert other.acquire_operator_lock("outbound") is None
    other.release_operator_lock("outbound", "another")
    assert plain.get(key) == token
    one.release_operator_lock("outbound", token)
    assert not plain.exists(key)
    plain.set(key, "the Python system", ex=60)
    assert one.acquire_operator_lock("outbound") is None


def test_redis_that_goes_away_is_an_error_and_changes_nothing(tmp_path, monkeypatch):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while "Ready to accept" not in process.stdout.readline():
            pass
        store = StateStore(tmp_path / "hive", redis_url=f"redis://127.0.0.1:{port}/0", redis_prefix="t")
        store.save_batch("batch_1", batch(1))
        process.terminate()
        process.stdout.read()
    for call in (
        lambda: store.get_batch("batch_1"),
        lambda: store.save_batch("batch_1", batch(1, status="approved")),
        store.list_batches,
        lambda: store.acquire_operator_lock("outbound"),
    ):
        with pytest.raises(caio_py.StateUnavailable):
            call()
    assert json.loads((store.batch_dir / "batch_1.json").read_text())["status"] == "pending"


def test_threads_share_a_store(opened):
    store = opened()
    errors = []

    def work(number):
        try:
            for turn in range(25):
                store.save_batch(f"batch_{number}", batch(1, turn=turn))
                assert store.get_batch(f"batch_{number}")["turn"] == turn
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == [] and len(store.list_batches()) == 8


def test_of_many_one_takes_the_lock(opened):
    tokens = []
    stores = [opened() for _ in range(4)]
    threads = [threading.Thread(target=lambda it=it: tokens.append(it.acquire_operator_lock("all"))) for it in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(token is None for token in tokens) == [False, True, True, True]


def test_a_forked_child_connects_anew(opened):
    store = opened()
    store.save_batch("batch_1", batch(1))
    token = store.acquire_operator_lock("outbound")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reader)
            store.save_batch("batch_2", batch(2, seen=store.get_batch("batch_1")["batch_id"]))
            os.write(writer, str(store.acquire_operator_lock("outbound")).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    assert os.read(reader, 100) == b"None"
    assert os.waitpid(child, 0)[1] == 0
    assert store.get_batch("batch_2")["seen"] == "batch_1"
    store.release_operator_lock("outbound", token)


def test_ctrl_c_ends_a_waiting_call(tmp_path):
    """A server that accepts and never answers; the call is interrupted long before its time is over."""
    code = (
        "import caio_py, signal, socket, threading, os, time\n"
        "listener = socket.create_server(('127.0.0.1', 0)); port = listener.getsockname()[1]\n"
        "def poke():\n"
        "    listener.accept(); os.kill(os.getpid(), signal.SIGINT)\n"
        "threading.Thread(target=poke, daemon=True).start()\n"
        "try:\n"
        f"    caio_py.StateStore({str(tmp_path)!r}, redis_url=f'redis://127.0.0.1:{{port}}/0?timeout=600000')\n"
        "except KeyboardInterrupt: print('interrupted')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == "interrupted\n", done.stderr


# -- may somebody be written to ---------------------------------------------------------------------


def test_eligibility_asks_everything(tmp_path):
    store = StateStore(tmp_path)
    today = caio_py.StateStore(tmp_path).get_operator_daily_state
    assert today() is None
    assert caio_py.is_lead_eligible("kim@example.com", store)
    assert not caio_py.is_lead_eligible(" ", store)
    manager = caio_py.LeadStatusManager(tmp_path)
    manager.handle_email_unsubscribed("kim@example.com")
    manager.handle_email_opened("kim@example.com")
    manager.handle_email_replied("lou@example.com", "Call me")
    for email in ("Kim@example.com ", "lou@example.com"):
        assert not caio_py.is_lead_eligible(email, store)
    # LS-1: the old status forgot the opt-out; its history has not.
    path = tmp_path / "lead_status" / "max_at_example_com.json"
    forgot = {"email": "max@example.com", "status": "opened", "status_history": [{"from": "unsubscribed", "to": "opened"}]}
    path.write_text(json.dumps(forgot))
    assert caio_py.compat.is_lead_eligible("max@example.com", [], tmp_path)
    assert not caio_py.is_lead_eligible("max@example.com", store)
    # LS-2: unreadable is never a yes.
    path.write_text("{")
    assert caio_py.compat.is_lead_eligible("max@example.com", [], tmp_path)
    with pytest.raises(caio_py.StateCorrupt):
        caio_py.is_lead_eligible("max@example.com", store)
    (tmp_path / "unsubscribes.jsonl").write_text('{"email": "Ida@Example.com", "at": "x"}\n')
    assert not caio_py.is_lead_eligible("ida@example.com", store)


def test_eligibility_knows_todays_people_and_caios_suppressions(opened, plain, prefix):
    store = opened()
    day = dt.datetime.now(dt.timezone.utc).date().isoformat()
    store.save_operator_daily_state(day, {**EMPTY, "date": day, "leads_dispatched": ["email:kim@example.com"]})
    assert not caio_py.is_lead_eligible("kim@example.com", store)
    assert caio_py.is_lead_eligible("lou@example.com", store)
    plain.set(f"{prefix}:operator:state:{day}", "broken")
    with pytest.raises(caio_py.StateCorrupt):
        caio_py.is_lead_eligible("lou@example.com", store)

"""What stands in for what: one entry for each function of the old modules that can be swapped.

An entry says how to read a call's inputs before the old function may change them, what caio answers
for them, how the old answer reads in the same form, and what a caller gets when caio's answer takes
the old one's place.
"""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import caio_py

from .. import compat


class NotComparable(Exception):
    """The old function works on something that caio's has no part in; nothing is compared."""


class Call:
    """One call of an old function: its module, its ``self`` (or None) and its arguments by name."""

    __slots__ = ("arguments", "me", "module")

    def __init__(self, module: ModuleType, arguments: dict[str, Any]) -> None:
        self.module = module
        self.arguments = arguments
        self.me: Any = arguments.get("self")

    def __getitem__(self, name: str) -> Any:
        return self.arguments[name]

    def today(self) -> dt.date:
        """The day that the old function would take, from its own module's clock (PR-8)."""
        return getattr(self.module, "date", dt.date).today()  # type: ignore[no-any-return]

    def now(self) -> dt.datetime:
        return getattr(self.module, "datetime", dt.datetime).now(dt.timezone.utc)  # type: ignore[no-any-return]

    def hive_dir(self) -> Path:
        root = getattr(self.module, "PROJECT_ROOT", None)
        return Path(root) / ".hive-mind" if root is not None else Path(".hive-mind")


@dataclasses.dataclass(frozen=True)
class Binding:
    """How one old function is stood in for."""

    module: str
    target: str
    ours: Callable[[Any], Any]
    inputs: Callable[[Call], Any] = lambda call: copy.deepcopy(
        {name: value for name, value in call.arguments.items() if name != "self"}
    )
    old: Callable[[Call, Any], Any] = lambda call, result: result
    adopt: Callable[[Call, Any], Any] = lambda call, answer: answer
    """What the caller gets when ``ours`` stands in; may change what the old function changed."""
    explain: Callable[[Any, Any, Any], str | None] = lambda inputs, old, ours: None
    """The defect that explains a difference."""
    shadow: bool = True
    """False for what writes: it cannot be done twice."""
    early: bool = False
    """``inputs`` is caio's answer already: it is asked before the old function moves things on."""
    direct: bool = False
    """Ours has the old signature and may be bound as it is."""

    @property
    def name(self) -> str:
        return f"{self.module}.{self.target}"


# -- operator ---------------------------------------------------------------------------------------


def _config(call: Call) -> Any:
    return copy.deepcopy(call.me._operator_config)


def _schedule(call: Call, answer: dict[str, Any]) -> Any:
    return call.module.WarmupSchedule(**answer)


def _validate_inputs(call: Call) -> Any:
    return copy.deepcopy(call["batch"]), call["expected_motion"], call.now()


def _validate_adopt(call: Call, answer: None) -> None:
    return answer


def _save_expired(call: Call, error: Exception) -> None:
    """The old check also stored the status of a batch that it found expired."""
    if getattr(error, "kind", "") == "expired":
        batch = call["batch"]
        batch.status = "expired"
        call.me._state_store.save_batch(batch.batch_id, dataclasses.asdict(batch))


def _eligible_inputs(call: Call) -> Any:
    return call["email"], list(call["state"].leads_dispatched), call.me._get_signal_manager().hive_dir


def _migrate_inputs(call: Call) -> Any:
    return copy.deepcopy(call["state"].leads_dispatched), call.hive_dir()


def _migrate_adopt(call: Call, answer: tuple[bool, list[Any]]) -> bool:
    changed, leads = answer
    if changed:
        call["state"].leads_dispatched[:] = leads
    return changed


# -- scoring ----------------------------------------------------------------------------------------

_SIGNALS = re.compile("(?<=Tech stack signals \u2014 )(.*)(?= \\(sales)")


def _segment_inputs(call: Call) -> Any:
    thresholds = getattr(call.me, "tier_thresholds", None)
    if thresholds != getattr(call.me, "DEFAULT_TIER_THRESHOLDS", thresholds):
        raise NotComparable("the old segmentor has learned thresholds of its own")
    return copy.deepcopy(call["lead"])


def _segmented(call: Call, result: Any) -> dict[str, Any]:
    """The old record in our form: lists that came from a set are sorted (D-37)."""
    members = dict(vars(result))
    members.pop("segmented_at", None)
    members.pop("original_lead", None)
    breakdown = dict(members["score_breakdown"])
    if "tech_signals" in breakdown:
        breakdown["tech_signals"] = sorted(breakdown["tech_signals"])
    members["score_breakdown"] = breakdown
    members["scoring_reasons"] = [
        _SIGNALS.sub(lambda found: ", ".join(sorted(found[0].split(", "))), reason)
        for reason in members["scoring_reasons"]
    ]
    return members


def _segment_adopt(call: Call, answer: dict[str, Any]) -> Any:
    original = call["lead"].get("original_lead", {})
    return call.module.SegmentedLead(**answer, segmented_at=call.now().isoformat(), original_lead=original)


# -- dashboard --------------------------------------------------------------------------------------


def _environment() -> dict[str, str]:
    import os

    return dict(os.environ)


def _exempt_inputs(call: Call) -> Any:
    # The old module reads the list once, when it is imported.
    return call["path"], {"DASHBOARD_AUTH_ALLOWLIST": ",".join(sorted(call.module.API_AUTH_ALLOWLIST))}


def _one(name: str) -> Callable[[Call], Any]:
    return lambda call: copy.deepcopy(call[name])


def _named(call: Call, key: str) -> list[Any]:
    return copy.deepcopy(call.me.ceiling._state.get(key, []))  # type: ignore[no-any-return]


_OPERATOR = "execution.operator_outbound"
_DASHBOARD = "dashboard.health_app"
_INSTANTLY = "execution.instantly_dispatcher"
_HEYREACH = "execution.heyreach_dispatcher"

FUNCTIONS: tuple[Binding, ...] = (
    Binding("core.state_store", "normalize_email", compat.normalize_email, _one("email"), direct=True),
    Binding("core.state_store", "cadence_email_hash", compat.cadence_email_hash, _one("email"), direct=True),
    Binding(
        "core.state_store",
        "StateStore._cadence_file_path",
        lambda email: compat.email_to_filename(email, "state_store"),
        _one("email"),
        old=lambda call, path: str(Path(path).relative_to(call.me.cadence_state_dir)),
        adopt=lambda call, name: call.me.cadence_state_dir / name.removeprefix("ABSOLUTE:"),
    ),
    Binding(_OPERATOR, "OperatorOutbound._dedup_email_key", compat.dedup_email_key, _one("email")),
    Binding(
        _OPERATOR, "OperatorOutbound._compute_batch_preview_hash", compat.compute_preview_hash, _one("batch")
    ),
    Binding(
        _OPERATOR,
        "OperatorOutbound._validate_batch_for_execution",
        lambda inputs: compat.validate_batch(*inputs),
        _validate_inputs,
        adopt=_validate_adopt,
    ),
    Binding(
        _OPERATOR,
        "OperatorOutbound._get_ramp_status",
        lambda inputs: compat.ramp_status(*inputs),
        lambda call: (_config(call), call.today()),
    ),
    Binding(
        _OPERATOR,
        "OperatorOutbound.get_warmup_schedule",
        lambda inputs: compat.warmup_schedule(*inputs),
        lambda call: (_config(call), call.today()),
        old=lambda call, schedule: dict(vars(schedule)),
        adopt=_schedule,
    ),
    Binding(
        _OPERATOR,
        "OperatorOutbound._is_lead_eligible",
        lambda inputs: compat.is_lead_eligible(*inputs),
        _eligible_inputs,
    ),
    Binding(
        _OPERATOR,
        "OperatorOutbound._migrate_legacy_dedup_entries",
        lambda inputs: compat.migrate_legacy_dedup(*inputs),
        _migrate_inputs,
        old=lambda call, changed: (changed, call["state"].leads_dispatched),
        adopt=_migrate_adopt,
    ),
    Binding(
        "execution.segmentor_classify",
        "LeadSegmentor.segment_lead",
        compat.segment_lead,
        _segment_inputs,
        old=_segmented,
        adopt=_segment_adopt,
    ),
    Binding(
        "execution.cadence_engine",
        "CadenceEngine._email_to_filename",
        lambda email: compat.email_to_filename(email, "cadence_engine"),
        _one("email"),
    ),
    Binding(
        "core.lead_signals",
        "LeadStatusManager._email_to_filename",
        lambda email: compat.email_to_filename(email, "lead_status"),
        _one("email"),
    ),
    Binding(
        _INSTANTLY,
        "InstantlyDispatcher._generate_campaign_name",
        lambda inputs: compat.instantly_campaign_name(*inputs),
        lambda call: (call["tier"], call["source"], call.today(), _named(call, "campaigns_created")),
    ),
    Binding(
        _INSTANTLY, "InstantlyDispatcher._map_to_instantly_lead", compat.instantly_lead, _one("shadow_email")
    ),
    Binding(
        _HEYREACH,
        "HeyReachDispatcher._generate_list_name",
        lambda inputs: compat.heyreach_list_name(*inputs),
        lambda call: (call["tier"], call.today(), _named(call, "lists_created")),
    ),
    Binding(
        _HEYREACH, "HeyReachDispatcher._map_to_heyreach_lead", compat.heyreach_lead, _one("shadow_email")
    ),
    Binding(_DASHBOARD, "_categorize_rejection", compat.categorize_rejection, _one("reason"), direct=True),
    Binding(_DASHBOARD, "_priority_to_tier", compat.priority_to_tier, _one("priority"), direct=True),
    Binding(_DASHBOARD, "_normalize_path", compat.normalize_path, _one("path"), direct=True),
    Binding(
        _DASHBOARD,
        "_load_api_auth_allowlist",
        compat.auth_allowlist,
        lambda call: _environment(),
        old=lambda call, paths: sorted(paths),
        adopt=lambda call, paths: set(paths),
    ),
    Binding(_DASHBOARD, "_is_token_strict_mode", compat.is_strict, lambda call: _environment()),
    Binding(
        _DASHBOARD,
        "_token_is_valid",
        lambda inputs: compat.token_is_valid(*inputs),
        lambda call: (call["token"], _environment()),
    ),
    Binding(
        _DASHBOARD,
        "_is_auth_exempt_path",
        lambda inputs: compat.is_auth_exempt_path(*inputs),
        _exempt_inputs,
    ),
)

AFTER_ERROR: dict[str, Callable[[Call, Exception], None]] = {
    f"{_OPERATOR}.OperatorOutbound._validate_batch_for_execution": _save_expired,
}
"""What the old function did before it raised."""


# -- engines: they hold state, so shadow mode compares questions alone -------------------------------


def _kept(me: Any, name: str, make: Callable[[], Any]) -> Any:
    """Ours beside an old object, made once and kept on it."""
    if name not in vars(me):
        setattr(me, name, make())
    return getattr(me, name)


def _store(me: Any) -> Any:
    def make() -> Any:
        return caio_py.StateStore(
            me.hive_dir,
            backend=me.backend if me.redis_url else None,
            redis_url=me.redis_url or None,
            redis_prefix=me.redis_prefix,
            dual_read=me._dual_read_enabled,
            file_write=me._file_write_enabled,
        )

    return _kept(me, "_caio_store", make)


def _signals(me: Any) -> Any:
    return _kept(me, "_caio_signals", lambda: caio_py.LeadStatusManager(me.hive_dir))


def _cadence(me: Any) -> Any:
    return _kept(me, "_caio_cadence", lambda: caio_py.CadenceEngine(me.hive_dir, me._cadence_configs))


def _method(
    module: str,
    target: str,
    engine: Callable[[Any], Any],
    adopt: Callable[[Call, Any], Any] = lambda call, answer: answer,
) -> Binding:
    name = target.rsplit(".", 1)[1]

    def inputs(call: Call) -> Any:
        return engine(call.me), {key: value for key, value in call.arguments.items() if key != "self"}

    def ours(inputs: Any) -> Any:
        return getattr(inputs[0], name)(**inputs[1])

    return Binding(module, target, ours, inputs, adopt=adopt, shadow=False)


def _actions(call: Call, due: list[dict[str, Any]]) -> list[Any]:
    module = call.module
    step = ("step", "day", "channel", "action", "description", "condition")
    rest = ("email", "cadence_id", "tier", "linkedin_url", "lead_data")
    return [
        module.CadenceAction(
            step=module.CadenceStep(**{name: it[name] for name in step}), **{name: it[name] for name in rest}
        )
        for it in due
    ]


def _state(call: Call, record: dict[str, Any]) -> Any:
    known = call.module.LeadCadenceState.__dataclass_fields__
    return call.module.LeadCadenceState(**{name: value for name, value in record.items() if name in known})


def _nothing(call: Call, answer: Any) -> None:
    return None


def _due_now(call: Call) -> Any:
    # Asked before the old function, which moves leads on while it looks (CA-3).
    return sorted((it["email"], it["step"]) for it in _cadence(call.me).get_due_actions(call["cadence_id"]))


def _revivable(call: Call) -> Any:
    return _signals(call.me).is_revivable(call["email"])


def _explain_revivable(inputs: Any, old: Any, ours: Any) -> str:
    return "LS-6" if old is True else "LS-1"


def _status(call: Call) -> Any:
    record = _signals(call.me).get_lead_status(call["email"])
    return record and record["status"]


_STORE = "core.state_store"
_SIGNALS_MODULE = "core.lead_signals"
_CADENCE = "execution.cadence_engine"

ENGINES: tuple[Binding, ...] = (
    *(
        _method(_STORE, f"StateStore.{name}", _store)
        for name in (
            "get_operator_daily_state",
            "save_operator_daily_state",
            "get_batch",
            "save_batch",
            "list_batches",
            "get_cadence_lead_state",
            "save_cadence_lead_state",
            "list_cadence_lead_states",
            "acquire_operator_lock",
            "release_operator_lock",
        )
    ),
    *(
        _method(_SIGNALS_MODULE, f"LeadStatusManager.{name}", _signals)
        for name in (
            "update_lead_status",
            "handle_email_opened",
            "handle_email_replied",
            "handle_email_bounced",
            "handle_email_unsubscribed",
            "handle_linkedin_connection_sent",
            "handle_linkedin_connection_accepted",
            "handle_linkedin_reply",
            "detect_engagement_decay",
            "get_status_summary",
            "get_all_lead_statuses",
            "bootstrap_from_shadow_emails",
        )
    ),
    Binding(
        _SIGNALS_MODULE,
        "LeadStatusManager.is_revivable",
        lambda answer: answer,
        _revivable,
        explain=_explain_revivable,
        early=True,
    ),
    Binding(
        _SIGNALS_MODULE,
        "LeadStatusManager.get_lead_status",
        lambda status: status,
        _status,
        old=lambda call, record: record and record.get("status", "unknown"),
        adopt=lambda call, status: status and _signals(call.me).get_lead_status(call["email"]),
        explain=lambda inputs, old, ours: "LS-1",
        early=True,
    ),
    Binding(
        _CADENCE,
        "CadenceEngine.get_due_actions",
        lambda due: due,
        _due_now,
        old=lambda call, actions: sorted((it.email, it.step.step) for it in actions),
        adopt=lambda call, due: _actions(call, _cadence(call.me).get_due_actions(call["cadence_id"])),
        explain=lambda inputs, old, ours: "CA-3",
        early=True,
    ),
    _method(_CADENCE, "CadenceEngine.sync_signals", _cadence),
    _method(_CADENCE, "CadenceEngine.mark_step_done", _cadence, _nothing),
    _method(_CADENCE, "CadenceEngine.enroll", _cadence, _state),
    _method(_CADENCE, "CadenceEngine.pause_lead", _cadence, _nothing),
    _method(_CADENCE, "CadenceEngine.resume_lead", _cadence, _nothing),
    _method(_CADENCE, "CadenceEngine.exit_lead", _cadence, _nothing),
    _method(_CADENCE, "CadenceEngine.get_cadence_summary", _cadence),
)


def all_bindings() -> tuple[Binding, ...]:
    return FUNCTIONS + ENGINES

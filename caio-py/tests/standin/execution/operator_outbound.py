import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timezone
from pathlib import Path

from core.lead_signals import LeadStatusManager
from core.state_store import StateStore, normalize_email

PROJECT_ROOT = Path.cwd()


@dataclass
class WarmupSchedule:
    email_daily_limit: int
    linkedin_daily_limit: int
    linkedin_warmup_start: str
    linkedin_warmup_week: int
    is_linkedin_warmup: bool
    revival_daily_limit: int


@dataclass
class OperatorDailyState:
    date: str
    leads_dispatched: list = field(default_factory=list)


@dataclass
class DispatchBatch:
    batch_id: str
    created_at: str
    motion: str
    status: str = "pending"
    approved_shadow_email_ids: list = field(default_factory=list)
    approved_linkedin_shadow_ids: list = field(default_factory=list)
    approved_revival_emails: list = field(default_factory=list)
    approved_cadence_actions: list = field(default_factory=list)
    preview_hash: str = ""
    expires_at: str = None
    executed_at: str = None
    execution_report: dict = None


class OperatorOutbound:
    def __init__(self):
        self._operator_config = {"ramp": {"enabled": False}, "outbound": {"email_daily_limit": 25}}
        self._state_store = StateStore(PROJECT_ROOT / ".hive-mind")
        self._signals = LeadStatusManager(PROJECT_ROOT / ".hive-mind")

    def _get_signal_manager(self):
        return self._signals

    def _get_ramp_status(self):
        return {
            "enabled": False,
            "active": False,
            "day": 0,
            "remaining_days": 0,
            "email_limit_override": None,
            "tier_filter": None,
        }

    def get_warmup_schedule(self):
        # Wrong on purpose: 24 for 25.
        return WarmupSchedule(24, 5, "", 0, True, 5)

    def _dedup_email_key(self, email):
        key = normalize_email(email)
        return "email:" + key if key else ""

    def _compute_batch_preview_hash(self, batch):
        scope = {
            "motion": batch.motion,
            "approved_shadow_email_ids": sorted(batch.approved_shadow_email_ids),
            "approved_linkedin_shadow_ids": sorted(batch.approved_linkedin_shadow_ids),
            "approved_revival_emails": sorted(batch.approved_revival_emails),
            "approved_cadence_actions": [],
        }
        text = json.dumps(scope, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def _validate_batch_for_execution(self, batch, expected_motion):
        if batch.status != "approved":
            raise ValueError("not approved")
        if datetime.now(timezone.utc) > datetime.fromisoformat(batch.expires_at):
            batch.status = "expired"
            self._state_store.save_batch(batch.batch_id, asdict(batch))
            raise ValueError("expired")
        if self._compute_batch_preview_hash(batch) != batch.preview_hash:
            raise ValueError("hash")

    def _is_lead_eligible(self, email, state):
        key = normalize_email(email)
        if not key or self._dedup_email_key(key) in state.leads_dispatched:
            return False
        record = self._signals.get_lead_status(key)
        return not record or record["status"] != "unsubscribed"

    def _migrate_legacy_dedup_entries(self, state):
        new = sorted({self._dedup_email_key(it) for it in state.leads_dispatched if "@" in it and ":" not in it})
        state.leads_dispatched.extend(new)
        return bool(new)

    def today(self):
        return date.today()

from dataclasses import dataclass, field
from pathlib import Path

from core.lead_signals import LeadStatusManager


@dataclass
class CadenceStep:
    step: int
    day: int
    channel: str
    action: str
    description: str
    condition: str


@dataclass
class CadenceAction:
    email: str
    step: CadenceStep
    cadence_id: str
    tier: str
    linkedin_url: str
    lead_data: dict


@dataclass
class LeadCadenceState:
    email: str
    cadence_id: str
    tier: str
    started_at: str
    current_step: int
    status: str
    exit_reason: str = ""
    linkedin_url: str = ""
    linkedin_connected: bool = False
    lead_data: dict = field(default_factory=dict)
    steps_completed: list = field(default_factory=list)
    last_step_at: str = ""
    next_step_due: str = ""
    paused_at: str = ""


class CadenceEngine:
    def __init__(self, hive_dir=None):
        self.hive_dir = Path(hive_dir or ".hive-mind")
        step = {"step": 1, "day": 1, "channel": "email", "action": "intro"}
        self._cadence_configs = {"default_21day": {"steps": [step], "exit_on": ["replied"], "pause_on": []}}
        self.due = []

    def _email_to_filename(self, email: str) -> str:
        return email.lower().replace("@", "_at_").replace(".", "_") + ".json"

    def get_due_actions(self, cadence_id="default_21day"):
        return self.due

    def enroll(self, email, tier="tier_2", cadence_id="default_21day", linkedin_url="", lead_data=None):
        raise NotImplementedError

    def mark_step_done(self, email, step_num, result="dispatched", metadata=None):
        raise NotImplementedError

import json
from pathlib import Path


class LeadStatusManager:
    def __init__(self, hive_dir=None):
        self.hive_dir = Path(hive_dir or ".hive-mind")
        self.status_dir = self.hive_dir / "lead_status"

    def _email_to_filename(self, email: str) -> str:
        return email.lower().replace("@", "_at_").replace(".", "_") + ".json"

    def get_lead_status(self, email):
        path = self.status_dir / self._email_to_filename(email)
        return json.loads(path.read_text()) if path.exists() else None

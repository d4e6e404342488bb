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

    def handle_email_opened(self, email, campaign_id=""):
        return self.update_lead_status(email, "opened", "instantly_webhook:open")

    def update_lead_status(self, email, new_status, signal_source, metadata=None):
        # The last signal wins, as in the old system (LS-1).
        record = {"email": email, "status": new_status, "history": signal_source}
        self.status_dir.mkdir(parents=True, exist_ok=True)
        (self.status_dir / self._email_to_filename(email)).write_text(json.dumps(record))
        return record

    def is_revivable(self, email):
        record = self.get_lead_status(email)
        return not record or record["status"] not in ("bounced", "unsubscribed", "opened")

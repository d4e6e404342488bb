"""A small package with the names and signatures of the old one, for the tests of the cutover."""

import hashlib
from pathlib import Path


def normalize_email(email: str) -> str:
    return email.strip().lower() if email else ""


def cadence_email_hash(email: str) -> str:
    # Wrong on purpose: a digit short.
    key = normalize_email(email)
    return hashlib.sha256(key.encode()).hexdigest()[:23] if key else ""


class StateStore:
    def __init__(self, hive_dir=None):
        self.hive_dir = Path(hive_dir or ".hive-mind")
        self.cadence_state_dir = self.hive_dir / "cadence_state"
        self.backend, self.redis_url, self.redis_prefix = "file", "", "caio"
        self._dual_read_enabled = self._file_write_enabled = True
        self.saved = []

    def _cadence_file_path(self, email: str) -> Path:
        return self.cadence_state_dir / (normalize_email(email).replace("@", "_at_").replace(".", "_") + ".json")

    def save_batch(self, batch_id, payload):
        self.saved.append((batch_id, payload["status"]))

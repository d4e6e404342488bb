"""The record of a shadow run: JSON lines that several processes may append to."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from typing import Any

FLUSH_EVERY = 256


def digest(inputs: Any) -> str:
    """16 hex digits that tell inputs apart without showing them."""
    text = json.dumps(inputs, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


class Recorder:
    """Writes differences at once, and counts of equal calls now and then.

    The file is made for its owner alone: answers can hold addresses.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._lock = threading.Lock()
        self._counts: dict[str, list[int]] = {}
        self._pid = os.getpid()
        # A file that cannot be written is an error now, when a person installs, and never later.
        os.close(self._open())

    def _open(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def count(self, function: str, old_ns: int, ours_ns: int) -> None:
        with self._lock:
            if self._pid != os.getpid():
                # What the parent counted, the parent writes.
                self._pid, self._counts = os.getpid(), {}
            counted = self._counts.setdefault(function, [0, 0, 0])
            counted[0] += 1
            counted[1] += old_ns
            counted[2] += ours_ns
            full = counted[0] >= FLUSH_EVERY
        if full:
            self.flush()

    def flush(self) -> None:
        with self._lock:
            if self._pid != os.getpid():
                self._counts = {}
            counts, self._counts = self._counts, {}
        for function, (calls, old_ns, ours_ns) in counts.items():
            self._write({"function": function, "equal": calls, "old_ns": old_ns, "ours_ns": ours_ns})

    def difference(self, line: dict[str, Any]) -> None:
        self._write(line)

    def _write(self, line: dict[str, Any]) -> None:
        data = (json.dumps(line, default=repr) + "\n").encode("ascii")
        descriptor = self._open()
        try:
            # One write of an appending file is one line, whoever else appends.
            os.write(descriptor, data)
        finally:
            os.close(descriptor)

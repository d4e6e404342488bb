import json
from pathlib import Path

import pytest

VECTORS = Path(__file__).resolve().parents[2] / "tests" / "vectors"


@pytest.fixture
def vectors():
    def read(name):
        return json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))["cases"]

    return read


@pytest.fixture
def write_files():
    """Files as the recorded answers describe them; ``$raw`` is exactly that text."""

    def write(folder, files):
        if files is None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            raw = content["$raw"] if isinstance(content, dict) and set(content) == {"$raw"} else json.dumps(content)
            (folder / name).write_text(raw, encoding="utf-8")

    return write

"""Runs the first Python example of the README, in a folder of its own."""

import os
import re
import tempfile
from pathlib import Path

readme = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
example = re.search(r"```python\n(.*?)```", readme, re.DOTALL)[1]
assert len(example.strip().splitlines()) == 5, example
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    exec(compile(example, "README.md", "exec"), {})
    assert Path("scored.ndjson").read_text(encoding="utf-8").count("\n") == 1
    os.chdir("/")
print("the README's example works")

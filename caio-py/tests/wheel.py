"""What the wheel must be: small, for every Python from 3.10, and accepted by Debian and python-slim."""

import re
import subprocess
import sys
from pathlib import Path

MOST_BYTES = 8 * 1024 * 1024
# glibc of Debian 12, which python:3.x-slim-bookworm has too.
NEWEST_GLIBC = (2, 36)

wheel = Path(sys.argv[1])
size = wheel.stat().st_size
assert size < MOST_BYTES, f"the wheel has {size} bytes, the bar is {MOST_BYTES}"
assert "-cp310-abi3-" in wheel.name, wheel.name
shown = subprocess.run(
    [sys.executable, "-m", "auditwheel", "show", str(wheel)], capture_output=True, text=True, check=True
).stdout
tag = re.search(r'consistent with\s+the following platform tag:\s+"manylinux_(\d+)_(\d+)_', shown)
assert tag, shown
assert (int(tag[1]), int(tag[2])) <= NEWEST_GLIBC, shown
assert f"manylinux_{tag[1]}_{tag[2]}_" in wheel.name, (wheel.name, shown)
print(f"{wheel.name}: {size / 1e6:.1f} MB, auditwheel says manylinux_{tag[1]}_{tag[2]}")

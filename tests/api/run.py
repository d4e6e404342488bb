"""Puts schemathesis at the running service, over a store in which there is something of everything.

usage: run.py PATH_TO_CAIO

The service delivers to the sandbox: nothing leaves the machine.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "tests/api"
TOKEN = "0123456789abcdef0123456789abcdef"
PROVIDER = "fedcba9876543210fedcba9876543210"
# A run that tests no more operations than this has not seen the service.
FEWEST = 50


class Place:
    """A folder of its own, and the binary in it."""

    def __init__(self, caio):
        self.caio = caio
        self.home = Path(tempfile.mkdtemp())
        (self.home / "config").mkdir()
        (self.home / ".caio").mkdir()
        shutil.copy(HERE / "production.json", self.home / "config")
        shutil.copy(HERE / "caio.toml", self.home / ".caio")
        shutil.copy(ROOT / "examples/leads.csv", self.home)
        self.environment = {
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
            "USER": "kim",
            "CAIO_COEXIST": "off",
            "CAIO_TRUSTED_PROXIES": "1",
            "DASHBOARD_AUTH_TOKEN": TOKEN,
            "WEBHOOK_BEARER_TOKEN": PROVIDER,
            "HEYREACH_BEARER_TOKEN": PROVIDER,
        }
        self.running = []

    def start(self, *arguments):
        """A server; answers the first line that it prints."""
        log = open(self.home / f"{arguments[0]}.log", "w")
        process = subprocess.Popen(
            [self.caio, *arguments], cwd=self.home, env=self.environment, stdout=subprocess.PIPE, stderr=log, text=True
        )
        self.running.append(process)
        return process.stdout.readline().strip()

    def run(self, *arguments, codes=(0,)):
        """A command; answers its document."""
        done = subprocess.run(
            [self.caio, *arguments, "--json", "--quiet"], cwd=self.home, env=self.environment, capture_output=True, text=True
        )
        if done.returncode not in codes:
            sys.exit(f"caio {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def end(self):
        """SIGTERM to each, the last one first; answers those that did not end well. The folder goes too."""
        odd = []
        for process in reversed(self.running):
            process.terminate()
            try:
                code = process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                code = process.wait()
            if code != 0:
                odd.append(f"{' '.join(map(str, process.args))} ended with {code}")
        shutil.rmtree(self.home)
        return odd


def seed(place):
    """A batch that was handed over, one that waits, and drafts in each status; answers keys of webhooks."""
    place.run("run", "leads.csv", codes=(0, 3))
    place.run("icp", "adopt", "default")
    drafts = [draft["id"] for draft in place.run("drafts", "list")["drafts"]]
    place.run("drafts", "approve", *drafts[:2], "--yes")
    batch = place.run("batch", "create")["batch"]
    place.run("batch", "approve", batch["id"], "--digest", batch["digest"])
    place.run("dispatch", "--live")
    place.run("drafts", "approve", *drafts[2:5], "--yes")
    place.run("drafts", "reject", drafts[5], "--reason", "not ours")
    place.run("batch", "create")
    place.run("suppress", "add", "out@example.com", "--reason", "asked by phone")
    return {
        "CAIO_API_RB2B": place.run("webhooks", "setup", "rb2b")["key"],
        "CAIO_API_GHL": place.run("webhooks", "setup", "ghl", "--rotate")["key"],
    }


def event(url):
    """A stored event that nobody understands."""
    headers = {"Authorization": f"Bearer {PROVIDER}", "Content-Type": "application/json"}
    body = json.dumps({"event_type": "label_made_by_hand", "lead_email": "somebody@example.com"}).encode()
    urllib.request.urlopen(urllib.request.Request(f"{url}/webhooks/instantly", body, headers)).close()


def report(text):
    """Keeps everything that was said where builds go; answers the path."""
    target = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
    target.mkdir(parents=True, exist_ok=True)
    path = target / "schemathesis.txt"
    path.write_text(text)
    return path


def tested(place):
    """Schemathesis over all of it; ends with a message where something failed or nothing much was tested."""
    sandbox = dict(pair.split("=", 1) for pair in place.start("sandbox", "--port", "0").split())
    for provider in ("INSTANTLY", "HEYREACH", "GHL"):
        place.environment |= {f"{provider}_API_KEY": "any", f"{provider}_BASE_URL": sandbox[f"{provider}_BASE_URL"]}
    keys = seed(place)
    url = place.start("serve", "--port", "0")
    # Before the many wrong tokens to come: whoever guesses is told to wait.
    checks = place.run("smoke", "--base-url", url, "--token", TOKEN)["checks"]
    print(f"caio smoke: {len(checks)} checks passed", flush=True)
    event(url)
    tool = Path(sys.executable).with_name("schemathesis")
    environment = os.environ | {"CAIO_API_TOKEN": TOKEN, "CAIO_API_PROVIDER": PROVIDER} | keys
    begun = time.monotonic()
    done = subprocess.run(
        [
            tool, "--config-file", HERE / "schemathesis.toml", "run", f"{url}/openapi.json",
            "--header", f"X-Dashboard-Token: {TOKEN}",
            "--max-examples", os.environ.get("CAIO_API_EXAMPLES", "8"), *sys.argv[2:],
        ],
        cwd=ROOT, env=environment, capture_output=True, text=True,
    )
    if done.returncode != 0:
        log = (place.home / "serve.log").read_text()[-2000:]
        path = report(done.stdout + done.stderr)
        sys.exit(f"{done.stdout[-8000:]}{done.stderr}\n{log}\nall of it: {path}")
    counts = re.findall(r"^ *(Tested: .*|\d+ generated.*)$", done.stdout, re.MULTILINE)
    print("\n".join(counts), f"\n{time.monotonic() - begun:.0f} seconds")
    operations = re.search(r"^ *Tested: (\d+)", done.stdout, re.MULTILINE)
    # Further arguments may choose a few.
    if not sys.argv[2:] and (operations is None or int(operations[1]) <= FEWEST):
        path = report(done.stdout + done.stderr)
        sys.exit(f"not more than {FEWEST} operations were tested; all that was said: {path}")


def main(caio):
    place = Place(caio)
    try:
        tested(place)
    finally:
        odd = place.end()
        for line in odd:
            print(line, file=sys.stderr)
    if odd:
        sys.exit(1)


main(Path(sys.argv[1]).resolve())

"""``python -m caio_py report FILE``: what a shadow run found."""

import argparse
import json
import sys


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m caio_py", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    report = commands.add_parser("report", help="summarise a shadow record")
    report.add_argument("file", help="JSON lines that compat.install(mode='shadow') wrote")
    report.add_argument("--json", action="store_true", help="the same as JSON")
    given = parser.parse_args(arguments)
    from . import _report

    try:
        if given.json:
            print(json.dumps(_report.read(given.file), indent=2, default=repr))
        else:
            print(_report.show(given.file), end="")
        summary = _report.read(given.file)["functions"].values()
    except OSError as error:
        print(f"{given.file}: {error.strerror}", file=sys.stderr)
        return 1
    unexplained = sum(entry["failures"] + entry["by_defect"].get("unexplained", 0) for entry in summary)
    return 3 if unexplained else 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Summary of a shadow record."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any


def read(path: str) -> dict[str, Any]:
    """Counts of a shadow record: calls, differences by function and by defect, time of both sides."""
    functions: dict[str, dict[str, Any]] = {}
    unreadable = 0
    with open(path, encoding="utf-8") as lines:
        for text in lines:
            try:
                line = json.loads(text)
                name = line["function"]
            except (ValueError, KeyError, TypeError):
                unreadable += 1
                continue
            entry = functions.setdefault(
                name,
                {
                    "calls": 0,
                    "equal": 0,
                    "different": 0,
                    "failures": 0,
                    "not_compared": 0,
                    "by_defect": Counter(),
                    "examples": [],
                    "old_ns": 0,
                    "ours_ns": 0,
                },
            )
            if "equal" in line:
                entry["equal"] += line["equal"]
                entry["calls"] += line["equal"]
            else:
                entry["calls"] += 1
                if "failure" in line:
                    entry["failures"] += 1
                elif "not_compared" in line:
                    entry["not_compared"] += 1
                else:
                    entry["different"] += 1
                    entry["by_defect"][line.get("defect") or "unexplained"] += 1
                if len(entry["examples"]) < 3:
                    entry["examples"].append(line)
            entry["old_ns"] += line.get("old_ns", 0)
            entry["ours_ns"] += line.get("ours_ns", 0)
    return {"functions": functions, "unreadable_lines": unreadable}


def _cell(value: Any) -> str:
    text = json.dumps(value, default=repr)
    return text if len(text) <= 100 else text[:97] + "..."


def show(path: str) -> str:
    """The summary as text, one line a function, worst first."""
    summary = read(path)
    functions = summary["functions"]
    if not functions:
        return f"{path}: nothing was recorded\n"
    width = max(len(name) for name in functions)
    lines = [f"{'function':{width}}  {'calls':>8}  {'equal':>8}  {'differ':>7}  {'failed':>7}  {'old/ours':>8}"]

    def worst(item: tuple[str, dict[str, Any]]) -> tuple[int, str]:
        return -(item[1]["different"] + item[1]["failures"]), item[0]

    for name, entry in sorted(functions.items(), key=worst):
        speed = f"{entry['old_ns'] / entry['ours_ns']:.1f}x" if entry["ours_ns"] else "-"
        failed = entry["failures"] + entry["not_compared"]
        lines.append(
            f"{name:{width}}  {entry['calls']:8}  {entry['equal']:8}  {entry['different']:7}  {failed:7}  {speed:>8}"
        )
    defects: Counter[str] = Counter()
    for entry in functions.values():
        defects.update(entry["by_defect"])
    if defects:
        lines += ["", "differences by defect (docs/parity.md says what each is)"]
        lines += [f"  {defect:20} {count}" for defect, count in defects.most_common()]
    examples = [(name, line) for name, entry in sorted(functions.items(), key=worst) for line in entry["examples"]]
    if examples:
        lines += ["", "examples"]
        for name, line in examples:
            if "old" in line or "ours" in line:
                lines.append(f"  {name}  input {line.get('input')}  {line.get('defect') or 'unexplained'}")
                lines.append(f"    old   {_cell(line.get('old'))}")
                lines.append(f"    ours  {_cell(line.get('ours'))}")
            else:
                lines.append(f"  {name}  {line.get('failure') or line.get('not_compared')}")
    if summary["unreadable_lines"]:
        lines += ["", f"{summary['unreadable_lines']} line(s) could not be read"]
    return "\n".join(lines) + "\n"

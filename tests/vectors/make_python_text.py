#!/usr/bin/env python3
"""Writes python_text.json: what CPython 3.11 makes of texts and values whose reading is a matter of its own code.

Run it with CPython 3.11 (later versions read some dates otherwise); the same seed gives the same file.
"""
import datetime as dt
import json
import random
import struct
import sys
from pathlib import Path

assert sys.version_info[:2] == (3, 11), "the reference is CPython 3.11"
rng = random.Random(7)
cases = []


def add(kind, value, function):
    try:
        expected = function(value)
    except Exception as raised:
        expected = {"error": type(raised).__name__}
    cases.append({"name": f"{kind}_{len(cases):04d}", "input": {"kind": kind, "value": value}, "expected": expected})


def micros(delta):
    return (delta.days * 86400 + delta.seconds) * 10**6 + delta.microseconds


def instant(text):
    """[microseconds of the wall clock since 1970, offset in microseconds or null]"""
    read = dt.datetime.fromisoformat(text)
    offset = read.utcoffset()
    return [micros(read.replace(tzinfo=None) - dt.datetime(1970, 1, 1)), None if offset is None else micros(offset)]


def day(text):
    return dt.datetime.strptime(text, "%Y-%m-%d").date().isoformat()


def mutated(text, alphabet, removals):
    chars = list(text)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        draw, at = rng.random(), rng.randrange(len(chars) + 1)
        if draw < 0.4:
            chars.insert(at, rng.choice(alphabet))
        elif chars and draw < 0.4 + removals:
            chars.pop(min(at, len(chars) - 1))
        elif chars:
            chars[min(at, len(chars) - 1)] = rng.choice(alphabet)
    return "".join(chars)


INSTANTS = [
    "2026-03-28T02:00:00+00:00", "20260328T020000Z", "2026-W13-6T02:00:00.123456-08:00", "2026W136T0200+0530",
    "2026W13 02", "2026-03-28", "2026-03-28 02:03:04,5", "2026-W13", "2026W13", "2026-W13-6",
    "0001-01-01T00:00:00+23:59:59.999999", "9999-12-31T23:59:59.999999-23:59", "2026-03-28é02:03+00:00",
    "2026-W53-7", "2020-W53-7T01", "9999-W52-7", "2026-03-28T02:03:04.1234567+01", "2026-03-28T020304.5Z",
    "2026-03-28T02:03:04.+00:00", "2026-03-28T02:03:04:123456+00:00",
]
DAYS = ["2026-02-17", "2026-2-7", "2026-02- 7", "２０２６-02-1７", "2028-02-29", "0001-01-01", "9999-12-31"]
INT_PARTS = ["0", "1", "7", "42", "_", "_", "+", "-", " ", "\t", "\u00a0", "\u001c", "\u0085", "٣", "７", "½", "x", ".", "\u3000"]
TEXT = "ab'\"\\\n\r\t\x00\x7f\x1b\xa0\xad\u0301é\u200b\u2028\ufeff\ue000\u0378\U0001f600\U000e0001\U0001d173 ~中"
VALUES = [1, 1.0, True, 0, False, -3, 2.5, "a", "b", "", None, [], [1], ["a"], [None], [1, "x"], {}, {"a": 1}, 2**53 + 1, float(2**53)]


def text():
    return "".join(rng.choice(TEXT) for _ in range(rng.randrange(7)))


for value in INSTANTS + [mutated(rng.choice(INSTANTS), "0123456789-+:.,TZW zé\u0661\u0000", 0.35) for _ in range(900)]:
    add("fromisoformat", value, instant)
for value in DAYS + [mutated(rng.choice(DAYS), "0123456789- \n٣７", 0.2) for _ in range(300)]:
    add("strptime", value, day)
for _ in range(250):
    add("int", "".join(rng.choice(INT_PARTS) for _ in range(rng.randrange(1, 6))), lambda value: str(int(value)))
for value in [0.0, -0.0, 2.5, -2.7, 1e22, 1.5e300, -0.4, 123456789012345680.0, True, False, None, [], {}]:
    add("int", value, lambda value: str(int(value)))
for _ in range(150):
    (value,) = struct.unpack("d", rng.randbytes(8))
    if abs(value) < float("inf"):
        add("repr", value, repr)
for _ in range(100):
    add("repr", rng.uniform(-1, 1) * 10.0 ** rng.randrange(-8, 20), repr)
for value in [1e15, 1e16, 9999999999999998.0, 1e-4, 1e-5, 0.1, -0.0, 5e-324, 1.7976931348623157e308, 123456.0]:
    add("repr", value, repr)
for _ in range(70):
    for value in [text(), [text(), 1, 1.0, True, None], {text(): [text()], "k": {}}]:
        add("repr", value, repr)
for _ in range(100):
    value = text()
    add("dumps", {value: [value, 1e16, -0.0, {"b": 1, "a": None}], "Z": True},
        lambda value: json.dumps(value, sort_keys=True, separators=(",", ":")))
for _ in range(250):
    alike = rng.choice([VALUES[:7] + VALUES[-2:], VALUES[7:10], VALUES[11:16]])
    add("sorted", rng.choices(VALUES if rng.random() < 0.4 else alike, k=rng.randrange(6)), sorted)

document = {
    "description": "What CPython 3.11 makes of a value: datetime.fromisoformat as [wall-clock microseconds, offset], "
    "strptime %Y-%m-%d, int() as text, repr(), json.dumps (sorted, compact), sorted().",
    "source": "CPython " + sys.version.split()[0],
    "cases": cases,
}
Path(__file__).with_name("python_text.json").write_text(json.dumps(document, indent=0) + "\n")
print(len(cases), "cases")

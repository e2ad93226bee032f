"""Counts the instructions of the core's path with callgrind and holds them against the record.

Counted is the release build of `core/sip/examples/instructions.rs`: what `Border::handle` does for each message of a
call at three levels of policy (`core/sip/tests/support/calls.rs`), allocator and all, in tables that have been in use
for a while, and the stages of an initial INVITE one by one. Sockets, start-up and whatever makes the next message of
the last are outside. The counts know no load and no clock, so one run tells; they do depend on the compiler, the
extensions of the processor and the C library, so the record names the compiler.

    python3 -m benchmarks.instructions            compare; fails when a whole call grew by more than 5 %
    python3 -m benchmarks.instructions --record   write the record anew
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

CORE = Path(__file__).parent.parent / "core"
RECORD = CORE / "sip" / "benches" / "instructions.json"
# Where the profiles stay, for callgrind_annotate and kcachegrind.
PROFILES = CORE / "target" / "instructions"
TIMES = 500
WHOLE = "call"
MESSAGES = ("invite", "trying", "ringing", "answer", "ack", "bye", "bye_answer", "timers")
STAGES = (
    "call_id",
    "parse_invite",
    "parse_response",
    "check",
    "typed_values",
    "admit",
    "transaction",
    "screen",
    "decide",
    "rewrite",
    "open_token",
)
GROUPS = {"L1": MESSAGES, "L2": MESSAGES, "L3": MESSAGES, "stages": STAGES}
COUNTED = "instructions::counted::"
# How much a whole call may grow, or shrink without being recorded, in percent.
TOLERANCE = 5.0

# Instructions by group (a level, or the stages) and row (a message, or a stage).
Counts = dict[str, dict[str, int]]

_NAME = re.compile(r"\((\d+)\)(?: (.*))?")


def inclusive(profile: str) -> dict[str, int]:
    r"""Returns what each counted function cost, with all that it called, from the text of a callgrind profile.

    >>> inclusive("fn=(1) instructions::counted::ack\n3 20\ncfn=(2) f\ncalls=9 7\n4 1000\nfn=(2)\n7 1000\n")
    {'ack': 1020}
    """
    names: dict[str, str] = {}
    costs: dict[str, int] = {}
    function = ""
    for line in profile.splitlines():
        key, is_assignment, value = line.partition("=")
        if is_assignment and key in {"fn", "cfn"} and (found := _NAME.fullmatch(value)):
            number, name = found.groups()
            names.setdefault(number, name or "")
            if key == "fn":
                function = names[number]
        elif function.startswith(COUNTED) and line[:1] in set("0123456789+-*"):
            row = function.removeprefix(COUNTED)
            costs[row] = costs.get(row, 0) + int(line.rsplit(" ", 1)[1])
    return costs


def shares(costs: dict[str, int], rows: tuple[str, ...], times: int) -> dict[str, int]:
    """Returns the cost of one time for each row, and for the messages of a call that of the whole call."""
    share = {row: round(costs[row] / times) for row in rows}
    if rows == MESSAGES:
        share[WHOLE] = sum(share.values())
    return share


def compare(recorded: Counts, now: Counts) -> tuple[list[str], list[str]]:
    """Returns the table of what was recorded and what is, and what is wrong with it."""
    lines = [f"{'':<24} {'recorded':>10} {'now':>10} {'change':>8}"]
    faults = []
    for group, rows in now.items():
        for row, count in rows.items():
            before = recorded.get(group, {}).get(row)
            if before is None:
                lines.append(f"{group + ' ' + row:<24} {'-':>10} {count:>10,} {'new':>8}")
                faults.append(f"{group} {row} is not in the record")
                continue
            change = 100 * (count - before) / before
            lines.append(f"{group + ' ' + row:<24} {before:>10,} {count:>10,} {change:>+7.2f}%")
            if row == WHOLE and change > TOLERANCE:
                faults.append(f"a whole call at {group} takes {change:.1f} % more instructions than recorded")
    faults += [
        f"{group} {row} is in the record, but nothing counts it"
        for group, rows in recorded.items()
        for row in rows
        if row not in now.get(group, {})
    ]
    return lines, faults


def has_shrunk(recorded: Counts, now: Counts) -> bool:
    """Is a whole call so much cheaper that the record would let the gain be lost again?"""
    return any(
        rows[WHOLE] < recorded[group][WHOLE] * (1 - TOLERANCE / 100)
        for group, rows in now.items()
        if WHOLE in recorded.get(group, {})
    )


def compiler() -> str:
    """Returns the version and target of rustc."""
    told = _run("rustc", "-vV")
    facts = dict(line.split(": ", 1) for line in told.splitlines() if ": " in line)
    return f"{facts['release']} {facts['host']}"


def count() -> Counts:
    """Builds the example and counts every group."""
    _run("cargo", "build", "--locked", "--quiet", "--release", "-p", "ibcf-sip", "--example", "instructions")
    PROFILES.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor() as pool:
        return dict(zip(GROUPS, pool.map(_count_group, GROUPS), strict=True))


def _count_group(group: str) -> dict[str, int]:
    profile = PROFILES / f"{group}.out"
    _run(
        "valgrind",
        "--tool=callgrind",
        "--quiet",
        f"--callgrind-out-file={profile}",
        f"--toggle-collect={COUNTED}*",
        "target/release/examples/instructions",
        group,
        str(TIMES),
    )
    return shares(inclusive(profile.read_text()), GROUPS[group], TIMES)


def _run(*command: str) -> str:
    # Whoever builds without link-time optimisation to save time still counts the build that is shipped.
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("CARGO_PROFILE", "RUSTFLAGS"))
    }
    return subprocess.run(command, cwd=CORE, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603


def main() -> int:
    """Compares, or records."""
    parser = argparse.ArgumentParser(description="Instructions of the core's path, held against the record.")
    parser.add_argument("--record", action="store_true", help="write the record anew")
    arguments = parser.parse_args()
    if shutil.which("valgrind") is None:
        sys.stderr.write("counting instructions needs valgrind: apt-get install valgrind\n")
        return 1
    document: dict[str, Any] = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    recorded: Counts = document.get("instructions", {})
    made_by, now = compiler(), count()
    lines, faults = compare(recorded, now)
    sys.stdout.write("\n".join(lines) + "\n")
    if arguments.record:
        RECORD.write_text(json.dumps({"compiler": made_by, "instructions": now}, indent=2) + "\n")
        sys.stdout.write("recorded: say in the commit why\n")
        return 0
    if document.get("compiler") != made_by:
        sys.stdout.write(f"recorded with rustc {document.get('compiler')}, this is {made_by}\n")
    if has_shrunk(recorded, now):
        sys.stdout.write(f"more than {TOLERANCE:.0f} % gained: keep it with make instructions RECORD=1\n")
    if faults:
        sys.stderr.write("\n".join(faults) + "\nmend it, or make instructions RECORD=1 and say in the commit why\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

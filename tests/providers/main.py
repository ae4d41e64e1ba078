"""Runs all tests of the adapters against others' servers and checks. Called by `run`, which sets the environment up."""

import sys
import time
from pathlib import Path

import conversations
import faults
import keys
import program
import shapes
import streams
import teeth
from report import Report

# The programs wait for most of their time: for delays, and for each other's messages.
BESIDE = 8


def main() -> int:
    exe, work = sys.argv[1], Path(sys.argv[2])
    only = set(sys.argv[3:]) or {"conversations", "faults", "keys", "streams"}
    started = time.monotonic()
    report = Report()
    shapes.prepare(program.PROVIDERS)
    with conversations.aimock(work / "node_modules") as server:
        if "conversations" in only:
            recorded: list[conversations.Recorded] = []
            report.run(conversations.tests(exe, server, recorded), BESIDE)
            report.run(teeth.tests(recorded))
        if "faults" in only:
            report.run(faults.in_place(exe, server), BESIDE)
    if "faults" in only:
        faults.run(report, exe, work / "venv" / "bin", BESIDE)
    if "keys" in only:
        report.run(keys.tests(exe), BESIDE)
    if "streams" in only:
        report.run(streams.tests(exe), BESIDE)
    print(f"{time.monotonic() - started:.0f} s")
    print(f"{report.passed} passed, {len(report.failed)} failed")
    return 1 if report.failed or not report.passed else 0


if __name__ == "__main__":
    sys.exit(main())

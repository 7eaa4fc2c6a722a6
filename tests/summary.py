#!/usr/bin/env python3
"""Says what a run of the tests came to.

Reads the log that `meson test` writes (a JSON object a line, an object a test). The cases of a doctest program are
counted one by one, any other test is counted as one. Prints the output of what failed, then

    K skipped: names
    N passed, N failed

and exits with 1 when something failed or when nothing ran. A test case says that it skips with a line

    [skip] KIND: NAME (REASON)

and a program by exiting with 77 after such a line; a case that says so several times (it has subcases, or runs on
several backends) is one skip. When the environment's TORSION_REQUIRE names the kind, that is a failure.
"""

import json
import os
import re
import sys

DOCTEST = re.compile(r"^\[doctest\] test cases: *(\d+) *\| *(\d+) passed *\| *(\d+) failed", re.M)
SKIP = re.compile(r"^\[skip\] (\w+): (.+?)(?: \([^()\n]*\))?$", re.M)
CASE = re.compile(r"^TEST CASE:  (.*)$", re.M)
ESCAPES = re.compile(r"\x1b\[[0-9;]*[mK]")
LONGEST_OUTPUT = 300  # lines


class Totals:
    def __init__(self):
        self.passed = 0
        self.failed = []
        self.skipped = []


def required_kinds():
    return {kind for kind in os.environ.get("TORSION_REQUIRE", "").split(",") if kind}


def output_of(test):
    return ESCAPES.sub("", test.get("stdout", "") + test.get("stderr", ""))


def name_of(test):
    """Without Meson's project and suites."""
    return test["name"].split(" / ")[-1]


def failed_cases(output, failed):
    """The names of the cases that failed, as far as doctest's output tells; always as many as it counted."""
    names = []
    for block in re.split(r"^={60,}$", output, flags=re.M):
        title = CASE.search(block)
        if title and "ERROR" in block and title.group(1) not in names:
            names.append(title.group(1))
    return (names + ["a case"] * failed)[:failed]


def count(test, totals):
    """Adds one test program to the totals. Returns whether it failed."""
    name = name_of(test)
    output = output_of(test)
    kinds = {}  # of each name, in the order of the output
    for kind, what in SKIP.findall(output):
        kinds.setdefault(what, []).append(kind)
    required = {what: [kind for kind in those if kind in required_kinds()] for what, those in kinds.items()}
    refused = [f"{what} (skipped, but {those[0]} is required)" for what, those in required.items() if those]
    skipped = [what for what, those in required.items() if not those]
    totals.skipped += skipped
    cases = DOCTEST.findall(output)
    if cases:
        ran, passed, failed = (sum(int(row[i]) for row in cases) for i in range(3))
        failures = failed_cases(output, failed)
        # A case that skips passes in doctest's eyes, and did nothing; unless another part of it failed.
        totals.passed += max(0, passed - len(kinds.keys() - set(failures)))
        totals.failed += [f"{name}: {case}" for case in failures]
        if failed == 0 and test["result"] != "OK":
            totals.failed.append(f"{name}: {test['result']} after its cases")
    elif test["result"] == "SKIP":
        if not kinds:
            totals.skipped.append(name)
    elif test["result"] in ("OK", "EXPECTEDFAIL"):
        totals.passed += 1
    else:
        totals.failed.append(f"{name}: {test['result']}, exit status {test.get('returncode')}")
    totals.failed += refused
    return bool(refused) or test["result"] not in ("OK", "SKIP", "EXPECTEDFAIL")


def report(test):
    lines = output_of(test).splitlines()
    print(f"=== {name_of(test)}: {test['result']}, exit status {test.get('returncode')}, {test['duration']:.1f} s")
    if len(lines) > LONGEST_OUTPUT:
        print(f"... {len(lines) - LONGEST_OUTPUT} lines left out")
    print("\n".join(lines[-LONGEST_OUTPUT:]))


def main():
    totals = Totals()
    try:
        with open(sys.argv[1], encoding="utf-8", errors="replace") as log:
            tests = [json.loads(line) for line in log if line.strip()]
    except OSError as error:
        print(f"no test ran: {error}")
        tests = []
    for test in tests:
        if count(test, totals):
            report(test)
    for name in totals.failed:
        print(f"FAILED: {name}")
    print(f"{len(totals.skipped)} skipped: {', '.join(totals.skipped)}".rstrip())
    print(f"{totals.passed} passed, {len(totals.failed)} failed")
    return 1 if totals.failed or not totals.passed else 0


sys.exit(main())

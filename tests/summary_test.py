#!/usr/bin/env python3
"""What summary.py makes of a run: it is what says whether a change is good."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

SUMMARY = pathlib.Path(__file__).resolve().parent / "summary.py"
LINE = "=" * 79


def doctest_output(*failed, passed=0, extra=""):
    blocks = "".join(f"{LINE}\nx.cpp:1:\nTEST CASE:  {name}\n\nx.cpp:1: ERROR: CHECK( false )\n\n" for name in failed)
    total = passed + len(failed)
    return f"{extra}{blocks}{LINE}\n[doctest] test cases: {total} | {passed} passed | {len(failed)} failed | 9 skipped\n"


def entry(name, result="OK", stdout="", returncode=0):
    return {"name": f"torsion:core / {name}", "result": result, "stdout": stdout, "returncode": returncode, "duration": 1}


def summary(*tests, require=""):
    with tempfile.TemporaryDirectory() as folder:
        log = pathlib.Path(folder) / "testlog.json"
        log.write_text("\n".join(json.dumps(test) for test in tests))
        env = dict(os.environ, TORSION_REQUIRE=require)
        done = subprocess.run([sys.executable, SUMMARY, log], env=env, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout.splitlines()


class Summary(unittest.TestCase):
    def test_cases_are_counted_one_by_one_and_programs_as_one(self):
        status, lines = summary(entry("cases", stdout=doctest_output(passed=41)), entry("lint"))
        self.assertEqual((status, lines[-2:]), (0, ["0 skipped:", "42 passed, 0 failed"]))

    def test_failed_cases_are_named(self):
        output = doctest_output("S-1: a", "S-2: b", passed=3)
        status, lines = summary(entry("cases", "FAIL", output, 1))
        self.assertEqual(status, 1)
        self.assertEqual(lines[-4:-2], ["FAILED: cases: S-1: a", "FAILED: cases: S-2: b"])
        self.assertEqual(lines[-1], "3 passed, 2 failed")

    def test_a_program_that_dies_without_a_summary_is_a_failure(self):
        status, lines = summary(entry("cases", "FAIL", "==1==ERROR: AddressSanitizer", -6))
        self.assertEqual((status, lines[-1]), (1, "0 passed, 1 failed"))

    def test_a_bad_exit_after_good_cases_is_a_failure(self):
        status, lines = summary(entry("cases", "FAIL", doctest_output(passed=2) + "LeakSanitizer", 1))
        self.assertEqual((status, lines[-1]), (1, "2 passed, 1 failed"))

    def test_a_timeout_is_a_failure(self):
        self.assertEqual(summary(entry("lint", "TIMEOUT", returncode=-15))[0], 1)

    def test_skips_are_named_and_not_passed(self):
        case = doctest_output(passed=2, extra="[skip] network: S-9: over IPv6 (no such address)\n")
        program = entry("nc", "SKIP", "[skip] peers: netcat (not there)\n", 77)
        status, lines = summary(entry("cases", stdout=case), program)
        self.assertEqual((status, lines[-2:]), (0, ["2 skipped: S-9: over IPv6, netcat", "1 passed, 0 failed"]))

    def test_a_case_that_skips_twice_is_one_skip(self):
        line = "[skip] sanitizer: S-9: counts (a sanitizer wraps what is counted)\n"
        status, lines = summary(entry("cases", stdout=doctest_output(passed=3, extra=line + line)))
        self.assertEqual((status, lines[-2:]), (0, ["1 skipped: S-9: counts", "2 passed, 0 failed"]))
        status, lines = summary(entry("cases", stdout=doctest_output(passed=3, extra=line + line)), require="sanitizer")
        self.assertEqual((status, lines[-1]), (1, "2 passed, 1 failed"))

    def test_a_case_that_skips_in_one_part_and_fails_in_another_is_a_failure(self):
        line = "[skip] network: S-9: over IPv6 (no such address)\n"
        status, lines = summary(entry("cases", "FAIL", doctest_output("S-9: over IPv6", passed=2, extra=line), 1))
        self.assertEqual((status, lines[-1]), (1, "2 passed, 1 failed"))

    def test_a_skip_of_a_required_kind_is_a_failure(self):
        program = entry("nc", "SKIP", "[skip] peers: netcat (not there)\n", 77)
        status, lines = summary(program, entry("lint"), require="clang,peers")
        self.assertEqual((status, lines[-2:]), (1, ["0 skipped:", "1 passed, 1 failed"]))

    def test_nothing_run_is_a_failure(self):
        self.assertEqual(summary()[0], 1)


unittest.main()

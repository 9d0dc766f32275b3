#!/usr/bin/env python3
"""Adds up what ctest ran: count_tests.py CTEST_JUNIT_FILE...

A GoogleTest program counts as its test cases, anything else as one test. A file that is missing
is a build that failed, and a program that ended without its summary has at least one failure.
The last line is `N passed, N failed`; the exit code is 1 if a test failed or none ran.
"""
import re
import sys
import xml.etree.ElementTree


def cases(output, mark):
    return sum(int(n) for n in re.findall(rf"^\[  {mark}  \] (\d+) tests?\b", output, re.M))


def count(path):
    """(passed, failed, skipped) in one result file of ctest."""
    try:
        suite = xml.etree.ElementTree.parse(path).getroot()
    except FileNotFoundError:
        return 0, 1, 0
    passed = failed = skipped = 0
    for test in suite.iter("testcase"):
        output = test.findtext("system-out") or ""
        bad = test.get("status") == "fail"
        if "[==========]" not in output:
            if test.get("status") in ("notrun", "disabled"):
                bad = test.get("status") == "notrun"
            passed, failed = passed + (not bad), failed + bad
            continue
        wrong = cases(output, "FAILED")
        # Without a summary the program died: what it had finished by then has passed.
        done = cases(output, "PASSED") or len(re.findall(r"^\[       OK \]", output, re.M))
        passed += done
        failed += max(wrong, bad)
        skipped += cases(output, "SKIPPED")
    return passed, failed, skipped


def main():
    passed, failed, skipped = map(sum, zip(*(count(path) for path in sys.argv[1:])))
    if skipped:
        print(f"{skipped} skipped")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


sys.exit(main())

#!/usr/bin/env python3
"""What each public header costs who includes it, in preprocessed lines, against budget.txt.

usage: budget.py [--update] [COMPILER]

--update writes the lines measured, and a tenth more, into budget.txt. The limits are for g++ 12;
with another compiler the lines are shown and not judged.
"""
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
INCLUDE = HERE.parent.parent / "include"
TABLE = HERE / "budget.txt"
NOTE = "# Preprocessed lines allowed for each header with g++ 12; `*` is for those not named.\n"
ANY = 60000


def measure(compiler, header):
    """The lines that remain of a file that only includes `header`, without empty ones."""
    run = subprocess.run(
        [compiler, "-std=c++20", "-E", "-P", "-x", "c++", f"-I{INCLUDE}", "-"],
        input=f"#include <{header}>\n", capture_output=True, text=True, check=False)
    if run.returncode:
        sys.exit(f"{header} cannot be preprocessed:\n{run.stderr}")
    return sum(1 for line in run.stdout.splitlines() if line.strip())


def read_table():
    rows = (line.split() for line in TABLE.read_text().splitlines())
    return {row[0]: int(row[1]) for row in rows if row and not row[0].startswith("#")}


def main():
    arguments = sys.argv[1:]
    update = "--update" in arguments
    compiler = next((a for a in arguments if not a.startswith("-")), "g++")
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True)
    major = subprocess.run([compiler, "-dumpversion"], capture_output=True, text=True, check=True)
    judged = "clang" not in version.stdout and major.stdout.split(".")[0].strip() == "12"

    headers = sorted(p.relative_to(INCLUDE).as_posix() for p in INCLUDE.glob("heddle/*.hpp"))
    headers = [h for h in headers if not h.endswith("_asio.hpp")]
    lines = {header: measure(compiler, header) for header in headers}
    if update:
        rows = [f"{h} {(n + n // 10 + 99) // 100 * 100}\n" for h, n in lines.items()]
        TABLE.write_text(NOTE + f"* {ANY}\n" + "".join(rows))
    table = read_table()
    too_heavy = 0
    for header, count in lines.items():
        allowed = table.get(header, table["*"])
        print(f"{header:32} {count:7} of {allowed}")
        if count > allowed:
            too_heavy += 1
            print(f"  too heavy: include less, or run tests/headers/budget.py --update and say why")
    if not judged:
        print(f"not judged: the limits are for g++ 12, and this is {compiler}")
    return 1 if too_heavy and judged else 0


sys.exit(main())

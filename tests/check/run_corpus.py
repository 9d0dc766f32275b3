#!/usr/bin/env python3
"""Checks every program of the corpus and prints misses and false alarms.

usage: run_corpus.py HEDDLE [--compiler g++] [--schedules N] [--only TEXT] [--jobs N]

racy/NAME.KIND.cpp must yield a finding of that KIND (others may come with it: a race that trips an
assertion is both). safe/NAME.cpp must yield nothing. A finding must also replay. A program
whose first line is "// -std=c++17 -O2" is built with these options, too.
"""
import argparse
import concurrent.futures
import json
import pathlib
import subprocess
import sys
import tempfile

# Programs whose bug takes many schedules, and how many are enough for every seed tried.
HARD = {"counting_semaphore": 10000, "peterson_order": 1000}


def build(source, compiler, folder):
    program = folder / (source.parent.name + "-" + source.stem.replace(".", "-"))
    first = source.read_text().split("\n", 1)[0]
    command = [
        compiler,
        "-std=c++20",
        "-g",
        "-O1",
        "-fsanitize=thread",
        "-Wno-tsan",
        *(first.removeprefix("// ").split() if first.startswith("// -") else []),
        str(source),
        "-o",
        str(program),
    ]
    if "clang" in compiler:
        command = [c for c in command if c != "-Wno-tsan"] + ["-shared-libsan"]
        # clang leaves out the read of x += 1, which is where an update gets lost.
        command += ["-mllvm", "-tsan-instrument-read-before-write=1"]
    made = subprocess.run(command, capture_output=True, text=True)
    if made.returncode != 0:
        sys.exit(f"{source} does not compile:\n{made.stderr}")
    return program


def check(source, options, folder):
    program = build(source, options.compiler, folder)
    report, out = folder / (program.name + ".json"), folder / (program.name + ".out")
    hard = HARD.get(source.name.split(".")[0], 0)
    schedules = max(options.schedules, hard)
    run = subprocess.run(
        [
            options.heddle,
            "check",
            "--schedules",
            str(schedules),
            "--json",
            str(report),
            "--out",
            str(out),
            "--",
            str(program),
        ],
        capture_output=True,
        text=True,
    )
    findings = json.loads(report.read_text())["findings"] if report.exists() else []
    kinds = {f["kind"] for f in findings}
    if source.parent.name == "safe":
        alarm = kinds or run.returncode != 0
        return (
            "false alarm" if alarm else "",
            f"{source.name}: exit {run.returncode}\n{run.stdout}{run.stderr}",
        )
    wanted = source.name.split(".")[1]
    if wanted not in kinds:
        return (
            "miss",
            f"{source.name}: wants {wanted}, got {sorted(kinds)} "
            f"(exit {run.returncode})\n{run.stderr}",
        )
    for f in findings:
        again = subprocess.run(
            [options.heddle, "replay", f["path"]], capture_output=True, text=True
        )
        if again.returncode != 1:
            return (
                "no replay",
                f"{source.name}: {f['path']}: exit {again.returncode}\n"
                f"{again.stdout}{again.stderr}",
            )
    return "", ""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("heddle")
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--schedules", type=int, default=400)
    parser.add_argument("--only", default="")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    here = pathlib.Path(__file__).parent
    sources = [
        s
        for s in sorted(here.glob("racy/*.cpp")) + sorted(here.glob("safe/*.cpp"))
        if options.only in s.name
    ]
    counts = {"miss": 0, "false alarm": 0, "no replay": 0}
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(
        options.jobs
    ) as pool:
        for bad, text in pool.map(lambda s: check(s, options, pathlib.Path(folder)), sources):
            if bad:
                counts[bad] += 1
                print(f"{bad}: {text}")
    racy = sum(s.parent.name == "racy" for s in sources)
    print(
        f"{racy} racy programs: {counts['miss']} misses; {len(sources) - racy} safe programs: "
        f"{counts['false alarm']} false alarms; findings that do not replay: {counts['no replay']}"
    )
    return 1 if any(counts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())

"""Runs benchmark programs, each of which measures all its libraries in one process."""
import datetime
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass

HERE = os.path.dirname(os.path.abspath(__file__))


@dataclass
class Row:
    """One line of the table: what is asked, where it is measured, what is to be reached."""

    question: str  # as in the benchmark's name
    text: str
    program: str
    goal: float
    best: float = 0.0  # goal for (best peer / Heddle)
    naive: float = 0.0  # goal for (naive pool / Heddle)
    unit: str = "ns"
    value: str = "wall"  # wall | cpu | counter | over (CPU beyond the serial loop) | percent
    size: str = ""  # third part of the name
    above_peer: bool = False  # the goal is a distance from the best peer
    machine: str = ""  # what the program measures as "machine": the least that can be


@dataclass
class Curve:
    """How a cost grows: one benchmark at several sizes, which are the third part of its name."""

    question: str
    text: str
    program: str
    x: str  # what grows


@dataclass
class Figure:
    median: float
    minimum: float
    cpu: float
    repetitions: int


def one_line(command, fallback="unknown"):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return fallback


def machine(build):
    """What the figures depend on."""
    cpu = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        for line in info:
            if line.startswith("model name"):
                cpu = line.split(":", 1)[1].strip()
                break
    compiler = ""
    with open(os.path.join(build, "CMakeCache.txt"), encoding="utf-8") as cache:
        found = re.search(r"^CMAKE_CXX_COMPILER:\w+=(.*)$", cache.read(), re.M)
        if found:
            compiler = one_line([found[1], "--version"]).splitlines()[0]
    return {
        "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "processor": cpu,
        "cores": len(os.sched_getaffinity(0)),
        "kernel": os.uname().release,
        "compiler": compiler,
        "load_before": os.getloadavg()[0],
        "commit": one_line(["git", "-C", HERE, "describe", "--always", "--dirty"]),
    }


def run_program(path, only, repetitions):
    """Runs one program; {(question, who, size): [(wall ns, cpu ns, value), …]}, all an item.

    `only` are beginnings of names: "QUESTION" or "QUESTION/WHO/SIZE" as regular expressions.
    """
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        command = [
            path,
            f"--benchmark_out={out.name}",
            "--benchmark_out_format=json",
            f"--benchmark_repetitions={repetitions}",
            f"--benchmark_filter=^({'|'.join(only)})/",
        ]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            sys.exit(f"bench: {os.path.basename(path)} failed ({done.returncode}): {done.stderr}")
        report = json.load(out)
    samples = {}
    for each in report["benchmarks"]:
        if each["run_type"] != "iteration":
            continue
        if each.get("error_occurred"):
            sys.exit(f"bench: {each['name']}: {each['error_message']}")
        question, who, size = (each["run_name"].split("/") + [""])[:3]
        size = size if size.isdigit() else ""
        items = each["items"]
        samples.setdefault((question, who, size), []).append(
            (each["real_time"] / items, each["cpu_time"] / items, each.get("value"))
        )
    return samples


def measure(programs, asked, repetitions_of):
    """Figures for all of `asked` (rows and curves): {(question, who, size): Figure}."""
    by_program = {}
    for each in asked:
        size = getattr(each, "size", "")
        name = f"{each.question}/[^/]+/{size}" if size else each.question
        by_program.setdefault(each.program, set()).add(name)
    figures = {}
    for program, only in by_program.items():
        path = os.path.join(programs, program)
        if not os.path.exists(path):
            print(f"bench: {program} was not built; build/release/build.log says why")
            continue
        print(f"bench: {program} ({', '.join(sorted(only))})", file=sys.stderr, flush=True)
        samples_of = run_program(path, sorted(only), repetitions_of(program))
        for key, samples in samples_of.items():
            values = [s[0] if s[2] is None else s[2] for s in samples]
            cpu = statistics.median(s[1] for s in samples)
            figures[key] = Figure(statistics.median(values), min(values), cpu, len(samples))
    return figures

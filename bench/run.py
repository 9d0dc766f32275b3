#!/usr/bin/env python3
"""Runs the benchmarks and prints one table: Heddle, its best peer, the naive pool, the goals.

Each program measures all libraries in one process, repetitions shuffled. A figure is the median
of the repetitions; beside it stand their minimum and the CPU time of the whole process.
"""
import argparse
import datetime
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = {
    "naive": "naive pool",
    "asio": "Asio thread_pool",
    "moodycamel": "moodycamel queue",
    "tbb": "oneTBB enqueue",
    "tbb_group": "oneTBB task_group",
    "async": "std::async",
    "tbb_for": "oneTBB parallel_for",
    "tbb_queue": "oneTBB queue",
    "openmp": "OpenMP",
    "mutex": "std::mutex",
}


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


ROWS = [
    Row("post", "post 1e6 empty tasks", "post", 35, best=3),
    Row("futures", "2e5 futures, submit and result", "futures", 80, best=4, naive=15),
    Row("futexes", "futex calls per 1e5 futures", "futures", 50, unit="calls", value="counter"),
    Row("round_trip", "round trip", "round_trip", 250),
    Row("round_trip_busy", "round trip, all cores busy", "round_trip", 5_000),
    Row("round_trip_cold", "round trip after 1 ms idle", "round_trip", 8_000),
    Row("fork_join", "fork-join fib(30), on the stack", "fork_join", 4.5),
    Row("fork_join_futures", "fork-join fib(30), nested futures", "fork_join", 12),
    Row("producers", "4 producers post 2.5e5 each", "producers", 45, best=2),
    Row("memory_post", "memory of a queued post", "memory", 34, unit="B", value="counter"),
    Row("memory_future", "memory of a queued future", "memory", 96, unit="B", value="counter"),
    Row(
        "map_each", "map, a task for each 1 µs item: CPU more than serial", "map", 150, value="over"
    ),
    Row(
        "map_chunked",
        "map, automatic chunks: CPU more than serial",
        "map",
        3,
        unit="%",
        value="percent",
    ),
    Row("as_completed", "as_completed over 1e5 futures", "as_completed", 120, size="100000"),
    Row("queue_1", "queue: put and get by one thread", "queue", 30),
    Row("queue_1_1", "queue: one putter, one getter", "queue", 100, best=1),
    Row("queue_2_2", "queue: two putters, two getters", "queue", 100, best=1),
    Row("guarded_with", "guarded::with, uncontended", "guarded", 1, above_peer=True),
    Row("guarded_lock", "guarded::lock, uncontended", "guarded", 1, above_peer=True),
    Row("idle", "wake-ups in a second of an idle pool", "idle", 0, unit="", value="counter"),
]
CURVES = [
    ("scaling_workers", "scaling", "ns a future, by workers (2e5 futures)"),
    ("scaling_tasks", "scaling", "ns a post, by tasks"),
    ("scaling_producers", "scaling", "ns a post, by producers (5e5 posts)"),
    ("as_completed", "as_completed", "ns a future handled by as_completed, by futures"),
    ("wait_first", "as_completed", "ns a future of one wait(first_completed), by futures"),
]
SLOW = {"idle": 3, "memory": 3, "scaling": 5}  # repetitions, where 9 would tell no more


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
    """Runs one program; {(question, who, size): [(wall ns, cpu ns, value), …]}, all an item."""
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


def count_futexes(path, who):
    """Futex calls per 1e5 futures; strace slows everything down, so nothing else is taken."""
    with tempfile.NamedTemporaryFile(suffix=".txt") as out:
        subprocess.run(
            [
                "strace",
                "-c",
                "-f",
                "-e",
                "trace=futex",
                "-o",
                out.name,
                path,
                "--benchmark_repetitions=1",
                f"--benchmark_filter=^futures/{who}/",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        calls = re.search(rb"^.*\s(\d+)\s+(?:\d+\s+)?futex$", out.read(), re.M)
    return (int(calls[1]) if calls else 0) / 4  # one round to warm up and one to measure: 4e5


def measure(args, build):
    wanted = [r for r in ROWS if re.search(args.filter, r.question)]
    curves = [c for c in CURVES if re.search(args.filter, c[0])]
    questions = {}
    for row in wanted:
        questions.setdefault(row.program, set()).add(row.question)
    for question, program, _ in curves:
        questions.setdefault(program, set()).add(question)
    figures = {}
    for program, only in questions.items():
        path = os.path.join(build, "bench", program)
        repetitions = 3 if args.quick else SLOW.get(program, args.repetitions)
        real = sorted(only - {"futexes"})
        print(f"bench: {program} ({', '.join(sorted(only))})", file=sys.stderr, flush=True)
        for key, samples in (run_program(path, real, repetitions) if real else {}).items():
            values = [s[0] if s[2] is None else s[2] for s in samples]
            cpu = statistics.median(s[1] for s in samples)
            figures[key] = Figure(statistics.median(values), min(values), cpu, len(samples))
        if "futexes" in only:
            if shutil.which("strace"):
                listed = one_line([path, "--benchmark_list_tests=true"])
                for who in set(re.findall(r"^futures/(\w+)", listed, re.M)) - {"async"}:
                    calls = count_futexes(path, who)
                    figures["futexes", who, ""] = Figure(calls, calls, 0, 1)
            else:
                print("bench: futex calls are not counted: no strace (Debian: strace)")
    return wanted, curves, figures


def value_of(row, figures, who):
    """(median, minimum, CPU) of one library as the row wants them, or None."""
    figure = figures.get((row.question, who, row.size))
    if figure is None:
        return None
    if row.value in ("over", "percent"):
        serial = figures[row.question, "serial", row.size]
        over = figure.cpu - serial.cpu
        shown = over if row.value == "over" else 100 * over / serial.cpu
        return shown, shown, figure.cpu
    return figure.median, figure.minimum, figure.cpu


def judge(row, figures):
    """One line of the table as a dictionary."""
    mine = value_of(row, figures, "heddle")
    peers = {who: value_of(row, figures, who) for who in PEERS}
    peers = {who: v[0] for who, v in peers.items() if v is not None}
    line = {
        "question": row.question,
        "text": row.text,
        "unit": row.unit,
        "goal": row.goal,
        "goal_best": row.best,
        "goal_naive": row.naive,
        "peers": peers,
        "best_peer": min(peers, key=peers.get) if peers else None,
    }
    if mine is None:
        return line
    line["median"], line["min"], line["cpu"] = mine
    shortfalls = []
    best = peers[line["best_peer"]] if peers else None
    limit = row.goal + best if row.above_peer else row.goal
    if mine[0] > limit:
        shortfalls.append(mine[0] / limit if limit else float("inf"))
    if best is not None and mine[0] > 0:
        line["best_ratio"] = best / mine[0]
        if line["best_ratio"] < row.best:
            shortfalls.append(row.best / line["best_ratio"])
    if "naive" in peers and mine[0] > 0:
        line["naive_ratio"] = peers["naive"] / mine[0]
        if line["naive_ratio"] < row.naive:
            shortfalls.append(row.naive / line["naive_ratio"])
    line["shortfall"] = max(shortfalls, default=0)
    line["reached"] = not shortfalls
    return line


def short(x):
    if x is None:
        return "—"
    return f"{x:,.0f}" if abs(x) >= 100 or x == int(x) else f"{x:.1f}"


def print_table(header, body):
    widths = [max(len(r[i]) for r in [header] + body) for i in range(len(header))]
    for r in [header, ["-" * w for w in widths]] + body:
        cells = [c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(r, widths))]
        print("| " + " | ".join(cells) + " |")


def print_lines(lines):
    body = []
    for e in lines:
        goal = ("+" if e["question"].startswith("guarded") else "≤ ") + short(e["goal"])
        goal += f" {e['unit']}".rstrip()
        goal += f", {e['goal_best']:g}× best" if e["goal_best"] else ""
        goal += f", {e['goal_naive']:g}× naive" if e["goal_naive"] else ""
        best = e["best_peer"]
        short_by = f"{e.get('shortfall', 0):.2f}× off"
        verdict = {None: "—", True: "yes"}.get(e.get("reached"), short_by)
        body.append(
            [
                e["text"],
                short(e.get("median")),
                short(e.get("min")),
                short(e.get("cpu")) if e.get("cpu") and e["unit"] == "ns" else "",
                f"{short(e['peers'][best])} {PEERS[best]}" if best else "—",
                f"{e['best_ratio']:.1f}" if "best_ratio" in e else "—",
                f"{e['naive_ratio']:.1f}" if "naive_ratio" in e else "—",
                goal,
                verdict,
            ]
        )
    print_table(
        [
            "question",
            "Heddle",
            "min",
            "CPU",
            "best peer",
            "× best",
            "× naive",
            "to reach",
            "reached",
        ],
        body,
    )


def print_curve(question, text, figures):
    mine = {k: f for k, f in figures.items() if k[0] == question and k[2]}
    if not mine:
        return
    sizes = sorted({int(k[2]) for k in mine})
    print(f"\n{text}: median (minimum)")
    whos = [w for w in ["heddle", *PEERS] if any(k[1] == w for k in mine)]
    cell = lambda f: f"{short(f.median)} ({short(f.minimum)})" if f else "—"
    print_table(
        [""] + [f"{s:,}" for s in sizes],
        [
            [PEERS.get(w, "Heddle")] + [cell(mine.get((question, w, str(s)))) for s in sizes]
            for w in whos
        ],
    )


def draw(lines, about, target):
    """A bar chart of what is measured in nanoseconds, drawn by gnuplot."""
    if not shutil.which("gnuplot"):
        print("bench: no chart: gnuplot is not installed (Debian: gnuplot-nox)")
        return
    with tempfile.NamedTemporaryFile("w", suffix=".dat", encoding="utf-8") as data:
        for e in lines:
            if e["unit"] == "ns" and e.get("median", 0) > 0 and e["best_peer"]:
                best, naive = e["peers"][e["best_peer"]], e["peers"].get("naive", "NaN")
                name = e["question"].replace("_", " ")
                data.write(f"\"{name}\" {e['median']} {best} {naive}\n")
        data.flush()
        subprocess.run(
            [
                "gnuplot",
                "-e",
                f"data='{data.name}'; out='{target}'; "
                f"about='{about['cores']} cores, {about['processor']}, "
                f"{about['date'][:10]}'",
                os.path.join(HERE, "chart.gp"),
            ],
            check=True,
        )
    print(f"bench: chart in {target}")


def main():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__.split("\n")[0])
    parser.add_argument("--filter", default="", metavar="REGEX", help="only these questions")
    parser.add_argument("--quick", action="store_true", help="3 repetitions: to try, not to quote")
    parser.add_argument("--repetitions", type=int, default=9, metavar="N", help="default 9")
    parser.add_argument("--json", metavar="FILE", help="write all figures")
    parser.add_argument("--svg", metavar="FILE", help="draw a bar chart (with gnuplot)")
    parser.add_argument(
        "--build",
        default=os.path.join(HERE, "..", "build", "release"),
        metavar="DIR",
        help="where the programs were built",
    )
    args = parser.parse_args()
    if not os.path.isdir(os.path.join(args.build, "bench")):
        sys.exit(f"bench: nothing is built in {args.build}: run ./dev bench, or give --build")
    about = machine(args.build)
    wanted, curves, figures = measure(args, args.build)
    about["load_after"] = os.getloadavg()[0]
    lines = [judge(row, figures) for row in wanted]

    print(
        f"\n{about['processor']}, {about['cores']} cores, Linux {about['kernel']}, "
        f"{about['compiler']}\n{about['date']}, commit {about['commit']}, load "
        f"{about['load_before']:.1f} before and {about['load_after']:.1f} after\n"
        "ns an item unless said; median, minimum and process CPU of the repetitions\n"
    )
    if lines:
        print_lines(lines)
        judged = [e for e in lines if "reached" in e]
        print(
            f"\n{sum(e['reached'] for e in judged)} of {len(judged)} reached; within 1.3×: "
            f"{sum(not e['reached'] and e['shortfall'] <= 1.3 for e in judged)}"
        )
        seen = {who for e in lines for who in e["peers"]}
        if not args.filter and set(PEERS) - seen:
            print(
                "left out, not found when this was built: "
                + ", ".join(PEERS[w] for w in PEERS if w not in seen)
            )
    for question, _, text in curves:
        print_curve(question, text, figures)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as out:
            json.dump(
                {
                    "machine": about,
                    "table": lines,
                    "figures": [
                        {"question": k[0], "who": k[1], "size": k[2], **vars(f)}
                        for k, f in figures.items()
                    ],
                },
                out,
                indent=1,
            )
    if args.svg:
        draw(lines, about, args.svg)


if __name__ == "__main__":
    main()

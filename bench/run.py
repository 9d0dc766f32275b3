#!/usr/bin/env python3
"""Measures Heddle beside its peers and prints one table: Heddle, its best peer, the goals.

Each program measures all libraries in one process, repetitions shuffled. A figure is the median
of the repetitions; beside it stand their minimum and the CPU time of the whole process.
"""
import argparse
import importlib
import json
import os
import re
import sys

import table
from measuring import HERE, machine, measure

HELPERS = {"run", "measuring", "table", "process_peers"}
GROUPS = sorted(
    f[:-3] for f in os.listdir(HERE) if f.endswith(".py") and f[:-3] not in HELPERS
)


def parse(arguments):
    about = ", ".join(f"{g} ({importlib.import_module(g).__doc__.splitlines()[0]})" for g in GROUPS)
    parser = argparse.ArgumentParser(
        prog="./dev bench", description=__doc__.split("\n")[0], epilog=f"Groups: {about}"
    )
    parser.add_argument("group", nargs="?", default="pool", choices=GROUPS, help="default: pool")
    parser.add_argument("--filter", default="", metavar="REGEX", help="only these questions")
    parser.add_argument("--quick", action="store_true", help="3 repetitions: to try, not to quote")
    parser.add_argument("--repetitions", type=int, default=9, metavar="N", help="default 9")
    parser.add_argument("--json", metavar="FILE", help="write all figures")
    parser.add_argument("--svg", metavar="FILE", help="draw a chart (with gnuplot)")
    parser.add_argument(
        "--build",
        default=os.path.join(HERE, "..", "build", "release"),
        metavar="DIR",
        help="where the programs were built",
    )
    return parser.parse_args(arguments)


def write_json(path, about, lines, figures):
    listed = [
        {"question": k[0], "who": k[1], "size": k[2], **vars(f)} for k, f in figures.items()
    ]
    with open(path, "w", encoding="utf-8") as out:
        json.dump({"machine": about, "table": lines, "figures": listed}, out, indent=1)


def show(group, args, about, rows, curves, figures):
    """Prints what was measured, and writes and draws what was asked for."""
    print(
        f"\n{about['processor']}, {about['cores']} cores, Linux {about['kernel']}, "
        f"{about['compiler']}\n{about['date']}, commit {about['commit']}, load "
        f"{about['load_before']:.1f} before and {about['load_after']:.1f} after\n"
        "ns an item unless said; median, minimum and process CPU of the repetitions\n"
    )
    lines = [table.judge(row, figures, group.PEERS) for row in rows]
    if lines:
        table.print_lines(lines, group.PEERS)
        print()
        table.print_machine(lines)
        judged = [e for e in lines if "reached" in e]
        print(
            f"{sum(e['reached'] for e in judged)} of {len(judged)} reached; within 1.3×: "
            f"{sum(not e['reached'] and e['shortfall'] <= 1.3 for e in judged)}"
        )
        unseen = set(group.PEERS) - {who for e in lines for who in e["peers"]}
        if unseen and not args.filter:
            print("left out: " + ", ".join(n for w, n in group.PEERS.items() if w in unseen))
    for curve in curves:
        table.print_curve(curve, figures, group.PEERS)
    if args.json:
        write_json(args.json, about, lines, figures)
    if args.svg and lines:
        table.draw_bars(lines, about, args.svg)
    elif args.svg:
        table.draw_curves(curves, figures, group.PEERS, about, args.svg)


def main():
    args = parse(sys.argv[1:])
    group = importlib.import_module(args.group)
    programs = os.path.join(args.build, "bench")
    if not os.path.isdir(programs):
        sys.exit(f"bench: nothing is built in {args.build}: run ./dev bench, or give --build")
    rows = [r for r in group.ROWS if re.search(args.filter, r.question)]
    curves = [c for c in getattr(group, "CURVES", []) if re.search(args.filter, c.question)]
    slow = getattr(group, "SLOW", {})
    about = machine(args.build)
    figures = measure(
        programs,
        [each for each in rows + curves if each.program],
        lambda program: 3 if args.quick else slow.get(program, args.repetitions),
    )
    if hasattr(group, "more"):
        figures |= group.more(programs, rows)
    about["load_after"] = os.getloadavg()[0]
    show(group, args, about, rows, curves, figures)


if __name__ == "__main__":
    main()

"""Compares figures with the goals, and prints and draws them."""
import os
import shutil
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


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


def judge(row, figures, peers_known):
    """One line of the table as a dictionary."""
    mine = value_of(row, figures, "heddle")
    peers = {who: value_of(row, figures, who) for who in peers_known}
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
    if row.machine and (least := value_of(row, figures, "machine")):
        line["machine"] = {"text": row.machine, "median": least[0], "min": least[1]}
    if mine is None:
        return line
    line["median"], line["min"], line["cpu"] = mine
    shortfalls = []
    best = peers[line["best_peer"]] if peers else None
    limit = row.goal + best if row.above_peer else row.goal
    if mine[0] > limit:
        shortfalls.append(mine[0] / limit if limit else float("inf"))
    if best is not None and best > 0 and mine[0] > 0:
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


def print_lines(lines, names):
    """The table; `names` says what each peer is called."""
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
                f"{short(e['peers'][best])} {names[best]}" if best else "—",
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


def print_machine(lines):
    """What the machine needs by itself, for those questions where somebody measured it."""
    for e in lines:
        if least := e.get("machine"):
            print(
                f"{e['text']}: this machine by itself needs {short(least['median'])} ns "
                f"(minimum {short(least['min'])}): {least['text']}"
            )


def print_curve(curve, figures, names):
    sizes = sorted({int(size) for question, _, size in figures if question == curve.question})
    if not sizes:
        return
    whos = [w for w in ["heddle", *names] if (curve.question, w, str(sizes[0])) in figures]
    print(f"\n{curve.text}, by {curve.x}: median (minimum)")

    def cell(who, size):
        figure = figures.get((curve.question, who, str(size)))
        return f"{short(figure.median)} ({short(figure.minimum)})" if figure else "—"

    print_table(
        [""] + [f"{size:,}" for size in sizes],
        [[names.get(who, "Heddle")] + [cell(who, size) for size in sizes] for who in whos],
    )


def gnuplot(script, target, **variables):
    if not shutil.which("gnuplot"):
        print("bench: no chart: gnuplot is not installed (Debian: gnuplot-nox)")
        return
    given = "; ".join(f"{name}='{value}'" for name, value in variables.items())
    command = ["gnuplot", "-e", f"out='{target}'; {given}", os.path.join(HERE, script)]
    subprocess.run(command, check=True)
    print(f"bench: chart in {target}")


def caption(about):
    return f"{about['cores']} cores, {about['processor']}, {about['date'][:10]}"


def draw_bars(lines, about, target):
    """A bar chart of what is measured in nanoseconds."""
    with tempfile.NamedTemporaryFile("w", suffix=".dat", encoding="utf-8") as data:
        for e in lines:
            if e["unit"] == "ns" and e.get("median", 0) > 0 and e["best_peer"]:
                best, naive = e["peers"][e["best_peer"]], e["peers"].get("naive", "NaN")
                name = e["question"].replace("_", " ")
                data.write(f"\"{name}\" {e['median']} {best} {naive}\n")
        data.flush()
        gnuplot("chart.gp", target, data=data.name, about=caption(about))


def draw_curves(curves, figures, names, about, target):
    """One small chart a curve, in one picture; a block of lines for each library."""
    with tempfile.TemporaryDirectory() as folder:
        files, titles, labels, blocks = [], [], [], []
        for curve in curves:
            mine = {k: f for k, f in figures.items() if k[0] == curve.question}
            if not mine:
                continue
            files.append(os.path.join(folder, curve.question))
            titles.append(curve.text)
            labels.append(curve.x)
            whos = [w for w in ["heddle", *names] if any(k[1] == w for k in mine)]
            blocks.append(str(len(whos)))
            with open(files[-1], "w", encoding="utf-8") as data:
                for who in whos:
                    data.write(f'"{names.get(who, "Heddle")}"\n')
                    for size in sorted(int(k[2]) for k in mine if k[1] == who):
                        figure = mine[curve.question, who, str(size)]
                        data.write(f"{size} {figure.median} {figure.minimum}\n")
                    data.write("\n\n")
        gnuplot(
            "curves.gp",
            target,
            files=" ".join(files),
            titles="|".join(titles),
            labels="|".join(labels),
            blocks=" ".join(blocks),
            about=caption(about),
        )

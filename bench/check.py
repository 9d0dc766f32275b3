"""The race finder: what schedules and accesses cost, how soon known bugs are found."""
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from measuring import HERE, Figure, Row

PEERS = {
    "gcc_tsan": "g++'s TSan",
    "clang_tsan": "clang's TSan",
    "empty": "a runtime that does nothing",
}
SEEDS = range(1, 10)
ROUNDS = 5  # of what costs are measured by
CORPUS = os.path.join(HERE, "..", "tests", "check", "racy")
BUGS = {  # question: the program, and the kind of finding that counts
    "check_lost_update": (f"{CORPUS}/lost_update.data-race.cpp", "data-race"),
    "check_ab_ba": (f"{CORPUS}/ab_ba.deadlock.cpp", "deadlock"),
    "check_lost_wakeup": (f"{CORPUS}/notify_too_early.lost-wakeup.cpp", "lost-wakeup"),
    "check_threads": (f"{HERE}/checked/many_threads.cpp", "data-race"),
}
SEMAPHORE = f"{CORPUS}/counting_semaphore.lost-wakeup.cpp"

ROWS = [
    Row("check_schedule", "a schedule of two threads, one core", "", 500_000),
    Row("check_loop", "a loop over memory, × native", "", 15, unit="×"),
    Row("check_memory", "peak memory, more than 4 × native", "", 64, unit="MiB"),
    Row("check_semaphore", "libstdc++ 12's semaphore bug, told after", "", 2, unit="s"),
    Row("check_semaphore_worst", "the same, worst of 9 seeds", "", 10, unit="s"),
]
for _question, _text in (
    ("check_lost_update", "lost update, found at schedule"),
    ("check_ab_ba", "AB-BA deadlock, found at schedule"),
    ("check_lost_wakeup", "lost wake-up, found at schedule"),
    ("check_threads", "a race among 101 threads, found at schedule"),
):
    ROWS.append(Row(_question, _text, "", 10, unit=""))
    ROWS.append(Row(f"{_question}_worst", "the same, worst of 9 seeds", "", 10, unit=""))


class Workshop:
    """Builds programs, and runs them natively, under heddle and under the compilers' own TSan."""

    def __init__(self, heddle, folder):
        self.heddle, self.folder = heddle, folder
        self.clang = shutil.which("clang++-19") or shutil.which("clang++")

    def build(self, source, *options, compiler="g++"):
        """The path of the program; None when it cannot be built so."""
        name = "-".join([os.path.basename(source), os.path.basename(compiler), *options])
        path = os.path.join(self.folder, name)
        command = [compiler, "-std=c++20", "-g", "-O1", *options, source, "-o", path]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        return path if made.returncode == 0 else None

    def variants(self, source):
        """{who: (program, what its environment has more)}, native among them."""
        native, watched = self.build(source), self.build(source, "-fsanitize=thread")
        if native is None or watched is None:
            sys.exit(f"bench: {source} does not compile; is g++ with -fsanitize=thread installed?")
        found = {
            "native": (native, {}),
            # The runtime without the tool: one run under the default schedule.
            "heddle": (watched, {"LD_LIBRARY_PATH": os.path.dirname(self.heddle)}),
        }
        found["empty"] = (watched, {"LD_LIBRARY_PATH": self.empty_runtime(watched)})
        peers = {"gcc_tsan": watched}
        if self.clang:
            peers["clang_tsan"] = self.build(source, "-fsanitize=thread", compiler=self.clang)
        for who, program in peers.items():
            if program and cost([program], {})[2] == 0:  # some kernels do not suit the real one
                found[who] = (program, {})
        return found

    def empty_runtime(self, program):
        """The folder of a libtsan whose functions return at once: what the calls alone cost."""
        listed = subprocess.run(
            ["nm", "-D", "--undefined-only", program], capture_output=True, text=True, check=True
        )
        called = [word for word in listed.stdout.split() if word.startswith("__tsan_")]
        folder = os.path.join(self.folder, "empty")
        os.makedirs(folder, exist_ok=True)
        library = os.path.join(folder, "libtsan.so.2")
        command = ["g++", "-x", "c", "-", "-O2", "-shared", "-fPIC", "-Wl,-soname,libtsan.so.2"]
        text = "".join(f"void {name}(void) {{}}\n" for name in called)
        subprocess.run([*command, "-o", library], input=text, text=True, check=True)
        return folder

    def check(self, program, seed, *options):
        """A running search."""
        out = os.path.join(self.folder, "out")
        command = [self.heddle, "check", "--seed", str(seed), "--out", out, *options, "--", program]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )


def cost(command, environment):
    """(CPU seconds, peak memory in MiB, exit status) of a command."""
    child = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, child.returncode


def figure(values, cpu=0.0):
    return Figure(statistics.median(values), min(values), cpu, len(values))


def costs(shop, source, which):
    """{who: [CPU seconds or MiB of each round]}, the rounds interleaved."""
    variants = shop.variants(source)
    samples = {who: [] for who in variants}
    for _ in range(ROUNDS):
        for who, (program, environment) in variants.items():
            *both, status = cost([program], environment)
            if status != 0:
                sys.exit(f"bench: {program} ended with {status} ({who})")
            samples[who].append(both[which])
    return samples


def measure_schedule(shop):
    """Wall and CPU time of 4,000 schedules, in ns each."""
    program = shop.build(f"{HERE}/checked/two_threads.cpp", "-fsanitize=thread")
    wall, cpu = [], []
    for seed in SEEDS[:ROUNDS]:
        report = os.path.join(shop.folder, "report.json")
        options = ["--seed", str(seed), "--schedules", "4000", "--json", report]
        spent, _, status = cost([shop.heddle, "check", *options, "--", program], {})
        if status != 0:
            sys.exit(f"bench: two_threads.cpp is correct, and heddle check ended with {status}")
        with open(report, encoding="utf-8") as text:
            told = json.load(text)
        wall.append(told["seconds"] / told["schedules"] * 1e9)
        cpu.append(spent / told["schedules"] * 1e9)
    return {("check_schedule", "heddle", ""): figure(wall, statistics.median(cpu))}


def beside_native(shop, question, source, which, distance):
    """Figures of `distance(sample, native)`; says what each took, as the table has one peer."""
    samples = costs(shop, f"{HERE}/checked/{source}", which)
    medians = {who: statistics.median(values) for who, values in samples.items()}
    took = ", ".join(f"{PEERS.get(who, who)} {median:,.1f}" for who, median in medians.items())
    print(f"bench: {question}: {('CPU s', 'peak MiB')[which]}: {took}")
    native = medians["native"]
    return {
        (question, who, ""): figure([distance(x, native) for x in values])
        for who, values in samples.items()
        if who != "native"
    }


def measure_loop(shop):
    return beside_native(shop, "check_loop", "memory_loop.cpp", 0, lambda x, native: x / native)


def measure_memory(shop):
    return beside_native(shop, "check_memory", "memory.cpp", 1, lambda x, native: x - 4 * native)


def measure_semaphore(shop):
    """Wall seconds until the story is told."""
    program = shop.build(SEMAPHORE, "-fsanitize=thread")
    seconds = []
    for seed in SEEDS:
        began = time.monotonic()
        search = shop.check(program, seed, "--schedules", "100000", "--time", "60s")
        told = "Lost wake-up" in search.stdout.readline()
        seconds.append(time.monotonic() - began if told else float("inf"))
        search.terminate()
        search.communicate()
    return {
        ("check_semaphore", "heddle", ""): figure(seconds),
        ("check_semaphore_worst", "heddle", ""): figure([max(seconds)]),
    }


def measure_bug(shop, question):
    """The number of the schedule that showed the bug."""
    source, kind = BUGS[question]
    program = shop.build(source, "-fsanitize=thread")
    found = []
    for seed in SEEDS:
        report = os.path.join(shop.folder, "report.json")
        shop.check(program, seed, "--schedules", "40", "--json", report).communicate()
        with open(report, encoding="utf-8") as text:
            at = [f["schedule"] for f in json.load(text)["findings"] if f["kind"] == kind]
        found.append(min(at, default=float("inf")))
    return {
        (question, "heddle", ""): figure(found),
        (f"{question}_worst", "heddle", ""): figure([max(found)]),
    }


def more(programs, rows):
    """All figures: the race finder is not measured by a benchmark program."""
    heddle = os.path.abspath(os.path.join(programs, "..", "check", "heddle"))
    if not os.path.exists(heddle):
        print("bench: check is left out: the race finder was not built; build.log says why")
        return {}
    wanted = {r.question.removesuffix("_worst") for r in rows}
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        shop = Workshop(heddle, folder)
        for question in sorted(wanted):
            print(f"bench: {question}", file=sys.stderr, flush=True)
            own = globals().get(f"measure_{question.removeprefix('check_')}")
            figures |= own(shop) if own else measure_bug(shop, question)
    return figures

"""Thread pools and what belongs to them: one row a question, Heddle beside its peers."""
import os
import re
import shutil
import subprocess
import tempfile

from measuring import Figure, Row, one_line

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


ROWS = [
    Row("post", "post 1e6 empty tasks", "post", 35, best=3),
    Row("futures", "2e5 futures, submit and result", "futures", 80, best=4, naive=15),
    Row("futexes", "futex calls per 1e5 futures", "", 50, unit="calls", value="counter"),
    Row(
        "round_trip",
        "round trip",
        "round_trip",
        250,
        machine="a word to another core and one back",
    ),
    Row("round_trip_busy", "round trip, all cores busy", "round_trip", 5_000),
    Row(
        "round_trip_cold",
        "round trip after 1 ms idle",
        "round_trip",
        8_000,
        machine="two sleeping threads that wake each other",
    ),
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
SLOW = {"idle": 3, "memory": 3}  # repetitions, where 9 would tell no more


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


def more(programs, wanted):
    """What no benchmark can count by itself: {(question, who, size): Figure}."""
    if not any(row.question == "futexes" for row in wanted):
        return {}
    if not shutil.which("strace"):
        print("bench: futex calls are not counted: no strace (Debian: strace)")
        return {}
    path = os.path.join(programs, "futures")
    listed = one_line([path, "--benchmark_list_tests=true"])
    figures = {}
    for who in sorted(set(re.findall(r"^futures/(\w+)", listed, re.M)) - {"async"}):
        calls = count_futexes(path, who)
        figures["futexes", who, ""] = Figure(calls, calls, 0, 1)
    return figures

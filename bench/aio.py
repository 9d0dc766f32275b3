"""Coroutines, beside Asio's and CPython's: one row a question."""
import json
import os
import statistics
import subprocess
import sys

from measuring import HERE, Figure, Row

PEERS = {
    "asio": "Asio co_spawn",
    "asio_callbacks": "Asio callbacks",
    "asyncio": "CPython asyncio",
    "pool": "thread_pool, result()",
}

ROWS = [
    Row("aio_await", "make a task and await it", "aio", 15),
    Row("aio_gather", "gather 1e5 tasks that yield once", "aio", 40, best=10),
    Row("aio_switch", "let the loop turn once", "aio", 20),
    Row("aio_timers", "1e5 timers in a second, CPU each", "aio", 3_800, value="counter"),
    Row("aio_frame", "memory of an empty task", "aio", 104, unit="B", value="counter"),
    Row("aio_to_thread", "to_thread, there and back", "aio", 5_000, best=0.9),
    Row("aio_echo", "echo of 16 bytes on a socket", "aio", 15_000, best=0.9),
]
SLOW = {"aio": 5}  # repetitions, where 9 would tell no more
NOT_IN_PYTHON = {"aio_frame"}


def more(_, wanted):
    """CPython's figures: {(question, who, size): Figure}."""
    asked = [row.question for row in wanted if row.question not in NOT_IN_PYTHON]
    if not asked:
        return {}
    print("bench: asyncio_peer.py", file=sys.stderr, flush=True)
    peer = os.path.join(HERE, "peers", "asyncio_peer.py")
    done = subprocess.run(
        [sys.executable, peer, "3", *asked], capture_output=True, text=True, check=True
    )
    return {
        (question, "asyncio", ""): Figure(statistics.median(ns), min(ns), 0, len(ns))
        for question, ns in json.loads(done.stdout).items()
    }

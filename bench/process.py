"""Process pools, beside CPython's two, a bare pipe and bare copies: one row a question."""
from measuring import Row

PEERS = {
    "pipe": "two pipes",
    "copies": "two copies",
    "executor": "ProcessPoolExecutor",
    "mp_pool": "multiprocessing.Pool",
}

ROWS = [
    Row("process_start", "a pool's start, first result and end", "process", 2_000_000),
    Row("process_serial", "one call after the other", "process", 12_000, best=0.9),
    Row("process_pipelined", "5e4 calls, then their results", "process", 3_000),
    Row("process_1mib", "1 MiB there and back", "process", 500_000),
    Row("process_64mib", "64 MiB there and back", "process", 200_000_000, best=0.77),
    Row("process_kill", "end of a call after its time limit", "process", 5_000_000),
]
SLOW = {"process": 5}  # repetitions, where 9 would tell no more

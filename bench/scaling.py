"""How costs grow: with workers, tasks, producers and futures. No curve may have a cliff."""
from measuring import Curve

PEERS = {"naive": "naive pool", "moodycamel": "moodycamel queue"}

ROWS = []

CURVES = [
    Curve("scaling_workers", "ns a future, 2e5 futures", "scaling", "workers"),
    Curve("scaling_tasks", "ns a post", "scaling", "tasks"),
    Curve("scaling_producers", "ns a post, 5e5 posts", "scaling", "producers"),
    Curve("scaling_waits", "CPU µs a task that sleeps 2 ms", "scaling", "workers, 20 tasks each"),
    Curve("as_completed", "ns a future, as_completed", "as_completed", "futures"),
    Curve("wait_first", "ns a future, one wait(first_completed)", "as_completed", "futures"),
]
SLOW = {"scaling": 5}  # repetitions, where 9 would tell no more

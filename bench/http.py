"""HTTP clients against nginx on loopback: 10,000 pages of 1 KiB, 64 at once; one body of 1 GiB."""
import contextlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from measuring import HERE, Figure, Row

PEERS = {
    "curl": "libcurl's own loop",
    "aiohttp": "aiohttp",
    "requests": "requests + 64 threads",
}
COUNT, AT_ONCE = 10_000, 64
ROWS = [
    Row("http_get", "10,000 GETs, 64 at once: a GET", "", 25_000),
    Row("http_cpu", "the same, CPU of the client", "", 22_000),
    Row("http_threads", "the same, asked by 16 threads", "", 32_000),
    Row("http_threads_cpu", "the same, CPU of the client", "", 32_000),
    Row("http_stream", "peak memory while 1 GiB is streamed", "", 32, unit="MiB"),
]
PYTHON = "/usr/bin/python3"  # Debian's, which has Debian's python3-aiohttp

CONFIGURATION = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log; {user}
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; keepalive_requests 1000000000;
  client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
  uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  server {{ listen 127.0.0.1:{port}; root {folder}; }}
}}
"""


@contextlib.contextmanager
def nginx():
    """Runs a server; yields its URL."""
    with tempfile.TemporaryDirectory() as folder:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        with open(f"{folder}/small", "wb") as page:
            page.write(b"x" * 1024)
        with open(f"{folder}/large", "wb") as page:
            page.truncate(1 << 30)  # has holes: no disk is read
        user = "user root;" if os.getuid() == 0 else ""
        with open(f"{folder}/nginx.conf", "w", encoding="utf-8") as out:
            out.write(CONFIGURATION.format(folder=folder, port=port, user=user))
        server = subprocess.Popen(
            ["nginx", "-p", folder, "-c", f"{folder}/nginx.conf"], stderr=subprocess.DEVNULL
        )
        try:
            for _ in range(500):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.01)
            else:
                sys.exit("bench: nginx does not start")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait()


def has(module):
    found = subprocess.run([PYTHON, "-c", f"import {module}"], capture_output=True, check=False)
    return found.returncode == 0


def run(command):
    """(wall seconds, CPU seconds, peak memory in MiB) of one client."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"bench: {' '.join(command)} failed: {done.stderr}")
    wall, cpu, memory = done.stdout.split()
    return float(wall), float(cpu), float(memory) / 1024


def figure(values):
    return Figure(statistics.median(values), min(values), 0, len(values))


def more(programs, rows):
    """All figures; each round runs every client once, so that they share the machine's moods."""
    load = os.path.join(programs, "http_load")
    if not rows or not os.path.exists(load) or not shutil.which("nginx"):
        print("bench: http is left out: it needs libcurl when Heddle is built, and nginx")
        return {}
    wanted = {r.question for r in rows}
    script = [PYTHON, os.path.join(HERE, "peers", "http_load.py")]
    slow = [w for w in ("aiohttp", "requests") if has(w)]
    samples = {}
    with nginx() as url:
        work = [f"{url}/small", str(COUNT), str(AT_ONCE)]
        run([load, "heddle", *work])  # warms the server
        for turn in range(5):
            for who in ["heddle", "threads", "curl"] + (slow if turn == 0 else []):
                command = script + [who] if who in slow else [load, who]
                wall, cpu, _ = run(command + work)
                question = "http_threads" if who == "threads" else "http_get"
                cpu_question = "http_threads_cpu" if who == "threads" else "http_cpu"
                name = "heddle" if who == "threads" else who
                samples.setdefault((question, name, ""), []).append(wall / COUNT * 1e9)
                samples.setdefault((cpu_question, name, ""), []).append(cpu / COUNT * 1e9)
        if "http_stream" in wanted:
            _, _, memory = run([load, "stream", f"{url}/large", "1", "1"])
            samples["http_stream", "heddle", ""] = [memory]
    return {key: figure(values) for key, values in samples.items() if key[0] in wanted}

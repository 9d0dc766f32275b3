#!/usr/bin/env python3
"""Runs examples/fetch against a server of Python's. usage: fetch_test.py FETCH"""
import http.server
import os
import subprocess
import sys
import tempfile
import threading


class Pages(http.server.BaseHTTPRequestHandler):
    """/page answers, /broken is cut off, anything else is missing."""

    def do_GET(self):
        found = self.path.startswith(("/page", "/broken"))
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", "10" if self.path == "/broken" else "4")
        self.end_headers()
        self.wfile.write(b"text")
        self.close_connection = self.path == "/broken"

    def log_message(self, format, *args):
        pass


def expect(holds, what):
    if not holds:
        sys.exit(f"fetch_test: {what}")


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    with tempfile.TemporaryDirectory() as above:
        folder = os.path.join(above, "made")
        fetch = [sys.argv[1], "-o", folder, "-j", "3"]
        good = subprocess.run(
            fetch + [f"{base}/page", f"{base}/page?2", f"{base}/page/"],
            capture_output=True, text=True, check=False)
        expect(good.returncode == 0, f"status {good.returncode}: {good.stdout}{good.stderr}")
        files = sorted(os.listdir(folder))
        expect(files == ["index.html", "page", "page.2"], f"the files are {files}")
        bad = subprocess.run(
            fetch + [f"{base}/broken", f"{base}/none", "http://no space/", f"{base}/page"],
            capture_output=True, text=True, check=False)
        expect(bad.returncode == 1, f"status {bad.returncode}, not 1")
        told = ("cut off after 4 of 10 bytes", "404 failed", "contains a space", "200 4 bytes")
        for part in told:
            expect(part in bad.stdout, f"'{part}' is not in: {bad.stdout}")
        left = [f for f in os.listdir(folder) if f.endswith(".part") or f in ("broken", "none")]
        expect(not left, f"left behind: {left}")


main()

#!/usr/bin/env python3
"""The C++ blocks of a page are programs, and must print what the page says that they print.

That is the ```text block after one, or what the ```python block before it prints.

  pairs.py generate PAGE OUT.cpp     writes one program that runs the C++ block number argv[1]
  pairs.py run PAGE PROGRAM          runs each and compares
"""
import contextlib
import http.server
import os
import re
import subprocess
import sys
import threading

HEAD = """// Made from {page} by tests/docs/pairs.py.
#include <heddle/heddle.hpp>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <numeric>
#include <ranges>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <unordered_map>
#include <vector>

using namespace std::chrono_literals;
namespace aio = heddle::aio;
"""


def pairs(page):
    """Returns a list of [line of the C++ block, C++, expected text or None, Python or None]."""
    with open(page, encoding="utf-8") as file:
        text = file.read()
    found, python = [], None
    for block in re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        line = text.count("\n", 0, block.start(2)) + 1
        if block[1] == "python":
            python = block[2]
        elif block[1] == "cpp":
            found.append([line, block[2], None, python])
            python = None
        elif block[1] == "text":
            found[-1][2] = block[2]
    for line, _, expected, python in found:
        if (expected is None) == (python is None):
            sys.exit(f"{page}:{line}: what should this print? Write a text block after it, "
                     "or a python block before it")
    return found


def generate(page, out):
    parts, cases = [HEAD.format(page=page)], []
    for number, (line, cpp, _, _) in enumerate(pairs(page), 1):
        body = re.sub(r"^#include .*$", "", cpp, flags=re.MULTILINE)
        start, end = f"namespace pair_{number} {{\n", "}\n"
        if "int main()" in body:
            body = body.replace("int main()", "void run()")
        else:
            start, end = start.strip() + " static void run() {\n", "} }\n"
        parts.append(f'{start}#line {line} "{page}"\n{body}{end}')
        cases.append(f"    case {number}: pair_{number}::run(); break;\n")
    parts.append("int main(int argc, char** argv) {\n    heddle::mp::init(argc, argv);\n"
                 "    switch (argc > 1 ? std::atoi(argv[1]) : 0) {\n" + "".join(cases) +
                 "    default: return 2;\n    }\n}\n")
    with open(out, "w", encoding="utf-8") as file:
        file.write("\n".join(parts))


def output_of(command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60, check=False)
    said = f"{done.stderr}(exit status {done.returncode})" if done.returncode else ""
    return done.stdout + said


class OnePage(http.server.BaseHTTPRequestHandler):
    """What PAGE in the environment leads to; anything below it is missing."""

    def do_GET(self):  # the name is the library's
        body = b"one page" if self.path == "/page" else b""
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def one_page():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), OnePage) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        os.environ["PAGE"] = f"http://127.0.0.1:{server.server_port}/page"
        yield
        server.shutdown()


def run(page, program):
    blocks = pairs(page)
    differing = 0
    for number, (line, _, expected, python) in enumerate(blocks, 1):
        if python is not None:
            if "TaskGroup" in python and sys.version_info < (3, 11):
                continue
            expected = output_of([sys.executable, "-c", python])
        printed = output_of([program, str(number)])
        if expected == "" or printed != expected:
            differing += 1
            print(f"{page}:{line}: it should print\n{expected}and prints\n{printed}")
    print(f"{page}: {len(blocks)} programs, {differing} differ")
    sys.exit(differing != 0 or not blocks)


if __name__ == "__main__":
    with one_page():
        {"generate": generate, "run": run}[sys.argv[1]](*sys.argv[2:])

"""What the tests of the command `heddle` share: how they build and check programs."""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

HEDDLE = ""  # the program under test

LOST_UPDATE = """
#include <cassert>
#include <thread>
int counter = 0;
int main() {
    std::thread a([] { ++counter; });
    std::thread b([] { ++counter; });
    a.join();
    b.join();
    assert(counter == 2);
}
"""

# The check and the use are two locked steps.
BANK = """
#include <cassert>
#include <mutex>
#include <thread>
struct account_type { std::mutex m; int balance = 100; } account;
int look() { std::lock_guard g(account.m); return account.balance; }
void take(int n) { std::lock_guard g(account.m); account.balance -= n; }
void withdraw(int n) {
    if (look() >= n) {
        take(n);
    }
}
int main() {
    std::thread alice(withdraw, 80);
    std::thread bob(withdraw, 60);
    alice.join();
    bob.join();
    assert(look() >= 0);
}
"""


GCC = ["g++", "-fsanitize=thread"]


def clang():
    """As GCC, or nothing where clang's sanitizers are not installed."""
    compiler = shutil.which("clang++-19")
    if compiler is None:
        return None
    library = subprocess.run(
        [compiler, "-print-file-name=libclang_rt.tsan-x86_64.so"], capture_output=True, text=True
    ).stdout.strip()
    return [compiler, "-fsanitize=thread", "-shared-libsan"] if "/" in library else None


CLANG = clang()


def built(programs, folder, compiler=GCC):
    """Compiles several programs at once; a list of (name, text) in, nothing out."""
    running = []
    for name, text in programs:
        source = folder / f"{name}.cpp"
        source.write_text(text)
        running.append(
            subprocess.Popen(
                [compiler[0], "-std=c++20", "-g", *compiler[1:], str(source), "-o", folder / name]
            )
        )
    for compiler in running:
        assert compiler.wait() == 0


class Command(unittest.TestCase):
    """Builds programs and runs heddle on them, in a folder of its own for each test."""

    def setUp(self):
        self.keep = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.keep.name)

    def tearDown(self):
        self.keep.cleanup()

    def build(self, text, *options, name="program"):
        source = self.folder / f"{name}.cpp"
        source.write_text(text)
        subprocess.run(
            ["g++", "-std=c++20", "-g", *options, str(source), "-o", str(self.folder / name)],
            check=True,
        )
        return str(self.folder / name)

    def tsan(self, text, name="program"):
        return self.build(text, "-fsanitize=thread", name=name)

    def heddle(self, *arguments, limit=60):
        return subprocess.run(
            [HEDDLE, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limit,
            cwd=self.folder,
        )

    def check(self, program, *options):
        return self.heddle("check", "--schedules", "60", *options, "--", program)

    def expect(self, run, code, words):
        self.assertEqual(run.returncode, code, run.stdout + run.stderr)
        self.assertIn(words, run.stdout + run.stderr)

    def one_line(self, run, code, words):
        """One message in one line, that says what and in which range."""
        self.expect(run, code, words)
        self.assertEqual(len(run.stderr.splitlines()), 1, run.stderr)
        self.assertEqual(run.stdout, "")

    def report(self, program, *options):
        run = self.check(program, "--json", "report.json", *options)
        return run, json.loads((self.folder / "report.json").read_text())


def main():
    """Runs the tests of the script; its first argument is the program heddle."""
    global HEDDLE
    HEDDLE = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()

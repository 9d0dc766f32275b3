#!/usr/bin/env python3
"""The command `heddle`: bad input gets one clear message and the right exit code, findings replay.

usage: command_test.py HEDDLE
"""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HEDDLE = ""

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


class Command(unittest.TestCase):
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

    def test_usage(self):
        self.expect(self.heddle(), 2, "subcommand")
        self.expect(self.heddle("check"), 2, "PROGRAM")
        self.expect(self.heddle("check", "--time", "soon", "--", "/bin/true"), 2, "no time")
        self.expect(self.heddle("check", "--strategy", "luck", "--", "/bin/true"), 2, "no strategy")
        self.expect(self.heddle("check", "--schedules", "0", "--", "/bin/true"), 2, "at least 1")

    def test_files_that_are_no_checkable_program(self):
        self.expect(self.check("/nonexistent"), 3, "there is no file")
        self.expect(self.check("/"), 3, "not a file")
        self.expect(self.check("/etc/passwd"), 3, "may not be executed")
        script = self.folder / "script"
        script.write_text("#!/bin/sh\n")
        script.chmod(0o755)
        self.expect(self.check(script), 3, "no ELF file")
        self.expect(self.check("/bin/true"), 3, "not instrumented")
        self.expect(self.check(self.build("int main() {}", "-static")), 3, "linked statically")
        self.expect(
            self.check(self.build(LOST_UPDATE, "-fsanitize=thread", "-static-libtsan")),
            3,
            "its own copy",
        )

    def test_a_program_that_fails_alone(self):
        self.expect(self.check(self.tsan("int main() { return 3; }")), 4, "exit status 3")
        self.expect(
            self.check(self.tsan("#include <cstdlib>\nint main() { std::abort(); }")), 4, "alone"
        )

    def test_a_program_with_one_thread(self):
        self.expect(self.check(self.tsan("int main() {}")), 0, "one thread only")

    def test_a_program_that_never_ends(self):
        text = "volatile int x; int main() { for (;;) x = x + 1; }"
        self.expect(self.check(self.tsan(text)), 3, "does not end")

    def test_a_program_that_blocks_in_the_kernel(self):
        text = (
            "#include <unistd.h>\n"
            "int main() { int p[2]; char c; if (pipe(p) == 0) return (int)read(p[0], &c, 1); }"
        )
        self.expect(self.check(self.tsan(text)), 3, "in read()")

    def test_standard_input_is_empty(self):
        text = (
            "#include <cstdio>\n#include <thread>\n"
            "int main() { std::thread t([] {}); t.join(); return std::getchar() != EOF; }"
        )
        self.expect(self.check(self.tsan(text)), 0, "no bug")

    def test_a_program_that_forks_is_told(self):
        text = (
            "#include <thread>\n#include <sys/wait.h>\n#include <unistd.h>\n"
            "int main() { std::thread t([] {}); "
            "if (fork() == 0) _exit(5); wait(nullptr); t.join(); }"
        )
        self.expect(self.check(self.tsan(text)), 0, "forks")

    def test_a_program_that_ignores_signals_and_prints_much(self):
        text = (
            "#include <csignal>\n#include <cstdio>\n#include <thread>\n"
            "int main() { for (int i = 1; i < 32; ++i) std::signal(i, SIG_IGN);\n"
            "std::thread t([] { for (int i = 0; i < 50000; ++i) "
            'std::puts("a long line of text"); }); t.join(); }'
        )
        self.expect(self.check(self.tsan(text)), 0, "no bug")

    def test_a_finding_is_told_replayed_and_explained(self):
        program = self.tsan(LOST_UPDATE)
        run = self.check(program, "--json", "report.json", "--html", "report.html")
        self.expect(run, 1, "Lost update on `counter`")
        report = json.loads((self.folder / "report.json").read_text())
        self.assertEqual(report["version"], 1)
        self.assertEqual({f["kind"] for f in report["findings"]}, {"data-race", "assert"})
        self.assertIn("counter", (self.folder / "report.html").read_text())
        for finding in report["findings"]:
            self.assertEqual(finding["variable"], "counter")
            self.assertLessEqual(
                len(
                    (pathlib.Path(self.folder) / finding["path"] / "story.txt")
                    .read_text()
                    .splitlines()
                ),
                25,
            )
            for _ in range(5):
                self.expect(self.heddle("replay", finding["path"]), 1, "happened again")
            self.expect(self.heddle("explain", finding["path"], "--trace", "t.json"), 0, "counter")
            self.assertIn("traceEvents", json.loads((self.folder / "t.json").read_text()))

    def test_the_same_seed_gives_the_same_findings(self):
        program = self.tsan(LOST_UPDATE)
        reports = []
        for name in ("one.json", "two.json"):
            self.check(program, "--seed", "5", "--json", name)
            report = json.loads((self.folder / name).read_text())
            reports.append(
                [
                    (f["kind"], f["schedule"], f["switches"], f["message"])
                    for f in report["findings"]
                ]
            )
        self.assertEqual(reports[0], reports[1])

    def test_findings_that_do_not_fit(self):
        program = self.tsan(LOST_UPDATE)
        self.check(program)
        finding = self.folder / "heddle-out" / "0001"
        self.expect(self.heddle("replay", "nowhere"), 3, "no finding")
        self.tsan(LOST_UPDATE + "// changed\nint more = 1;\n")
        self.expect(self.heddle("replay", finding), 3, "built anew")
        schedule = finding / "schedule.json"
        whole = schedule.read_text()
        schedule.write_text(whole[: len(whole) // 2])
        self.expect(self.heddle("replay", finding), 3, "damaged")
        schedule.write_text('{"a": 1}')
        self.expect(self.heddle("replay", finding), 3, "not a finding")
        schedule.write_text(whole.replace('"heddle-finding": 1', '"heddle-finding": 999'))
        self.expect(self.heddle("replay", finding), 3, "version 999")

    def test_a_run_that_depends_on_something_else_diverges(self):
        text = (
            "#include <cstdio>\n#include <thread>\nint n = 0;\n"
            'int main() { FILE* f = std::fopen("switch", "r"); const bool more = f != nullptr; '
            "if (f) std::fclose(f);\n"
            "std::thread a([=] { if (more) for (int i = 0; i < 9; ++i) n += 1; n += 1; }); "
            "std::thread b([] { n += 1; });\n"
            "a.join(); b.join(); return 0; }"
        )
        program = self.tsan(text)
        self.assertEqual(self.check(program).returncode, 1)
        (self.folder / "switch").write_text("")
        self.expect(self.heddle("replay", "heddle-out/0001"), 3, "diverged")

    def test_interruption(self):
        text = "#include <thread>\nint main() { std::thread t([] {}); t.join(); }"
        program = self.tsan(text)
        child = subprocess.Popen(
            [HEDDLE, "check", "--schedules", "10000000", "--time", "60s", "--", program],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        time.sleep(1)
        os.kill(child.pid, signal.SIGINT)
        out, _ = child.communicate(timeout=20)
        self.assertEqual(child.returncode, 130)
        self.assertIn("schedules", out)


if __name__ == "__main__":
    HEDDLE = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()

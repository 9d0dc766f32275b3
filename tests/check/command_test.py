#!/usr/bin/env python3
"""The command `heddle`: bad input gets one clear message and the right exit code.

usage: command_test.py HEDDLE
"""
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import subprocess

import command


class Usage(command.Command):
    def test_usage(self):
        self.one_line(self.heddle(), 2, "subcommand")
        self.one_line(self.heddle("check"), 2, "PROGRAM")
        self.one_line(self.heddle("check", "--nonsense", "--", "/bin/true"), 2, "--nonsense")
        self.one_line(self.heddle("replay"), 2, "FINDING")
        for time in ("soon", "0", "-5s", "5x", "nan", "1e300h"):
            run = self.heddle("check", f"--time={time}", "--", "/bin/true")
            self.one_line(run, 2, f"'{time}' is not a time")
        for number in ("0", "-1", "many", "1.5", "99999999999999999999999"):
            run = self.heddle("check", f"--schedules={number}", "--", "/bin/true")
            self.one_line(run, 2, "at least 1")
        for option, words in (
            ("--strategy=luck", "no strategy"),
            ("--color=blue", "auto, always or never"),
            ("--json=/nonexistent/x", "cannot be written"),
        ):
            self.one_line(self.heddle("check", option, "--", "/bin/true"), 2, words)

    def test_help_names_every_option_that_the_manual_and_completion_name(self):
        share = pathlib.Path(__file__).parents[2] / "check" / "share"
        manual = (share / "heddle.1").read_text().replace("\\-", "-")
        for command in ("check", "replay", "explain"):
            text = self.heddle(command, "--help").stdout
            self.assertTrue(text.startswith("Runs") or text.startswith("Tells"), text)
            self.assertLess(max(map(len, text.splitlines())), 101)
            for option in re.findall(r"--[a-z]+", text):
                self.assertIn(option, manual)
                self.assertIn(option, (share / "heddle.bash").read_text())
                self.assertIn(option, (share / "_heddle").read_text())
        self.assertRegex(self.heddle("--version").stdout, r"^heddle \d+\.\d+\.\d+\n$")

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
            self.check(self.build(command.LOST_UPDATE, "-fsanitize=thread", "-static-libtsan")),
            3,
            "its own copy",
        )
        program = pathlib.Path(self.tsan("int main() {}", "plain"))
        program.chmod(0o4755)
        self.expect(self.check(program), 3, "setuid")
        foreign = self.folder / "foreign"
        image = bytearray(program.read_bytes())
        image[4], image[18] = 1, 3  # 32 bits, Intel 80386
        foreign.write_bytes(image)
        foreign.chmod(0o755)
        self.one_line(self.check(foreign), 3, "another machine")
        foreign.write_bytes(image[:3000])
        self.assertEqual(self.check(foreign).returncode, 3)

    def test_a_runtime_of_another_version_is_named(self):
        build = pathlib.Path(command.HEDDLE).parent
        mixed = self.folder / "mixed"
        mixed.mkdir()
        for name in ("heddle", "libclang_rt.tsan-x86_64.so", "libtsan.so.2"):
            library = pathlib.Path(shutil.copy(build / name, mixed / name))
        own = re.search(rb"release (\d+\.\d+\.\d+)\0", library.read_bytes())
        other = b"7" + own[1][1:]
        library.write_bytes(library.read_bytes().replace(own[0], b"release " + other + b"\0"))
        check = [mixed / "heddle", "check", "--", self.tsan(command.LOST_UPDATE)]
        run = subprocess.run(check, capture_output=True, text=True, timeout=60)
        self.one_line(run, 3, f"version {own[1].decode()} and the runtime library")
        self.assertIn(f"of version {other.decode()}; install both", run.stderr)

    def test_a_program_that_fails_alone(self):
        self.expect(self.check(self.tsan("int main() { return 3; }")), 4, "exit status 3")
        self.expect(
            self.check(self.tsan("#include <cstdlib>\nint main() { std::abort(); }")), 4, "alone"
        )

    def test_a_bug_that_shows_in_the_very_first_schedule(self):
        text = (
            "#include <atomic>\n#include <thread>\nstd::atomic<int> done{0};\n"
            "int main() { std::thread t([] { done = 1; }); int seen = done; t.join(); "
            "return seen == 0 ? 7 : 0; }"
        )
        run = self.check(self.tsan(text), "--json", "report.json")
        self.expect(run, 1, "exit status 7")
        findings = json.loads((self.folder / "report.json").read_text())["findings"]
        self.assertEqual([(f["kind"], f["schedule"]) for f in findings], [("exit-code", 1)])
        self.expect(self.heddle("replay", findings[0]["path"]), 1, "happened again")

    def test_a_program_with_one_thread(self):
        self.expect(self.check(self.tsan("int main() {}")), 0, "one thread only")

    def test_a_program_that_never_ends(self):
        text = "volatile int x; int main() { for (;;) x = x + 1; }"
        self.expect(self.check(self.tsan(text)), 3, "does not end")

    def test_a_loop_that_the_compiler_has_made_endless(self):
        text = (
            "#include <thread>\nbool ready = false;\n"
            "int main() { std::thread t([] { ready = true; }); while (!ready) {} t.join(); }"
        )
        run, report = self.report(self.build(text, "-O1", "-fsanitize=thread"))
        self.expect(run, 1, "the compiler read once")
        self.assertEqual({f["kind"] for f in report["findings"]}, {"data-race", "livelock"})
        self.assertFalse([line for line in report["limits"] if "given up" in line])
        for finding in report["findings"]:
            self.expect(self.heddle("replay", finding["path"]), 1, "happened again")

    def test_a_long_calculation_is_no_endless_loop(self):
        text = (
            "#include <thread>\nint main() { std::thread t([] {\n"
            'for (unsigned i = 0; i != 1u << 28; ++i) asm volatile("");\n}); t.join(); }'
        )
        program = self.build(text, "-O1", "-fsanitize=thread")
        self.expect(self.heddle("check", "--schedules", "3", "--", program), 0, "No bug")

    def test_a_program_that_waits_for_a_signal_from_outside(self):
        text = "#include <unistd.h>\nint main() { pause(); }"
        self.expect(self.check(self.tsan(text)), 3, "waits for a signal")

    def test_a_program_that_waits_for_the_world_outside(self):
        text = (
            "#include <sys/socket.h>\n#include <thread>\n"
            "int main() { int s = socket(AF_INET, SOCK_STREAM, 0); listen(s, 1);\n"
            "std::thread t([=] { accept(s, nullptr, nullptr); }); t.join(); }"
        )
        self.expect(self.check(self.tsan(text)), 3, "outside of the program")

    def test_a_pipe_that_a_child_process_writes_to(self):
        text = (
            "#include <cstdio>\n#include <thread>\n"
            'int main() { std::thread t([] { FILE* f = popen("sleep 0.05; echo x", "r");\n'
            "char c = 0; if (fread(&c, 1, 1, f) != 1) throw 1; pclose(f); }); t.join(); }"
        )
        run = self.heddle("check", "--schedules", "20", "--", self.tsan(text))
        self.expect(run, 0, "the children ran uncontrolled")

    READS_INPUT = """
    #include <iostream>
    #include <string>
    #include <thread>
    int lines = 0;
    int main() {
        int read = 0;
        for (std::string line; std::getline(std::cin, line);) ++read;
        if (read < 2) return 0;
        std::thread other([] { ++lines; });
        ++lines;
        other.join();
    }
    """
    SAYS_INPUT = "reads standard input, which is empty here"

    def with_input(self, program, given):
        return subprocess.run(
            [command.HEDDLE, "check", "--schedules", "60", "--", program],
            stdin=given,
            capture_output=True,
            text=True,
            timeout=60,
            cwd=self.folder,
        )

    def test_a_file_as_standard_input_is_read_in_each_run_and_kept(self):
        program = self.tsan(self.READS_INPUT)
        given = self.folder / "given"
        given.write_text("one\ntwo\n")
        with given.open() as file:
            run = self.with_input(program, file)
        self.expect(run, 1, "Lost update on `lines`")
        self.assertIn("60 schedules", run.stdout)
        self.assertNotIn(self.SAYS_INPUT, run.stdout)
        given.unlink()  # the finding has its own
        self.expect(self.heddle("replay", "heddle-out/0001"), 1, "happened again")

    def test_standard_input_that_cannot_be_read_twice_is_not_given_and_told(self):
        program = self.tsan(self.READS_INPUT)
        ours, theirs = os.pipe()
        os.write(theirs, b"one\ntwo\n")  # and it stays open, so whoever reads it waits
        run = self.with_input(program, ours)
        os.close(theirs)
        os.close(ours)
        self.expect(run, 0, "Nothing was tested")
        self.assertIn(self.SAYS_INPUT, " ".join(run.stdout.split()))
        reads = self.tsan("#include <unistd.h>\nint main() { char c; return read(0, &c, 1); }")
        told = self.with_input(reads, subprocess.DEVNULL)
        self.assertIn(self.SAYS_INPUT, " ".join(told.stdout.split()))

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
        self.expect(self.check(self.tsan(text)), 0, "No bug")

    def colours_of(self, *options, **environment):
        run = subprocess.run(
            [command.HEDDLE, *options, "explain", "heddle-out/0001"],
            capture_output=True,
            text=True,
            cwd=self.folder,
            env={**os.environ, **environment},
        )
        return "\033[" in run.stdout

    def test_colours_are_for_terminals_that_want_them(self):
        self.check(self.tsan(command.LOST_UPDATE))
        self.assertFalse(self.colours_of())
        self.assertTrue(self.colours_of("--color=always", NO_COLOR="1"))
        for environment, expected in (
            ({}, True),
            ({"NO_COLOR": "1"}, False),
            ({"TERM": "dumb"}, False),
        ):
            base = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
            master, slave = pty.openpty()
            run = subprocess.Popen(
                [command.HEDDLE, "explain", "heddle-out/0001"],
                stdout=slave,
                cwd=self.folder,
                env={**base, "TERM": "xterm", **environment},
            )
            os.close(slave)
            text = b""
            try:
                while chunk := os.read(master, 4096):
                    text += chunk
            except OSError:
                pass  # the other side is closed
            run.wait()
            os.close(master)
            self.assertEqual(b"\033[" in text, expected, environment)

    def test_without_findings_it_says_what_was_done_and_what_not(self):
        text = "#include <thread>\nint main() { std::thread t([] {}); t.join(); }"
        run, report = self.report(self.tsan(text))
        self.expect(run, 0, "no proof")
        self.assertIn("60 schedules of program", run.stdout)
        self.assertIn("Not covered:", run.stdout)
        self.assertEqual(report["schedules"], 60)
        self.assertEqual(report["findings"], [])

    def test_findings_go_elsewhere_when_the_folder_cannot_be_written(self):
        run, report = self.report(self.tsan(command.LOST_UPDATE), "--out", "/proc/heddle-out")
        self.expect(run, 1, "cannot be kept in '/proc/heddle-out'")
        path = pathlib.Path(report["findings"][0]["path"])
        self.addCleanup(shutil.rmtree, path.parent)
        self.expect(self.heddle("replay", path), 1, "happened again")

    def test_two_tools_in_one_folder_keep_apart(self):
        program = self.tsan(command.LOST_UPDATE)
        tools = [
            subprocess.Popen(
                [command.HEDDLE, "check", "--schedules", "60", "--json", f"{n}.json", "--",
                 program],
                stdout=subprocess.DEVNULL,
                cwd=self.folder,
            )  # fmt: skip
            for n in range(2)
        ]
        self.assertEqual([t.wait() for t in tools], [1, 1])
        paths = [
            f["path"]
            for n in range(2)
            for f in json.loads((self.folder / f"{n}.json").read_text())["findings"]
        ]
        self.assertEqual(len(paths), len(set(paths)))
        for path in paths:
            self.expect(self.heddle("replay", path), 1, "happened again")

    def test_interruption(self):
        program = self.tsan("#include <thread>\nint main() { std::thread t([] {}); t.join(); }")
        master, slave = pty.openpty()
        child = subprocess.Popen(
            [command.HEDDLE, "check", "--schedules", "10000000", "--time", "60s",
             "--json", "report.json", "--", program],
            stdout=subprocess.PIPE,
            stderr=slave,
            text=True,
            cwd=self.folder,
        )  # fmt: skip
        os.close(slave)
        while b"schedules" not in os.read(master, 4096):
            pass  # progress is drawn: the search is on its way
        os.kill(child.pid, signal.SIGINT)
        out, _ = child.communicate(timeout=20)
        os.close(master)
        self.assertEqual(child.returncode, 130)
        self.assertIn("No bug was found in", out)
        report = json.loads((self.folder / "report.json").read_text())
        self.assertLess(report["schedules"], 10000000)


if __name__ == "__main__":
    command.main()

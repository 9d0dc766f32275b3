#!/usr/bin/env python3
"""The command `heddle`: bad input gets one clear message and the right exit code, findings replay.

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
import sys
import tempfile
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

TORN = """
#include <cassert>
#include <thread>
struct { int x = 0, y = 0; } p;
int main() {
    std::thread mover([] {
        p.x = 5;
        p.y = 5;
    });
    std::thread viewer([] {
        int x = p.x;
        int y = p.y;
        assert(x == y);
    });
    mover.join();
    viewer.join();
}
"""

VECTOR = """
#include <thread>
#include <vector>
int main() {
    std::vector<int> results;
    std::thread one([&] { for (int i = 0; i < 3; i++) results.push_back(i); });
    std::thread two([&] {
        for (int i = 0; i < 3; i++) results.push_back(i);
    });
    one.join();
    two.join();
}
"""


def built(programs, folder):
    """Compiles several programs at once; a list of (name, text) in, nothing out."""
    running = []
    for name, text in programs:
        source = folder / f"{name}.cpp"
        source.write_text(text)
        running.append(
            subprocess.Popen(
                ["g++", "-std=c++20", "-g", "-fsanitize=thread", str(source), "-o", folder / name]
            )
        )
    for compiler in running:
        assert compiler.wait() == 0


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

    def one_line(self, run, code, words):
        """One message in one line, that says what and in which range."""
        self.expect(run, code, words)
        self.assertEqual(len(run.stderr.splitlines()), 1, run.stderr)
        self.assertEqual(run.stdout, "")

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
            self.check(self.build(LOST_UPDATE, "-fsanitize=thread", "-static-libtsan")),
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
        build = pathlib.Path(HEDDLE).parent
        mixed = self.folder / "mixed"
        mixed.mkdir()
        for name in ("heddle", "libclang_rt.tsan-x86_64.so", "libtsan.so.2"):
            library = pathlib.Path(shutil.copy(build / name, mixed / name))
        own = re.search(rb"release (\d+\.\d+\.\d+)\0", library.read_bytes())
        other = b"7" + own[1][1:]
        library.write_bytes(library.read_bytes().replace(own[0], b"release " + other + b"\0"))
        command = [mixed / "heddle", "check", "--", self.tsan(LOST_UPDATE)]
        run = subprocess.run(command, capture_output=True, text=True, timeout=60)
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
        self.expect(self.check(self.tsan(text)), 0, "No bug")

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

    def report(self, program, *options):
        run = self.check(program, "--json", "report.json", *options)
        return run, json.loads((self.folder / "report.json").read_text())

    def test_the_report_has_exactly_the_fields_that_were_promised(self):
        run, report = self.report(self.tsan(BANK))
        self.expect(run, 1, "Check then act on `account.balance`")
        self.assertEqual(
            {name: type(value) for name, value in report.items()},
            {
                "version": int, "program": str, "arguments": list, "seed": int, "schedules": int,
                "seconds": float, "engine": str, "limits": list, "findings": list,
            },
        )  # fmt: skip
        (finding,) = report["findings"]
        promised = {
            "kind": str, "variable": str, "message": str, "schedule": int, "threads": int,
            "switches": int, "places": list, "path": str,
        }  # fmt: skip
        for name, kind in promised.items():
            self.assertIs(type(finding[name]), kind, name)
        self.assertEqual(set(finding["places"][0]), {"file", "line", "function"})
        self.assertEqual(finding["kind"], "assert")
        self.assertEqual(finding["variable"], "account.balance")
        # One switch is needed, and all schedules with none were tried.
        self.assertEqual(finding["switches"], 1)
        self.assertGreater(finding["fewer_tried"], 0)

    def test_a_story_is_short_and_says_what_a_beginner_needs(self):
        program = self.tsan(BANK)
        self.check(program)
        text = (self.folder / "heddle-out" / "0001" / "story.txt").read_text()
        lines = text.splitlines()
        self.assertLessEqual(len(lines), 25)
        self.assertLessEqual(max(map(len, lines)), 80)
        for words in (
            "thread 1 (alice", "thread 2 (bob", "account.balance", "reads 100", "assertion fails",
            "program.cpp:7 | void take(int n)", "Why: ", "Try: ", "1 context switch ", "Replay: ",
        ):  # fmt: skip
            self.assertIn(words, text)

    def test_a_pair_that_is_seen_torn_is_told_with_both_halves(self):
        run, report = self.report(self.tsan(TORN))
        self.expect(run, 1, "Torn pair")
        torn = [f for f in report["findings"] if f["kind"] == "assert"]
        self.assertEqual([f["variable"] for f in torn], ["p.x, p.y"])
        self.assertEqual(torn[0]["cause"], report["findings"][0]["path"])

    def test_both_orders_of_a_race_are_compared(self):
        harmless = (
            "#include <thread>\nbool seen = false;\n"
            "int main() { std::thread a([] { seen = true; }); std::thread b([] { seen = true; }); "
            "a.join(); b.join(); }"
        )
        built([("matters", LOST_UPDATE), ("harmless", harmless)], self.folder)
        for name, changes in (("matters", True), ("harmless", False)):
            _, report = self.report(self.folder / name)
            effects = [f["effect"] for f in report["findings"] if f["kind"] == "data-race"]
            self.assertEqual([e["changes_result"] for e in effects], [changes], name)
            self.assertGreater(effects[0]["replays"], 0)
            self.assertIn("this race changes the result" if changes else "same", effects[0]["text"])

    def test_what_goes_wrong_inside_a_container_is_one_bug_of_each_kind(self):
        run, report = self.report(self.tsan(VECTOR))
        self.expect(run, 1, "Data race on `results`")
        kinds = [f["kind"] for f in report["findings"]]
        self.assertEqual(kinds.count("data-race"), 1)
        self.assertEqual(len(kinds), len(set(kinds)), kinds)
        self.assertIn("push_back()", run.stdout)
        self.assertNotIn("/usr/include", json.dumps(report))

    def test_sarif_has_what_code_hosts_need(self):
        self.check(self.tsan(BANK), "--sarif", "report.sarif")
        self.heddle("explain", "heddle-out/0001", "--sarif", "again.sarif")
        for name in ("report.sarif", "again.sarif"):
            log = json.loads((self.folder / name).read_text())
            self.assertEqual(log["version"], "2.1.0")
            (run,) = log["runs"]
            rules = run["tool"]["driver"]["rules"]
            (result,) = run["results"]
            self.assertEqual(rules[result["ruleIndex"]]["id"], result["ruleId"])
            self.assertEqual((result["ruleId"], result["level"]), ("assert", "error"))
            self.assertIn("account.balance", result["message"]["text"])
            place = result["locations"][0]["physicalLocation"]
            self.assertEqual(
                place["artifactLocation"], {"uri": "program.cpp", "uriBaseId": "SRCROOT"}
            )
            self.assertGreater(place["region"]["startLine"], 0)
            self.assertIn("heddleBug/v1", result["partialFingerprints"])
            threads = result["codeFlows"][0]["threadFlows"]
            self.assertEqual({t["id"] for t in threads}, {"main", "thread 1", "thread 2"})
            order = sorted(s["executionOrder"] for t in threads for s in t["locations"])
            self.assertEqual(order, list(range(1, len(order) + 1)))

    def test_the_page_needs_nothing_else(self):
        text = BANK.replace("int look()", "/* <b>&amp;</b> */ int look()")
        self.check(self.tsan(text), "--html", "report.html")
        page = (self.folder / "report.html").read_text()
        for word in ("<script", "http:", "https:", "src=", "@import", "<b>&amp;</b>"):
            self.assertNotIn(word, page)
        for word in ("account.balance", "thread 2", "&lt;b&gt;", "heddle-out/0001", "dark"):
            self.assertIn(word, page)

    def test_the_trace_is_in_the_format_of_chrome(self):
        self.check(self.tsan(BANK))
        self.heddle("explain", "heddle-out/0001", "--trace", "trace.json")
        events = json.loads((self.folder / "trace.json").read_text())["traceEvents"]
        names = {e["tid"]: e["args"]["name"] for e in events if e["ph"] == "M"}
        self.assertEqual(names, {0: "main", 1: "thread 1", 2: "thread 2"})
        steps = [e for e in events if e["ph"] == "X"]
        self.assertEqual([e["ts"] for e in steps], sorted(e["ts"] for e in steps))
        self.assertTrue(all({"name", "dur", "pid", "tid"} <= set(e) for e in steps))

    def colours_of(self, *options, **environment):
        run = subprocess.run(
            [HEDDLE, *options, "explain", "heddle-out/0001"],
            capture_output=True,
            text=True,
            cwd=self.folder,
            env={**os.environ, **environment},
        )
        return "\033[" in run.stdout

    def test_colours_are_for_terminals_that_want_them(self):
        self.check(self.tsan(LOST_UPDATE))
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
                [HEDDLE, "explain", "heddle-out/0001"],
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
        run, report = self.report(self.tsan(LOST_UPDATE), "--out", "/proc/heddle-out")
        self.expect(run, 1, "cannot be kept in '/proc/heddle-out'")
        path = pathlib.Path(report["findings"][0]["path"])
        self.addCleanup(shutil.rmtree, path.parent)
        self.expect(self.heddle("replay", path), 1, "happened again")

    def test_two_tools_in_one_folder_keep_apart(self):
        program = self.tsan(LOST_UPDATE)
        tools = [
            subprocess.Popen(
                [HEDDLE, "check", "--schedules", "60", "--json", f"{n}.json", "--", program],
                stdout=subprocess.DEVNULL,
                cwd=self.folder,
            )
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

    @unittest.skipUnless(shutil.which("gdb"), "gdb is not installed")
    def test_gdb_stops_at_the_first_step_of_the_story(self):
        self.check(self.tsan(LOST_UPDATE))
        run = subprocess.run(
            [HEDDLE, "replay", "--gdb", "heddle-out/0001"],
            input="kill\n",
            capture_output=True,
            text=True,
            timeout=60,
            cwd=self.folder,
        )
        if "ptrace" in run.stderr + run.stdout and "not permitted" in run.stderr + run.stdout:
            self.skipTest("gdb may not attach here")
        self.assertIn("heddle_story_begins", run.stdout)
        self.assertIn("program.cpp:7", run.stdout.split("heddle_story_begins")[-1])

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
        schedule.write_text(whole)
        told = finding / "story.json"
        story = told.read_text()
        told.write_text(story[: len(story) // 2])
        self.expect(self.heddle("explain", finding), 3, "damaged")
        told.write_text("{}")
        self.expect(self.heddle("explain", finding), 3, "lacks parts")
        told.write_text(story)
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
        program = self.tsan("#include <thread>\nint main() { std::thread t([] {}); t.join(); }")
        master, slave = pty.openpty()
        child = subprocess.Popen(
            [HEDDLE, "check", "--schedules", "10000000", "--time", "60s", "--json", "report.json",
             "--", program],
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
    HEDDLE = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()

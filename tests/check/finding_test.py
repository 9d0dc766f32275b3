#!/usr/bin/env python3
"""What a finding holds, how its story reads, and that it replays.

usage: finding_test.py HEDDLE
"""
import json
import pathlib
import shutil
import subprocess
import unittest

import command

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


# A pool whose destructor sets the flag outside of the lock.
POOL = """
#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <queue>
#include <thread>
#include <vector>
class pool {
    std::vector<std::thread> workers;
    std::queue<std::function<void()>> jobs;
    std::mutex m;
    std::condition_variable cv;
    std::atomic<bool> stop{false};
    void run() {
        for (;;) {
            std::function<void()> job;
            {
                std::unique_lock l(m);
                cv.wait(l, [this] { return stop || !jobs.empty(); });
                if (jobs.empty()) return;
                job = std::move(jobs.front());
                jobs.pop();
            }
            job();
        }
    }
public:
    pool() { for (int i = 0; i < 2; ++i) workers.emplace_back([this] { run(); }); }
    void submit(std::function<void()> job) {
        { std::lock_guard l(m); jobs.push(std::move(job)); }
        cv.notify_one();
    }
    ~pool() {
        stop = true;
        cv.notify_all();
        for (auto& w : workers) w.join();
    }
};
std::atomic<int> sum{0};
int main() {
    pool p;
    for (int i = 0; i < 4; ++i) p.submit([i] { sum += i; });
}
"""

class Findings(command.Command):
    def test_a_finding_is_told_replayed_and_explained(self):
        program = self.tsan(command.LOST_UPDATE)
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

    def test_the_report_has_exactly_the_fields_that_were_promised(self):
        run, report = self.report(self.tsan(command.BANK))
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
        program = self.tsan(command.BANK)
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
        command.built([("matters", command.LOST_UPDATE), ("harmless", harmless)], self.folder)
        for name, changes in (("matters", True), ("harmless", False)):
            _, report = self.report(self.folder / name)
            effects = [f["effect"] for f in report["findings"] if f["kind"] == "data-race"]
            self.assertEqual([e["changes_result"] for e in effects], [changes], name)
            self.assertGreater(effects[0]["replays"], 0)
            self.assertIn("this race changes the result" if changes else "same", effects[0]["text"])

    def test_sarif_has_what_code_hosts_need(self):
        self.check(self.tsan(command.BANK), "--sarif", "report.sarif")
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
        text = command.BANK.replace("int look()", "/* <b>&amp;</b> */ int look()")
        self.check(self.tsan(text), "--html", "report.html")
        page = (self.folder / "report.html").read_text()
        for word in ("<script", "http:", "https:", "src=", "@import", "<b>&amp;</b>"):
            self.assertNotIn(word, page)
        for word in ("account.balance", "thread 2", "&lt;b&gt;", "heddle-out/0001", "dark"):
            self.assertIn(word, page)

    def test_the_trace_is_in_the_format_of_chrome(self):
        self.check(self.tsan(command.BANK))
        self.heddle("explain", "heddle-out/0001", "--trace", "trace.json")
        events = json.loads((self.folder / "trace.json").read_text())["traceEvents"]
        names = {e["tid"]: e["args"]["name"] for e in events if e["ph"] == "M"}
        self.assertEqual(names, {0: "main", 1: "thread 1", 2: "thread 2"})
        steps = [e for e in events if e["ph"] == "X"]
        self.assertEqual([e["ts"] for e in steps], sorted(e["ts"] for e in steps))
        self.assertTrue(all({"name", "dur", "pid", "tid"} <= set(e) for e in steps))

    @unittest.skipUnless(shutil.which("gdb"), "gdb is not installed")
    def test_gdb_stops_at_the_first_step_of_the_story(self):
        self.check(self.tsan(command.LOST_UPDATE))
        run = subprocess.run(
            [command.HEDDLE, "replay", "--gdb", "heddle-out/0001"],
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
        program = self.tsan(command.LOST_UPDATE)
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
        program = self.tsan(command.LOST_UPDATE)
        self.check(program)
        finding = self.folder / "heddle-out" / "0001"
        self.expect(self.heddle("replay", "nowhere"), 3, "no finding")
        self.tsan(command.LOST_UPDATE + "// changed\nint more = 1;\n")
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

    def test_what_is_not_needed_is_taken_out_of_a_schedule(self):
        program = self.tsan(POOL)
        self.heddle("check", "--schedules", "4000", "--json", "report.json", "--", program)
        report = json.loads((self.folder / "report.json").read_text())
        lost = [f for f in report["findings"] if f["kind"] == "lost-wakeup"]
        self.assertEqual(len(lost), 1)
        self.assertLessEqual(lost[0]["switches"], 12)  # 22 before each thread was counted apart


if __name__ == "__main__":
    command.main()

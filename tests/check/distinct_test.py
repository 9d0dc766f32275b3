#!/usr/bin/env python3
"""Each distinct bug is told once, and none is swallowed by another.

usage: distinct_test.py HEDDLE
"""
import json
import pathlib

import command

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

# One update, told in two lines: reader against writer and writer against writer are one bug.
TWO_LINES = """
#include <thread>
VARIABLE
void change() {
    int seen = COUNTER;
    COUNTER = seen + 1;
}
int main() {
    std::thread a(change), b(change);
    a.join();
    b.join();
}
"""

# One function, two variables: a lock for the one does not mend the other.
TWO_VARIABLES = """
#include <thread>
VARIABLES
void change() {
    ++ONE;
    ++TWO;
}
int main() {
    std::thread a(change), b(change);
    a.join();
    b.join();
}
"""

# One function that is given two variables, at different times.
BY_REFERENCE = """
#include <thread>
int apples = 0, pears = 0;
void bump(int& n) { ++n; }
void twice(int& n) {
    std::thread a([&] { bump(n); }), b([&] { bump(n); });
    a.join();
    b.join();
}
int main() {
    twice(apples);
    twice(pears);
}
"""

# A hundred elements that race alike.
ELEMENTS = """
#include <thread>
int counts[100];
void all() { for (int& n : counts) ++n; }
int main() {
    std::thread a(all), b(all);
    a.join();
    b.join();
}
"""

# A cache in a map: links, keys and values of its elements are met in the same lines.
CACHE = """
#include <map>
#include <string>
#include <thread>
std::map<std::string, int> cache;
int lookup(const std::string& key) {
    auto it = cache.find(key);
    if (it != cache.end()) return it->second;
    cache[key] = static_cast<int>(key.size());
    return cache[key];
}
int main() {
    std::thread a([] { lookup("a"); lookup("bb"); }), b([] { lookup("a"); lookup("bb"); });
    a.join();
    b.join();
}
"""

# One variable that two places forget to lock, at different times.
TWO_FUNCTIONS = """
#include <thread>
int counter = 0;
void add() { counter += 1; }
void sub() { counter -= 1; }
template <class F> void twice(F f) {
    std::thread a(f), b(f);
    a.join();
    b.join();
}
int main() {
    twice(add);
    twice(sub);
}
"""

# Two pairs of locks taken in both orders; nothing but the names is different.
TWO_DEADLOCKS = """
#include <mutex>
#include <thread>
std::mutex a, b, c, d;
void both(std::mutex& x, std::mutex& y) {
    x.lock();
    y.lock();
    y.unlock();
    x.unlock();
}
int main() {
    std::thread one([] { both(a, b); }), two([] {
        b.lock(); a.lock(); a.unlock(); b.unlock(); });
    one.join();
    two.join();
    std::thread three([] { both(c, d); }), four([] {
        d.lock(); c.lock(); c.unlock(); d.unlock(); });
    three.join();
    four.join();
}
"""


class DistinctBugs(command.Command):
    def races(self, text):
        """The variables of the data races found, one entry a finding."""
        _, report = self.report(self.tsan(text))
        return sorted(f["variable"] for f in report["findings"] if f["kind"] == "data-race")

    def test_an_update_in_two_lines_is_one_bug(self):
        for variable, counter in (
            ("int counter = 0;", "counter"),
            ("struct { int lost, kept; } stock;", "stock.kept"),
            ("int* counter = new int(0);", "*counter"),
            ("int counts[4];", "counts[2]"),
        ):
            text = TWO_LINES.replace("VARIABLE", variable).replace("COUNTER", counter)
            self.assertEqual(len(self.races(text)), 1, variable)

    def test_two_variables_are_two_bugs(self):
        for variables, one, two in (
            ("int first = 0, second = 0;", "first", "second"),
            ("struct { int first = 0, second = 0; } pair;", "pair.first", "pair.second"),
        ):
            text = TWO_VARIABLES.replace("VARIABLES", variables)
            text = text.replace("ONE", one).replace("TWO", two)
            self.assertEqual(self.races(text), [one, two])

    def test_two_nameless_variables_are_two_bugs(self):
        variables = "int* first = new int(0);\nint* second = new int(0);"
        text = TWO_VARIABLES.replace("VARIABLES", variables)
        text = text.replace("ONE", "*first").replace("TWO", "*second")
        self.assertEqual(len(self.races(text)), 2)

    def test_two_variables_by_one_reference_are_two_bugs(self):
        self.assertEqual(self.races(BY_REFERENCE), ["apples", "pears"])

    def test_the_elements_of_an_array_are_one_bug(self):
        self.assertEqual(len(self.races(ELEMENTS)), 1)

    def test_an_unlocked_map_is_its_elements_and_itself(self):
        names = self.races(CACHE)
        self.assertLessEqual(len(names), 2, names)
        for name in names:
            self.assertTrue(name == "cache" or name.startswith("an element of a std::map"), name)

    def test_two_functions_that_do_not_meet_are_two_bugs(self):
        self.assertEqual(self.races(TWO_FUNCTIONS), ["counter", "counter"])

    def test_two_deadlocks_stay_two(self):
        _, report = self.report(self.tsan(TWO_DEADLOCKS))
        kinds = [f["kind"] for f in report["findings"]]
        self.assertEqual(kinds, ["deadlock", "deadlock"])

    def test_the_story_of_the_lessons_counter_is_told_once(self):
        source = pathlib.Path(__file__).parents[2] / "examples" / "racy_counter.cpp"
        for seed in range(1, 6):
            run, report = self.report(self.tsan(source.read_text()), "--seed", seed)
            kinds = sorted(f["kind"] for f in report["findings"])
            self.assertEqual(kinds, ["assert", "data-race"], run.stdout)

    def test_what_a_race_leads_to_is_not_one_bug_more(self):
        run, report = self.report(self.tsan(command.LOST_UPDATE), "--html", "page.html")
        found = "1 distinct bug found; 1 failure follows from it"
        self.expect(run, 1, found)
        self.assertIn(found, (self.folder / "page.html").read_text())
        race, failure = report["findings"]
        self.assertEqual((race["kind"], failure["kind"]), ("data-race", "assert"))
        self.assertEqual((failure["cause"], failure["follows"]), (race["path"], True))
        self.assertIn("leads to", self.heddle("explain", failure["path"]).stdout)

    def test_what_goes_wrong_inside_a_container_is_one_bug_of_each_kind(self):
        run, report = self.report(self.tsan(VECTOR))
        self.expect(run, 1, "Data race on `results`")
        kinds = [f["kind"] for f in report["findings"]]
        self.assertEqual(kinds.count("data-race"), 1)
        self.assertEqual(len(kinds), len(set(kinds)), kinds)
        self.assertIn("push_back()", run.stdout)
        self.assertNotIn("/usr/include", json.dumps(report))


if __name__ == "__main__":
    command.main()

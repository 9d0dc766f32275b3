#!/usr/bin/env python3
"""What a story claims is true: the right pattern, the right variable, the row that matters.

usage: story_test.py HEDDLE
"""
import pathlib

import command

CORPUS = pathlib.Path(__file__).parent / "racy"
HEAD = """
#include <atomic>
#include <cassert>
#include <condition_variable>
#include <future>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>
template <class F, class G> void both(F f, G g) {
    std::thread a(f), b(g);
    a.join();
    b.join();
}
"""

# Name, program, what the story says, what it must not say.
STORIES = [
    (  # The row of the write was left out: only the reads after it stood in the table.
        "double_checked",
        """
std::mutex m;
struct thing { int level = 5; }* instance = nullptr;
int level() {
    if (!instance) {
        std::lock_guard g(m);
        if (!instance)
            instance = new thing;
    }
    return instance->level;
}
int main() { both(level, level); }
""",
        ["Data race on `instance`", "writes 0x"],
        [],
    ),
    (  # A wide read beside a narrow write: the variable is what both touch.
        "wide_and_narrow",
        """
struct task { int id; int result = 0; };
task one{7};
int main() { both([] { one.result = 3; }, [] { task copy = one; (void)copy; }); }
""",
        ["Data race on `one.result`", "writes 3"],
        ["`one.id`"],
    ),
    (  # Both changes are whole; what was decided on is another variable.
        "decided_on_another",
        """
struct { std::mutex m; std::map<int, int> data; int computed = 0; } c;
bool has(int k) {
    std::scoped_lock l(c.m);
    return c.data.count(k) > 0;
}
void put(int k) {
    std::scoped_lock l(c.m);
    c.data[k] = 1;
    ++c.computed;
}
void look_up() {
    if (!has(1))
        put(1);
}
int main() {
    both(look_up, look_up);
    assert(c.computed == 1);
}
""",
        ["Check then act on `c.data`", "count(): reads"],
        ["Order violation"],
    ),
    (  # No data race: everything is atomic or under the lock.
        "promise_twice",
        """
int main() {
    std::promise<int> p;
    std::atomic<bool> answered{false};
    auto answer = [&](int v) {
        if (!answered) {
            answered = true;
            p.set_value(v);
        }
    };
    both([&] { answer(1); }, [&] { answer(2); });
}
""",
        ["Check then act on `answered`"],
        ["data race", "Damaged"],
    ),
    (  # Who came before the change of the asserted variable is not who fails.
        "failing_thread",
        """
std::mutex room;
std::atomic<int> readers{0}, writing{0};
void enter() {
    if (readers.load() == 0)
        room.lock();
    readers++;
    assert(writing == 0);
    readers--;
    if (readers.load() == 0)
        room.unlock();
}
int main() {
    std::thread writer([] {
        std::lock_guard g(room);
        writing = 1;
        writing = 0;
    });
    both(enter, enter);
    writer.join();
}
""",
        ["Check then act on `readers`"],
        ["Order violation"],
    ),
    (  # A flag that only becomes true: nothing is lost.
        "flag",
        """
bool done = false;
void once() {
    if (!done) {
        done = true;
    }
}
int main() { both(once, once); }
""",
        ["Check then act on `done`"],
        ["Lost update"],
    ),
    (
        "virtual_call",
        """
struct base {
    std::thread t;
    virtual ~base() { t.join(); }
    virtual void run() {}
    void start() { t = std::thread([this] { run(); }); }
};
struct derived : base {
    void run() override {}
};
int main() {
    derived d;
    d.start();
}
""",
        ["calls a virtual function while main makes or destroys the object"],
        [],
    ),
    (
        "names_of_functions",
        """
std::optional<std::string> text;
int main() { both([] { text = "a literal"; }, [] { (void)text.has_value(); }); }
""",
        ["operator=(): ", "has_value(): reads"],
        ["<"],
    ),
    (  # Not lost for want of a listener: it woke the wrong one.
        "stolen",
        (CORPUS / "one_condition_for_two.lost-wakeup.cpp").read_text(),
        ["Lost wake-up on `changed`", "had no use for it", "use notify_all", "wakes thread"],
        ["came when nobody waited"],
    ),
    (
        "never_told",
        """
std::mutex m;
std::condition_variable cv;
bool ready = false;
int main() {
    std::thread t([] {
        std::unique_lock l(m);
        cv.wait(l, [] { return ready; });
    });
    { std::lock_guard g(m); ready = true; }
    t.join();
}
""",
        ["Lost wake-up on `cv`", "nobody ever notifies"],
        [],
    ),
    (  # More races in one run than it has room for: each is told or belongs to one that is.
        "many_races",
        """
std::map<int, std::string> names;
int main() {
    auto fill = [] { for (int i = 0; i < 4; ++i) names[i] = std::to_string(i) + " is a number"; };
    both(fill, fill);
}
""",
        ["Data race on `an element of a std::map"],
        ["did not happen again"],
    ),
]


class Stories(command.Command):
    def test_what_a_story_claims_is_true(self):
        command.built([(name, HEAD + text) for name, text, _, _ in STORIES], self.folder)
        for name, _, says, never in STORIES:
            with self.subTest(name):
                run = self.heddle("check", "--schedules", "3000", "--", f"./{name}")
                told = " ".join(run.stdout.split())
                self.assertEqual(run.returncode, 1, told)
                story = told.lower()
                for words in says:
                    self.assertIn(words.lower(), story)
                for words in never:
                    self.assertNotIn(words.lower(), story.split("replay:")[0])
                self.assertNotIn("did not happen again", story)


if __name__ == "__main__":
    command.main()

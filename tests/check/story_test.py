#!/usr/bin/env python3
"""What a story claims is true: the right pattern, the right variable, the row that matters.

usage: story_test.py HEDDLE
"""
import pathlib
import subprocess
import unittest

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
        ["Data race on `names`"],
        ["did not happen again"],
    ),
    (  # Of all that the sleeper looked at, what has changed since is the story.
        "stopped_without_lock",
        """
struct workers {
    std::mutex m;
    std::condition_variable cv;
    std::vector<int> jobs;
    std::atomic<bool> stop{false};
};
int main() {
    workers w;
    std::thread t([&] {
        std::unique_lock l(w.m);
        w.cv.wait(l, [&] { return w.stop || !w.jobs.empty(); });
    });
    w.stop = true;
    w.cv.notify_all();
    t.join();
}
""",
        ["Lost wake-up on `w.cv`", "writes true", "reads false"],
        [],
    ),
    (  # A container has no value of which an update could be made.
        "woken_for_nothing",
        """
std::mutex m;
std::condition_variable cv;
std::vector<int> jobs;
void consume() {
    std::unique_lock l(m);
    if (jobs.empty()) cv.wait(l);
    assert(!jobs.empty());
    jobs.pop_back();
}
void produce() {
    std::lock_guard l(m);
    jobs.push_back(1);
    cv.notify_all();
}
int main() {
    std::thread more(consume);
    std::thread late(produce);
    both(consume, produce);
    more.join();
    late.join();
}
""",
        ["on `jobs`", "pop_back(): reads, writes", "assertion `!jobs.empty()` fails"],
        ["Lost update", "Then thread"],
    ),
    (  # What all look at before they sleep is told with its values.
        "barrier_without_rounds",
        """
std::mutex m;
std::condition_variable cv;
int left = 2;
void meet() {
    std::unique_lock l(m);
    if (--left == 0) {
        left = 2;
        cv.notify_all();
    } else {
        cv.wait(l, [] { return left == 2; });
    }
}
int main() { both([] { meet(); meet(); }, [] { meet(); meet(); }); }
""",
        ["Deadlock", "writes 2-1", "`left` is 1 by now"],
        [],
    ),
    (  # What has no name of its own is told by the call.
        "future_never_set",
        """
int main() {
    std::promise<int> one, two;
    both([&] { one.set_value(two.get_future().get()); },
         [&] { two.set_value(one.get_future().get()); });
}
""",
        ["Deadlock", "waits in get()"],
        ["block of"],
    ),
    (  # One place that looks at a flag again and again waits for it, however often it looked.
        "flag_waited_for",
        """
int data = 0;
bool ready = false;
int main() {
    std::thread t([] {
        data = 42;
        ready = true;
    });
    while (!ready) std::this_thread::yield();
    t.join();
    return data == 42 ? 0 : 1;
}
""",
        ["waits for `ready` in a loop"],
        ["Check then act"],
    ),
    (  # The result of the function is the library's, and has no name of its own.
        "static_result",
        """
#include <ctime>
int year(std::time_t when) {
    const std::tm* parts = std::localtime(&when);
    return parts->tm_year;
}
int main() { both([] { year(0); }, [] { year(1'000'000'000); }); }
""",
        ["is in localtime()", "localtime_r"],
        ["_tmbuf", "std::atomic"],
    ),
    (  # It looks twice, but sleeps in between: no spin loop, and no atomic would help.
        "stopped_without_the_mutex",
        """
std::mutex m;
std::condition_variable woken;
bool stop = false;
int main() {
    std::thread worker([] {
        std::unique_lock l(m);
        woken.wait(l, [] { return stop; });
    });
    stop = true;
    woken.notify_one();
    worker.join();
}
""",
        ["changes `stop` without the mutex", "change `stop` with `m` locked", "Lost wake-up"],
        ["in a loop"],
    ),
    (  # Blocks of C programs, made by a function of their own, have the names of their members.
        "c_blocks",
        """
#include <cstdlib>
void* must_have(std::size_t size) {
    void* block = std::malloc(size);
    if (block == nullptr) std::abort();
    return block;
}
typedef struct pool_s { int size, busy; } pool;
int main() {
    pool* p = (pool*)must_have(sizeof(pool));
    p->busy = 0;
    both([=] { p->busy++; }, [=] { p->busy++; });
}
""",
        ["`pool.busy (heap, c_blocks.cpp:26)`"],
        ["block of"],
    ),
    (  # Where every lock is taken by one function of the program, its callers are told.
        "wrapped_locks",
        """
void take_lock(std::mutex& m) {
    m.lock();
}
std::mutex left, right;
int main() {
    both(
        [] {
            take_lock(left);
            take_lock(right); // first
            right.unlock();
            left.unlock();
        },
        [] {
            take_lock(right);
            take_lock(left); // second
            left.unlock();
            right.unlock();
        });
}
""",
        ["take_lock(right); // first", "take_lock(left); // second"],
        ["m.lock();"],
    ),
    (  # Of a copy as a whole, the array is told and not its first element.
        "copied_text",
        """
#include <cstring>
char name[32] = "nobody";
int main(int, char** arguments) {
    both([=] { std::strncpy(name, arguments[0], 31); }, [] { std::printf("%s", name); });
}
""",
        ["`name`", '"nobody"'],
        ["name[0]"],
    ),
]

# Strings of C++17 are compared inside libstdc++.so: what a race there is called must not depend on
# whether the run is recorded.
KEYS = """
#include <map>
#include <string>
#include <thread>
int main() {
    std::map<std::string, int> results;
    std::thread a([&] { results["a"] = 1; }), b([&] { results["b"] = 2; });
    a.join();
    b.join();
}
"""

# Clang's debug information takes other ways to the same names.
NAMED = """
#include <thread>
struct { int id; long balance; } accounts[4];
int main() {
    std::thread t([] { accounts[2].balance += 10; });
    accounts[2].balance += 5;
    t.join();
}
"""


# A lock of its own in a library that nothing is seen of.
HIDDEN_LOCK = """
#include <sched.h>
static char taken;
extern "C" void enter() {
    while (__atomic_test_and_set(&taken, __ATOMIC_ACQUIRE)) sched_yield();
}
extern "C" void leave() { __atomic_clear(&taken, __ATOMIC_RELEASE); }
"""
HIDDEN_LOCK_USER = """
extern "C" void enter();
extern "C" void leave();
int visits = 0;
void visit() { enter(); visits++; leave(); }
int main() { both(visit, visit); }
"""


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

    def test_races_inside_of_the_library_happen_again(self):
        command.built([("keys", KEYS)], self.folder, [*command.GCC, "-std=c++17"])
        story = self.heddle("check", "--schedules", "300", "--", "./keys").stdout
        self.assertIn("Data race on `results`", story)
        self.assertNotIn("did not happen again", story)

    def test_source_lines_of_a_program_that_was_built_in_another_folder(self):
        source, build = self.folder / "source", self.folder / "build"
        source.mkdir()
        build.mkdir()
        (source / "named.cpp").write_text(NAMED)
        subprocess.run([*command.GCC, "-g", "../source/named.cpp", "-o", "named"], cwd=build)
        story = self.heddle("check", "--schedules", "300", "--", "build/named").stdout
        self.assertIn("named.cpp:6 | accounts[2].balance += 5;", story)

    def test_a_race_may_be_none_where_a_library_is_not_instrumented(self):
        lock, user = self.folder / "lock.cpp", self.folder / "user.cpp"
        lock.write_text(HIDDEN_LOCK)
        user.write_text(HEAD + HIDDEN_LOCK_USER)
        library, program = self.folder / "liblock.so", self.folder / "user"
        subprocess.run(["g++", "-shared", "-fPIC", lock, "-o", library], check=True)
        flags = ["-std=c++20", "-g", f"-Wl,-rpath,{self.folder}"]
        subprocess.run([*command.GCC, *flags, user, library, "-o", program], check=True)
        run = self.heddle("check", "--schedules", "100", "--", "./user")
        told = " ".join(run.stdout.split())
        self.assertIn("But: liblock.so is not instrumented.", told)
        self.assertIn("are not seen, nor what is ordered in there", told)

    @unittest.skipUnless(command.CLANG, "wants clang++ and its sanitizers")
    def test_variables_of_programs_by_clang_have_their_names(self):
        command.built([("named", NAMED)], self.folder, command.CLANG)
        story = self.heddle("check", "--schedules", "300", "--", "./named").stdout
        self.assertIn("`accounts[2].balance`", story)


if __name__ == "__main__":
    command.main()

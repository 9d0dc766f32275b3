#!/usr/bin/env python3
"""Each rule of tidy.py fires on a small offence, and is silent about what is right."""
import pathlib
import tempfile
import unittest

import tidy


def rules_in(files):
    """The names of the rules that a tree of {path: text} breaks."""
    with tempfile.TemporaryDirectory() as folder:
        for path, text in files.items():
            place = pathlib.Path(folder, path)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
        return {f.rule for f in tidy.check(pathlib.Path(folder)) if not f.warning}


def header(body):
    return {"include/heddle/thing.hpp": f"#pragma once\n\nnamespace heddle {{\n{body}\n}}\n"}


OFFENCES = {
    "file-length": {"src/a.hpp": "#pragma once\n" + "int a();\n" * 600},
    "header-length": {"include/heddle/a.hpp": "#pragma once\n" + "// \n" * 300},
    "line-length": {"tests/a.cpp": "// " + "x" * 100 + "\n"},
    "function-length": {"tests/a.cpp": "void f() {\n" + "    g();\n" * 70 + "}\n"},
    "pragma-once": {"tests/a.hpp": "int f();\n"},
    "unfinished": {"tests/a.cpp": "// TO" + "DO later\n"},
    "heavy-include": {"include/heddle/detail/a.hpp": "#pragma once\n#include <regex>\n"},
    "foreign-include": {"include/heddle/a.hpp": "#pragma once\n#include <asio/post.hpp>\n"},
    "memory-order": {"tests/a.cpp": "int f() { return a.load(std::memory_order_acquire); }\n"},
    "fence": {"tests/a.cpp": "void f() {\n    std::atomic_thread_fence(x);\n}\n"},
    "sleep": {"tests/unit/a.cpp": "void f() {\n    std::this_thread::sleep_for(1s);\n}\n"},
    "cout": {"src/a.hpp": "#pragma once\nvoid f() { std::cout << 1; }\n"},
    "wall-clock": {"src/a.hpp": "#pragma once\nauto now = std::chrono::system_clock::now();\n"},
    "private-name": {"tests/a.cpp": "class a {\n    int size = 0;\n};\n"},
    "docstring": header("int f(int x);"),
    "class-comment": header("/// A thing.\nclass thing {\n    int x_;\n};"),
    "link": {"README.md": "See [there](docs/there.md).\n"},
    "name": {"src/a/q.cpp": "\n", "src/b/q.cpp": "\n"},
    "unbuilt": {"src/CMakeLists.txt": "a.cpp\n", "src/b.cpp": "\n"},
    "umbrella": {"include/heddle/heddle.hpp": "#pragma once\n", **header("")},
}

INNOCENT = {
    "a documented class": header(
        "/// A thing.\n///\n/// Thread safety: none. Lifetime: none.\n"
        "template <class T>\nclass [[nodiscard]] thing {\npublic:\n    thing();\n"
        "    thing(const thing& other);\n    ~thing();\n"
        "    /// Gives the size.\n    int size() const noexcept { return size_; }\n"
        "    int length() const;\n\nprivate:\n    void grow(int by);\n"
        "    std::function<void(int)> f_;\n    std::atomic<int> size_{0};\n    char b_[4];\n};"),
    "constrained templates": header(
        "/// Runs it.\ntemplate <class F, class... R>\n"
        "    requires detail::mappable<F, R...> && (!is<F>)\nauto map(F&& f, R&&... r) {\n"
        "    int next = 0;\n}\n/// A thing.\ntemplate <class T>\n    requires detail::good<T>\n"
        "struct thing {\n    int x;\n};"),
    "an order explained above its statement": {
        "tests/a.cpp": "// acquire: a\nbool b = a.compare_exchange_weak(s,\n  t,\n  u,\n  v,\n"
                       "  std::memory_order_acquire);\n"},
    "protected members and constants": {
        "tests/a.cpp": "class a {\n    static constexpr int b = 1;\nprotected:\n    int x;\n};\n"},
    "detail": header("namespace detail {\nint f(int x);\n}"),
    "a nested plain struct": {
        "tests/a.cpp": "class a {\n    struct node {\n        int x;\n    };\n    node* n_;\n};\n"},
    "an explained order": {
        "tests/a.cpp": "// relaxed: a hint\nint a = b.load(std::memory_order_relaxed);\n"},
    "words inside literals": {
        "src/a.hpp": "#pragma once\nauto a = \"std::cout { //\";\nint b = '{';\n"},
    "sleeping where it is allowed": {"tests/stress/a.cpp": "void f() { usleep(1); }\n"},
    "a constructor with braces": {
        "tests/a.cpp": "struct a {\n    a() : x{1}, y{2} {\n        f();\n    }\n    int x;\n};\n"},
    "links that lead somewhere": {
        "README.md": "[a](docs/a.md#part) [b](https://example.org/x) [c](#here) `[d](e)`\n",
        "docs/a.md": "[up](../README.md)\n"},
}


class Tidy(unittest.TestCase):
    def test_every_rule_fires_on_its_offence_and_no_other_does(self):
        for rule, files in OFFENCES.items():
            with self.subTest(rule):
                lists = {"src/CMakeLists.txt": "a/q.cpp b/q.cpp\n"} if rule == "name" else {}
                self.assertEqual({rule}, rules_in(files | lists))

    def test_what_is_right_is_not_reported(self):
        for name, files in INNOCENT.items():
            with self.subTest(name):
                self.assertEqual(set(), rules_in(files))

    def test_a_function_is_as_long_as_its_own_braces(self):
        body = "    if (x) {\n        g();\n    }\n" * 20
        two = f"void f() {{\n{body}}}\nvoid g() {{\n{body}}}\n"
        self.assertEqual(set(), rules_in({"tests/a.cpp": two}))
        long = f"struct s {{\n    s() : x{{1}} {{\n{body}{body}    }}\n}};\n"
        self.assertEqual({"function-length"}, rules_in({"tests/a.cpp": long}))


if __name__ == "__main__":
    unittest.main()

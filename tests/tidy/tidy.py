#!/usr/bin/env python3
"""Checks the rules of the house that a program can check; CONTRIBUTING.md says what they are for.

usage: tidy.py [ROOT]

Prints `file:line: rule: remedy` for each breach and ends with 1 if there is one. A file that is
only long enough to be warned about is no breach.
"""
import collections
import os
import pathlib
import re
import sys

from cpp_source import core_of, declarations, split_comments, without_template_arguments

SKIPPED = {"build", "out", ".git", ".cache", "__pycache__"}
CODE = {".hpp", ".cpp", ".h", ".cc"}
WATCHED = CODE | {".py", ".sh", ".cmake"}
STANDARD_FOLDERS = {"heddle", "sys", "linux", "asm", "bits", "netinet", "arpa", "net"}
HEAVY = {"future", "iostream", "regex", "filesystem"}

Finding = collections.namedtuple("Finding", "file line rule remedy warning", defaults=(False,))


class Source:
    """One file, read once. `path` is relative to the root, with slashes."""

    def __init__(self, path, text):
        self.path, self.text = path, text
        self.lines = text.split("\n")
        if self.lines[-1] == "":
            self.lines.pop()
        self.suffix = pathlib.PurePosixPath(path).suffix
        self.is_code = self.suffix in CODE
        self.is_header = path.startswith("include/heddle/") and self.suffix == ".hpp"
        self.is_public = self.is_header and not path.startswith("include/heddle/detail/")
        self.code, self.comments, self.declared = [], [], []
        if self.is_code:
            code, comments = split_comments(text)
            self.code, self.comments = code.split("\n"), comments.split("\n")
            self.declared = declarations(code)

    def matches(self, pattern):
        """Numbers of the lines whose code matches."""
        return [n for n, line in enumerate(self.code, 1) if re.search(pattern, line)]


# ---- rules about one file: each takes a Source and yields (line, rule, remedy) ----


def size(source):
    count = len(source.lines)
    if source.suffix in WATCHED and count > 600:
        yield 601, "file-length", f"{count} lines; split it: 600 are the limit"
    if source.is_public and count > 300:
        yield 301, "header-length", f"{count} lines; move what users need not read to detail/"
    if source.suffix not in WATCHED:
        return
    for number, line in enumerate(source.lines, 1):
        if len(line) > 100:
            yield number, "line-length", f"{len(line)} columns; break the line: 100 are the limit"


def function_length(source):
    for entry in source.declared:
        count = entry.last - entry.first + 1
        if entry.kind == "function" and count > 70:
            yield entry.first, "function-length", f"{count} lines; split it: 70 are the limit"


def pragma_once(source):
    if source.suffix == ".hpp" and "#pragma once" not in source.lines:
        yield 1, "pragma-once", "begin the header with #pragma once"


def unfinished(source):
    if source.suffix not in WATCHED or source.path.startswith("tests/tidy/"):
        return
    for number, line in enumerate(source.lines, 1):
        if word := re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line):
            yield number, "unfinished", f"do it now or open an issue, and remove {word.group()}"


def includes(source):
    if not source.is_header or source.path.endswith("_asio.hpp"):
        return
    for number, line in enumerate(source.lines, 1):
        match = re.match(r"\s*#\s*include\s*[<\"]([^>\"]+)[>\"]", line)
        if not match:
            continue
        name = match.group(1)
        folder = name.split("/")[0] if "/" in name else ""
        foreign = folder and folder not in STANDARD_FOLDERS or not folder and name.endswith(".hpp")
        if folder == "cereal" and not source.is_public:
            foreign = False
        if name in HEAVY:
            yield number, "heavy-include", f"<{name}> costs every user seconds; use it in src/"
        elif foreign:
            yield number, "foreign-include", f"<{name}> is a third party's; use it in src/"


def in_corpus(source):
    """The programs that the race finder is tested with are small and wrong on purpose."""
    return source.path.startswith(("tests/check/racy/", "tests/check/safe/"))


def memory_order(source):
    if in_corpus(source):
        return
    weak = r"memory_order(_|::)(relaxed|consume|acquire|release|acq_rel)\b"
    for number in source.matches(weak):
        start = number  # of the statement, which may have several lines
        while start > 1 and re.search(r"[^;{}\s]\s*$", source.code[start - 2]):
            start -= 1
        if not any(line.strip() for line in source.comments[max(0, start - 4):number]):
            yield number, "memory-order", "say in a comment above what this ordering pairs with"


def fences(source):
    if source.path.startswith("check/") or in_corpus(source):
        return
    for number in source.matches(r"\batomic_thread_fence\b"):
        yield number, "fence", "use a read-modify-write: TSan does not see fences"


def sleeping(source):
    parts = source.path.split("/")
    if parts[0] != "tests" or parts[1] in ("stress", "check"):
        return
    for number in source.matches(r"(?<!aio::)\b(sleep_for|sleep_until|usleep|sleep)\s*\("):
        yield number, "sleep", "wait for an event, or set the time with heddle::detail::test_clock"


def wall_clock(source):
    if source.path.startswith(("src/", "include/")):
        for number in source.matches(r"\b(system_clock|CLOCK_REALTIME)\b"):
            yield number, "wall-clock", "it jumps when it is set: limits run on the steady clock"


def printing(source):
    if source.path.startswith("src/"):
        for number in source.matches(r"\bstd::cout\b"):
            yield number, "cout", "a library prints nothing: return it, or use the failure handler"


def private_names(source):
    other = r"(static constexpr|using|typedef|friend|static_assert|template|enum|class|struct)\b"
    for entry in source.declared:
        if entry.kind != "statement" or not entry.private or re.match(other, entry.text):
            continue
        text = re.sub(r"(decltype|noexcept|alignas)\s*\([^()]*\)", " ", core_of(entry.text))
        text = re.split(r"=(?!=)|\{", without_template_arguments(text))[0]
        match = re.fullmatch(r".*?\b(\w+)\s*(\[[^\]]*\]\s*)*(:\s*\w+\s*)?", text.strip())
        if "(" in text or not match or match.group(1).endswith("_"):
            continue
        name = match.group(1)
        yield entry.last, "private-name", f"name this private member {name}_"


def is_special_member(entry):
    """Default, copy and move members, destructors and operators explain themselves."""
    if re.search(r"\boperator\b|=\s*(default|delete)$|^friend\b", entry.text) or "~" in entry.text:
        return True
    match = re.search(rf"\b{re.escape(entry.in_class or '-')}\s*\((.*?)\)", entry.text)
    if not match:
        return False
    of_own_kind = rf"(const )?{re.escape(entry.in_class)}(<[^<>]*>)?\s*&&?.*"
    return not match.group(1).strip() or re.fullmatch(of_own_kind, match.group(1))


def function_name(entry):
    plain = without_template_arguments(re.sub(r"(decltype|requires)\s*\([^()]*\)", " ",
                                              core_of(entry.text)))
    match = re.search(r"([\w:]+)\s*\(", plain.split("=")[0])
    return match.group(1) if match else ""


def is_documented(source, first):
    """A `///` above it, or above the first of the lines that it stands in one block with."""
    for number in range(first - 1, 0, -1):
        line = source.lines[number - 1].strip()
        if line.startswith("///"):
            return True
        if not line or line.endswith(":") or (line.endswith("{") and number in source.opens):
            return False
    return False


def docstrings(source):
    if not source.is_public:
        return
    source.opens = {e.first for e in source.declared if e.kind == "class"}
    for entry in source.declared:
        spaces = [part for name in entry.namespaces for part in name.split("::")]
        if not entry.public or spaces[:1] != ["heddle"] or "detail" in spaces or "" in spaces:
            continue
        if entry.kind == "class":
            if re.match(r"template\s*<\s*>", entry.text):
                continue
            what = entry.text
        else:
            what = function_name(entry)
            if not what or what in ("begin", "end") or is_special_member(entry):
                continue
            if what == entry.in_class and "detail::" in entry.text:
                continue  # a constructor that only Heddle itself can call
            if re.match(r"(using|typedef|static_assert|extern|class|struct|namespace)\b",
                        core_of(entry.text)):
                continue
        if not is_documented(source, entry.first):
            short = what.split("{")[0].strip()
            yield entry.first, "docstring", f"say with /// what {short} does for its user"


def class_comment(source):
    if not source.is_public:
        return
    for entry in source.declared:
        if not (entry.kind == "class" and entry.has_private_part and not entry.in_class):
            continue
        derived_error = re.search(r":\s*public\s+[\w:]*error\b", entry.text)
        spaces = "::".join(entry.namespaces)
        if derived_error or "detail" in spaces or not spaces.startswith("heddle"):
            continue
        above, number = [], entry.first - 1
        while number > 0 and source.lines[number - 1].strip().startswith("//"):
            above.append(source.lines[number - 1])
            number -= 1
        for tag in ("Thread safety:", "Lifetime:"):
            if tag not in " ".join(above):
                yield entry.first, "class-comment", f"end the comment above with a line '{tag} …'"


def links(source, root):
    if source.suffix != ".md":
        return
    fenced = False
    for number, line in enumerate(source.lines, 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        if fenced:
            continue
        for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", line)):
            place = target.split("#")[0]
            if re.match(r"[a-z]+:", target) or not place:
                continue
            if not (root / pathlib.PurePosixPath(source.path).parent / place).exists():
                yield number, "link", f"{target} leads nowhere; correct or remove the link"


# ---- rules about the whole tree: each yields a Finding ----


def names_in_src(sources):
    seen = {}
    for source in sources:
        path = pathlib.PurePosixPath(source.path)
        if path.parts[0] == "src" and source.suffix == ".cpp":
            if path.name in seen:
                yield Finding(source.path, 1, "name", f"rename it: there is {seen[path.name]} too")
            seen[path.name] = source.path


def built(sources, root):
    """Every source of the library stands in a CMakeLists.txt at or above it."""
    for source in sources:
        path = pathlib.PurePosixPath(source.path)
        if path.parts[0] != "src" or source.suffix != ".cpp":
            continue
        for folder in path.parents:
            makefile = root / folder / "CMakeLists.txt"
            name = path.relative_to(folder).as_posix()
            if makefile.exists() and re.search(rf"(^|[\s/]){re.escape(name)}\b",
                                               makefile.read_text(encoding="utf-8")):
                break
        else:
            yield Finding(source.path, 1, "unbuilt", "add it to src/CMakeLists.txt")


def umbrella(sources):
    """heddle.hpp includes every public header; PART.hpp those of the folder PART."""
    headers = {s.path: s for s in sources if s.is_public}
    for path in headers:
        name = path.removeprefix("include/")
        part = name.removeprefix("heddle/").rpartition("/")[0] or "heddle"
        whole = headers.get(f"include/heddle/{part}.hpp")
        if not whole or whole.path == path or name.endswith("_asio.hpp"):
            continue
        if f"#include <{name}>" not in whole.lines:
            yield Finding(whole.path, 1, "umbrella", f"add #include <{name}>")


def long_files(sources):
    for source in sources:
        count = len(source.lines)
        if source.suffix in WATCHED and 400 < count <= 600:
            yield Finding(source.path, 401, "file-length", f"{count} lines; aim at 250", True)


RULES = [size, function_length, pragma_once, unfinished, includes, memory_order, fences, sleeping,
         wall_clock, printing, private_names, docstrings, class_comment]


def read_tree(root):
    sources = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in SKIPPED)
        for name in sorted(names):
            path = pathlib.Path(folder, name)
            if path.suffix in WATCHED | {".md"} and path.is_file():
                relative = path.relative_to(root).as_posix()
                sources.append(Source(relative, path.read_text(encoding="utf-8")))
    return sources


def check(root):
    """All findings in the tree at `root`, file by file."""
    sources = read_tree(root)
    found = [*names_in_src(sources), *built(sources, root), *umbrella(sources),
             *long_files(sources)]
    for source in sources:
        for rule in RULES:
            found += [Finding(source.path, *breach) for breach in rule(source)]
        found += [Finding(source.path, *breach) for breach in links(source, root)]
    return sorted(set(found))


def main():
    default = pathlib.Path(__file__).resolve().parent.parent.parent
    root = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else default
    found = check(root)
    for finding in found:
        note = "warning: " if finding.warning else ""
        print(f"{finding.file}:{finding.line}: {note}{finding.rule}: {finding.remedy}")
    breaches = sum(not finding.warning for finding in found)
    print(f"tidy: {breaches} breaches" if breaches else "tidy: no breach")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())

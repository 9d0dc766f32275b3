"""A C++ file as the tidy rules see it: code and comments apart, and what is declared where.

This is a reader of our own style (clang-format's), not of C++ as such: where it cannot tell, it
says nothing.
"""
import dataclasses
import re


@dataclasses.dataclass
class Declaration:
    """Something declared at namespace or class scope."""
    kind: str  # class, function, statement
    text: str  # without comments, in one line, up to the body
    first: int  # line numbers, from 1
    last: int
    namespaces: tuple  # names, outermost first; "" for an unnamed one
    public: bool  # no class around it hides it
    private: bool  # in the private part of the innermost class
    in_class: str  # name of the innermost class, or ""
    has_private_part: bool = False  # for a class


def split_comments(text):
    """Returns (code, comments): two texts of the same shape, each with the other's characters
    blanked. Literals become blanks in the code, but for their quotes."""
    code, comments = [], []

    def emit(piece, to_code, to_comments):
        blank = re.sub(r"[^\n]", " ", piece)
        code.append(piece if to_code else blank)
        comments.append(piece if to_comments else blank)

    token = re.compile(
        r'(?P<comment>//[^\n]*|/\*.*?\*/)'
        r'|(?P<raw>R"(?P<tag>[^()\\\s]{0,16})\(.*?\)(?P=tag)")'
        r'|(?P<string>"(?:\\.|[^"\\\n])*")'
        r"|(?P<number>\b\d[\w.']*)"
        r"|(?P<char>'(?:\\.|[^'\\\n])+')", re.S)
    at = 0
    for match in token.finditer(text):
        emit(text[at:match.start()], True, False)
        piece = match.group()
        if match.group("comment"):
            emit(piece, False, True)
        elif match.group("number"):
            emit(piece, True, False)
        else:
            code.append('"' + re.sub(r"[^\n]", " ", piece[1:-1]) + '"')
            comments.append(re.sub(r"[^\n]", " ", piece))
        at = match.end()
    emit(text[at:], True, False)
    return "".join(code), "".join(comments)


def without_preprocessor(code):
    """The same code with directives blanked, their continuation lines too."""
    lines, inside = [], False
    for line in code.split("\n"):
        directive = inside or line.lstrip().startswith("#")
        inside = directive and line.rstrip().endswith("\\")
        lines.append("" if directive else line)
    return "\n".join(lines)


def skip_balanced(text, at, opening, closing):
    """Index after the bracket that closes the one at `at`; -> and comparisons are no brackets."""
    depth = 0
    while at < len(text):
        if text[at] == opening:
            depth += 1
        elif text[at] == closing and text[at - 1] != "-":
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    return at


def skip_requires(text):
    """What follows a requires clause: operands in parentheses or named, joined by && and ||."""
    rest = text[len("requires"):].strip()
    while True:
        operand = re.match(r"!?\s*(requires\b\s*)?[\w:]*\s*", rest)
        rest = rest[operand.end():]
        for opening, closing in ("<>", "()", "{}"):
            if rest.startswith(opening) and (opening != "(" or not operand.group().split()):
                rest = rest[skip_balanced(rest, 0, opening, closing):].strip()
        joint = re.match(r"(&&|\|\|)\s*", rest)
        if not joint:
            return rest
        rest = rest[joint.end():]


def core_of(text):
    """A declaration without attributes, alignas and its template head."""
    text = re.sub(r"\[\[.*?\]\]|\balignas\s*\([^()]*\)", " ", text).strip()
    while match := re.match(r"template\s*<", text):
        text = text[skip_balanced(text, match.end() - 1, "<", ">"):].strip()
        if re.match(r"requires\b", text):
            text = skip_requires(text)
    return text


def without_template_arguments(text):
    """`std::function<void(int)> f_` becomes `std::function f_`."""
    before = None
    text = text.replace("->", "  ")
    while before != text:
        before, text = text, re.sub(r"<[^<>;]*>", " ", text)
    return text


CLASS = re.compile(r"^(?:friend\s+)?(class|struct|union|enum(?:\s+class|\s+struct)?)\b\s*([\w:]*)")
REQUIRES_EXPRESSION = re.compile(r"(?:requires|=|&&|\|\||\()\s*requires\s*(?:\([^{}]*\))?\s*$")
ACCESS = re.compile(r"\s*(public|private|protected):\s$")


def kind_of_brace(header):
    """What the `{` after `header`, at namespace or class scope, opens."""
    core = core_of(header)
    if re.match(r"(inline\s+)?namespace\b|extern\s+\"", core):
        return "namespace"
    if REQUIRES_EXPRESSION.search(header):
        return "initializer"
    if CLASS.match(core):
        return "class"
    plain = without_template_arguments(core)
    if "(" not in plain and "operator" not in plain:
        return "initializer"
    if re.search(r"[^=!<>]=\s*$", plain):
        return "initializer"
    # `thing() : part_{1}` goes on after the brace; `thing() : part_(1) {` does not.
    if re.search(r"\)[^()]*:(?!:)", plain) and re.search(r"[:,]\s*\w+\s*$", plain):
        return "initializer"
    return "function"


class _Scope:
    def __init__(self, kind, name="", access="public", declaration=None):
        self.kind, self.name, self.access = kind, name, access
        self.declaration = declaration
        self.header, self.first = "", 0  # what stood before an initializer's brace


def declarations(code):
    """Everything declared at namespace and class scope in `code` (from split_comments)."""
    found, scopes = [], [_Scope("namespace")]
    header, first, line = "", 0, 1

    def declare(kind, last):
        classes = [s for s in scopes if s.kind == "class"]
        names = tuple(s.name for s in scopes[1:] if s.kind == "namespace")
        entry = Declaration(kind, " ".join(header.split()), first, last, names,
                            all(s.access == "public" for s in classes),
                            bool(classes) and classes[-1].access == "private",
                            classes[-1].name if classes else "")
        if entry.private:
            classes[-1].declaration.has_private_part = True
        found.append(entry)
        return entry

    for char in without_preprocessor(code):
        scope = scopes[-1]
        listens = scope.kind in ("namespace", "class")
        if char == "{":
            kind = kind_of_brace(" ".join(header.split())) if listens else "inner"
            if kind == "initializer":
                new = _Scope(kind)
                new.header, new.first = header, first
            elif kind == "namespace":
                names = re.findall(r"namespace\s+([\w:]+)", header)
                new = _Scope(kind, names[-1] if names else "")
            elif kind == "class":
                match = CLASS.match(core_of(" ".join(header.split())))
                entry = declare("class", line)
                is_class = match.group(1) == "class"
                new = _Scope("inner" if match.group(1).startswith("enum") else "class",
                             match.group(2), "private" if is_class else "public", entry)
            elif kind == "function":
                new = _Scope(kind, declaration=declare("function", line))
            else:
                new = _Scope(kind)
            scopes.append(new)
            header, first = "", 0
        elif char == "}" and len(scopes) > 1:
            scopes.pop()
            if scope.declaration:
                scope.declaration.last = line
            header, first = "", 0
            if scope.kind == "initializer":
                header, first = scope.header + "{}", scope.first
        elif char == ";":
            if listens and header.strip():
                declare("statement", line)
            header, first = "", 0
        elif listens:
            if not first and not char.isspace():
                first = line
            header += char
            access = ACCESS.match(header) if scope.kind == "class" and char.isspace() else None
            if access:
                scope.access = access.group(1)
                header, first = "", 0
        if char == "\n":
            line += 1
    return found

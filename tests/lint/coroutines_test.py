#!/usr/bin/env python3
"""Coroutines keep clear of a defect of GCC 12.

That compiler destroys a temporary of a statement with `co_await` twice when its class is an aggregate or the class of a
lambda with captures (tests/reactor/deferred/gcc12_test.cpp shows it). So in such a statement there is

- no lambda with captures: `auto d = deferToThread([x] { ... }); co_await std::move(d);`
- no aggregate made with braces, but for options, which are trivially destructible:
  a struct named ...Options has a static_assert that says so
- no list in braces as an argument

and a class that is awaited (it has await_ready) and has members has a constructor.

With --self-test it tries itself on good and bad statements instead of the tree.
"""

import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tree"))
import tree  # noqa: E402

# Shows what must not be written.
EXEMPT = {"tests/reactor/deferred/gcc12_test.cpp"}

NOISE = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'', re.S)
LAMBDA = re.compile(r"(?<![\w\)\]\[])\s*\[(?!\[)\s*[^\]\s][^\]]*\]\s*(?:\(|\{|<|mutable\b|noexcept\b|->)")
BINDING = re.compile(r"\bauto\s*(?:const)?\s*&{0,2}\s*\[[^\]]*\]")
TEMPORARY = re.compile(r"\b((?:\w+::)*[A-Z]\w*)\s*(?:<[^;{}()]*>)?\s*\{")
LIST = re.compile(r"[(,]\s*\{\s*[^.}\s]")
OPTIONS = re.compile(r"\bstruct\s+(\w*Options)\s*\{")
TRIVIAL = re.compile(r"is_trivially_destructible_v<(?:\w+::)*(\w+)>")
CLASS = re.compile(r"(?<![<,])(?<![<,] )\b(?:class|struct)\s+(?:\[\[\w+\]\]\s*)?(\w+)[^;{()]*\{")
MEMBER = re.compile(r"^\s+(?!return\b|using\b|friend\b|static\b)[\w:<>,\s\*&]+\s[\*&]?\w+\s*(?:=[^;()]*)?;", re.M)

OPEN, CLOSE = "([{", ")]}"


def without_noise(text):
    """The text without comments and literals, each line where it was."""
    return NOISE.sub(lambda match: '""' + "\n" * match.group().count("\n"), text)


def statement_around(text, position):
    """The start and the end of the statement at a position; a lambda's body is not part of the statement around it."""
    depth, start = 0, position
    while start > 0:
        char = text[start - 1]
        if char in CLOSE:
            depth += 1
        elif char in OPEN:
            if char == "{" and depth == 0:
                break
            depth -= 1 if depth > 0 else 0
        elif char == ";" and depth == 0:
            break
        start -= 1
    depth, end = 0, position
    while end < len(text):
        char = text[end]
        if char in OPEN:
            if char == "{" and depth == 0 and text[:end].rstrip().endswith(")"):
                break  # the body of an if or a loop
            depth += 1
        elif char in CLOSE:
            if char == "}" and depth == 0:
                break
            depth -= 1 if depth > 0 else 0
        elif char == ";" and depth == 0:
            break
        end += 1
    return start, end


def statement_problems(text, trivial):
    """Pairs of line and message for one file's text."""
    text = without_noise(text)
    seen = set()
    for match in re.finditer(r"\bco_await\b", text):
        if re.search(r"\boperator\s*$", text[: match.start()]):
            continue
        start, end = statement_around(text, match.start())
        if (start, end) in seen:
            continue
        seen.add((start, end))
        statement = BINDING.sub("auto binding", text[start:end])
        line = text.count("\n", 0, match.start()) + 1
        if LAMBDA.search(statement):
            yield line, "a lambda with captures in a statement with co_await; make its Deferred in one before"
        for temporary in TEMPORARY.finditer(statement):
            if temporary.group(1).split("::")[-1] not in trivial:
                yield line, f"a temporary {temporary.group(1)}{{}} in a statement with co_await; give it a name before"
        if LIST.search(statement):
            yield line, "a list in braces in a statement with co_await; give it a name before"


def body_of(text, opening):
    depth = 0
    for position in range(opening, len(text)):
        depth += (text[position] == "{") - (text[position] == "}")
        if depth == 0:
            return text[opening + 1 : position]
    return text[opening + 1 :]


def awaiter_problems(text):
    text = without_noise(text)
    for match in CLASS.finditer(text):
        body = body_of(text, match.end() - 1)
        own = re.sub(r"\{[^{}]*\}", "", re.sub(r"\{[^{}]*\}", "", body))
        if "await_ready" in own and MEMBER.search(own) and not re.search(rf"\b{match.group(1)}\(", own):
            line = text.count("\n", 0, match.start()) + 1
            yield line, f"{match.group(1)} is awaited and has members, but no constructor"


def problems():
    sources = [path for folder in ("reactor", "protocols", "examples", "tests")
               for path in tree.files(folder, ".hpp", ".cpp")]
    texts = {path: tree.text(path) for path in sources if path not in EXEMPT}
    trivial = {name for text in texts.values() for name in TRIVIAL.findall(text)}
    for path, text in texts.items():
        for line, message in [*statement_problems(text, trivial), *awaiter_problems(text)]:
            # Tests may have another library's awaiters, which they give a name.
            if not (path.startswith("tests/") and "no constructor" in message):
                yield f"{path}:{line}: {message}"
        if path.startswith(("reactor/", "protocols/")):
            for name in OPTIONS.findall(without_noise(text)):
                if name not in trivial:
                    yield f"{path}: {name} has no static_assert that it is trivially destructible"


GOOD = (
    "co_await reactor.sleep(5ms);",
    "auto d = run([x] { use(x); }); co_await std::move(d);",
    "co_await connect(host, {.timeout = 5s});",
    "co_await connect(host, ConnectOptions{.timeout = 5s});",
    "auto [first, second] = co_await gatherResults(std::move(a), std::move(b));",
    "spawn([&]() -> Deferred<void> { co_await f(); });",
    "if (co_await f()) { g([x] { return x; }); }",
    "values[i](co_await f());",
    "co_await f([] { return 1; });",
    "// co_await f([x] {});",
    'co_await f("[x] { co_await }");',
    "for (int i = 0; i < 3; ++i) co_await list[i].get();",
)
BAD = (
    "co_await run([x] { use(x); });",
    "co_await run([this]() { use(); });",
    "use([&] { return 1; }, co_await f());",
    "co_return co_await run([x = std::move(y)]() mutable { use(x); });",
    "co_await f(Request{name});",
    "co_await f({first, second});",
    "co_await f(1, {name});",
)


def self_test():
    for expected, statements in ((False, GOOD), (True, BAD)):
        for statement in statements:
            found = list(statement_problems("{ " + statement + " }", {"ConnectOptions"}))
            if bool(found) != expected:
                yield f"{statement}: {found}"
    if list(awaiter_problems("class A { public: explicit A(int); bool await_ready(); int member_; };")):
        yield "an awaiter with a constructor is refused"
    if not list(awaiter_problems("struct A {\n    int member;\n    bool await_ready();\n};")):
        yield "an awaiter without a constructor is not seen"


tree.finish(list(self_test() if "--self-test" in sys.argv else problems()))

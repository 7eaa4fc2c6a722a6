#!/usr/bin/env python3
"""A host that sleeps must hear of whatever is begun on an embedded reactor: each public function that is not const, of
the classes in the installed headers, is in the lists that tests/reactor/embedding/mutators*_test.cpp call from a
host's code, and what is there exists."""

import re

import tree

# Installed headers that are left out, and why.
NOT_FROM_A_HOST = {
    "coroutine.hpp": "what the compiler calls of a coroutine",
    "deferred.hpp": "has no reactor: who waits is called at once; addTimeout is Clock::callLater",
    "deferred_event.hpp": "as deferred.hpp",
    "deferred_lock.hpp": "as deferred.hpp",
    "deferred_queue.hpp": "as deferred.hpp",
    "factory.hpp": "what the reactor calls of a program's class",
    "failure.hpp": "values",
    "function.hpp": "values",
    "options.hpp": "values",
    "producer.hpp": "what a transport calls of a program's class; registering is the transport's",
    "protocol.hpp": "what the reactor calls of a program's class",
    "random.hpp": "numbers",
    "resolver.hpp": "answers come as calls from threads or from descriptors, which wake the host",
    "result.hpp": "values",
    "scoped_protocol.hpp": "what the reactor calls of a program's class",
    "threads.hpp": "what its functions are made of: Reactor::callInThread, callFromThread and keepPending",
    "libuv/secure_random.hpp": "numbers",
    "libuv/thread_resolver.hpp": "as resolver.hpp",
}
# Folders of installed headers that are left out.
NOT_FROM_A_HOST_AT_ALL = {
    "cares": "as resolver.hpp",
    "core": "the inside",
    "detail": "the inside",
    "embedding": "what the host calls",
    "testing": "is embedded nowhere",
}
# Functions that are public and not for programs, or that are no mutators.
NOT_FOR_PROGRAMS = {
    "Step::wait": "a value's part",
    "ThreadPool::abandon": "the reactor's",
    "ThreadPool::beginStop": "the reactor's",
    "ThreadPool::callInThreadAs": "what callInThread is made of",
    "ThreadPool::join": "the reactor's",
    "ThreadPool::leaveBehind": "the reactor's",
    "ThreadPool::onIdle": "the reactor's",
    "ThreadPool::onNeeded": "the reactor's",
}
LISTS = [path for path in tree.files("tests/reactor/embedding", ".cpp") if "/mutators" in path]

CLASS = re.compile(r"\b(class|struct)\s+(?:\[\[\w+\]\]\s*)?(\w+)(?:\s+final)?\s*(?::[^:;{][^;{]*)?\{")
ACCESS = re.compile(r"\s*(public|protected|private)\s*:(?!:)")
FUNCTION = re.compile(r"(?<!::)(~?\b\w+)\s*\(")
CALLED_BY_US = {"InputEvents"}  # by the reactor, of a program's class
NOT_NAMES = {"requires", "decltype", "noexcept", "if", "for", "while", "switch", "return", "static_assert", "sizeof"}


def bare(text):
    """Without comments, strings and preprocessor lines."""
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S)
    text = re.sub(r'"(?:[^"\\]|\\.)*"', '""', text)
    return re.sub(r"^\s*#.*$", "", text, flags=re.M)


def closing(text, begin, braces="{}"):
    """The place behind the brace that closes the one at `begin`."""
    depth = 0
    for place in range(begin, len(text)):
        depth += (text[place] == braces[0]) - (text[place] == braces[1])
        if depth == 0:
            return place + 1
    raise ValueError("a brace is not closed")


def declarations(body, access):
    """The declarations of a class's body, each with its access; bodies and initializers left out."""
    place = start = 0
    while place < len(body):
        label = ACCESS.match(body, start) if place == start else None
        if label:
            access, place = label.group(1), label.end()
            start = place
        elif body[place] == "(":
            place = closing(body, place, "()")
        elif body[place] == "{":
            yield access, body[start:place]
            place = closing(body, place)
            start = place
        elif body[place] == ";":
            yield access, body[start:place]
            place += 1
            start = place
        else:
            place += 1


def outside_parentheses(text):
    while (shorter := re.sub(r"\([^()]*\)", "", text)) != text:
        text = shorter
    return text


def mutators(body, name, access):
    for seen, declaration in declarations(body, access):
        words = declaration.split("template", 1)[-1]
        if seen != "public" or re.search(r"\b(static|friend|using|enum|class|struct)\b", outside_parentheses(words)):
            if not ("requires" in words or "template" in declaration) or seen != "public" or "static" in words:
                continue
        words = re.sub(r"^\s*<.*?>\s*(?=\w)", "", words, flags=re.S)
        words = re.sub(r"\brequires\s+[\w:]+(<[^;]*?>)\s*(?=\n|\w)", "", words)
        found = [f for f in FUNCTION.findall(words) if f not in NOT_NAMES]
        if not found or found[0] in (name, "~" + name) or "operator" in words or "= delete" in words:
            continue
        tail = outside_parentheses(words)
        if re.search(r"\b(const|override)\b\s*(noexcept|override|= 0|$|:|\s)*$", tail.strip()):
            continue
        yield found[0]


def installed_headers():
    """Relative to reactor/, as the build files list them."""
    for build in sorted((tree.ROOT / "reactor").rglob("meson.build")):
        for block in re.findall(r"\w+_headers = files\(([^)]*)\)", build.read_text(encoding="utf-8")):
            for name in re.findall(r"'([^']+)'", block):
                yield (build.parent / name).relative_to(tree.ROOT / "reactor").as_posix()


def public_functions(headers):
    """(functions that are not const, all names that are called or declared in the class)"""
    wanted, known = set(), set()
    for header in headers:
        text = bare(tree.text("reactor/" + header))
        for found in CLASS.finditer(text):
            kind, name = found.group(1), found.group(2)
            if name in CALLED_BY_US:
                continue
            body = text[found.end():closing(text, found.end() - 1) - 1]
            known |= {f"{name}::{function}" for function in FUNCTION.findall(body)}
            access = "public" if kind == "struct" else "private"
            wanted |= {f"{name}::{function}" for function in mutators(body, name, access)}
    return wanted, known


installed = set(installed_headers())
headers = [header for header in sorted(installed)
           if header not in NOT_FROM_A_HOST and header.split("/")[0] not in NOT_FROM_A_HOST_AT_ALL]
wanted, known = public_functions(headers)
listed = {name for path in LISTS for name in re.findall(r'^    \{"(\w+::\w+)"', tree.text(path), flags=re.M)}
where = "tests/reactor/embedding/mutators*_test.cpp"
problems = [f"{where}: {name} is missing" for name in sorted(wanted - listed - set(NOT_FOR_PROGRAMS))]
problems += [f"{where}: {name} is in no header" for name in sorted(listed - known)]
problems += [f"{__file__}: {header} is not installed" for header in sorted(set(NOT_FROM_A_HOST) - installed)]
problems += [f"{__file__}: {name} is in no header" for name in sorted(set(NOT_FOR_PROGRAMS) - wanted)]
if len(wanted) < 60:
    problems.append(f"only {len(wanted)} functions were found in the headers: {sorted(wanted)}")
tree.finish(problems)

#!/usr/bin/env python3
"""A host that sleeps must hear of whatever is begun on an embedded reactor: each public function of these classes that
is not const is in the list that tests/reactor/embedding/mutators_test.cpp calls from a host's code, and what is there
exists."""

import re

import tree

HEADERS = (
    "clock.hpp", "connector.hpp", "delayed_call.hpp", "idle_timeout.hpp", "listening_port.hpp", "looping_call.hpp",
    "reactor.hpp", "transport.hpp", "libuv/input_reader.hpp", "libuv/line_input.hpp", "libuv/uv_reactor.hpp",
)
LIST = "tests/reactor/embedding/mutators_test.cpp"

CLASS = re.compile(r"\b(class|struct)\s+(?:\[\[\w+\]\]\s*)?(\w+)(?:\s+final)?\s*(?::[^:;{][^;{]*)?\{")
ACCESS = re.compile(r"\s*(public|protected|private)\s*:(?!:)")
FUNCTION = re.compile(r"(?<!::)(~?\b\w+)\s*\(")
CALLED_BY_US = {"InputEvents"}
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


def public_functions():
    """(functions that are not const, all names that are called or declared in the class)"""
    wanted, known = set(), set()
    for header in HEADERS:
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


wanted, known = public_functions()
listed = set(re.findall(r'^    \{"(\w+::\w+)"', tree.text(LIST), flags=re.M))
problems = [f"{LIST}: {name} is missing" for name in sorted(wanted - listed)]
problems += [f"{LIST}: {name} is in no header" for name in sorted(listed - known)]
if len(wanted) < 40:
    problems.append(f"only {len(wanted)} functions were found in the headers: {sorted(wanted)}")
tree.finish(problems)

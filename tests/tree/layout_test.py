#!/usr/bin/env python3
"""The top of the tree holds what it should, every file is in the build, and the version is the same everywhere.

Arguments: the project's version, then the files that the build knows, headers for installation among them.
"""

import fnmatch
import os
import re
import sys

import tree

TOP = {"meson.build", "meson_options.txt", "subprojects", "reactor", "protocols", "examples", "tests", "README.md"}
TOP |= {"LICENSE"}
IGNORED = ("build*", ".*", "__pycache__")
# Rooms whose headers are the project's own unless they are installed.
INTERNAL = ("reactor/cares/", "reactor/core/", "reactor/libuv/")
# Sources that are programs of their own or are compiled by a test.
NOT_LISTED = ("tests/install/*", "tests/pch/*")


def layout():
    here = {name for name in os.listdir(tree.ROOT) if not any(fnmatch.fnmatch(name, mask) for mask in IGNORED)}
    for name in sorted(here - TOP):
        yield f"{name}: does not belong at the top"
    for name in sorted(TOP - here):
        yield f"{name}: is missing at the top"


def build_lists(known):
    for folder in ("reactor", "protocols", "examples", "tests"):
        for path in tree.files(folder, ".cpp", ".c"):
            if path not in known and not any(fnmatch.fnmatch(path, mask) for mask in NOT_LISTED):
                yield f"{path}: is in no meson.build"
    for path in tree.files("reactor", ".hpp", ".h") + tree.files("protocols", ".hpp", ".h"):
        if path not in known and not path.startswith(INTERNAL) and "/detail/" not in path:
            yield f"{path}: is a public header, and is not installed"
        if path in known:
            for name in tree.includes(path):
                if name.startswith(("reactor/", "protocols/")) and name not in known:
                    yield f"{path}: is installed, and includes {name}, which is not"
                if name == "uv.h":
                    yield f"{path}: is installed, and includes <uv.h>"


def versions(project):
    numbers = re.findall(r"int kVersion\w+ = (\d+);", tree.text("reactor/version.hpp"))
    if ".".join(numbers) != project:
        yield f"reactor/version.hpp: says {'.'.join(numbers)}, meson.build says {project}"


listed = {os.path.relpath(os.path.realpath(path), tree.ROOT) for path in sys.argv[2:]}
tree.finish([*layout(), *build_lists(listed), *versions(sys.argv[1])])

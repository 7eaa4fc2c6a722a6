"""What the lints of the tree share: walking it, and saying what is wrong."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def files(folder, *suffixes):
    """The files below a folder with one of the suffixes, sorted, relative to the root."""
    found = (path for path in (ROOT / folder).rglob("*") if path.suffix in suffixes)
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


def text(path):
    return (ROOT / path).read_text(encoding="utf-8")


def includes(path):
    """The names that a file includes."""
    return [name for _, name in INCLUDE.findall(text(path))]


def finish(problems):
    """Prints the problems and leaves with the exit status of a test."""
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems")
    sys.exit(1 if problems else 0)

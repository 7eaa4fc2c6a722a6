#!/usr/bin/env python3
"""Every public header compiles alone, with the flags that the library is compiled with; a header of C as C, too.

Arguments: the build directory, then the headers.
"""

import concurrent.futures
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys

import tree

WITH_VALUE = ("-o", "-c", "-MQ", "-MF")
C_DIALECTS = ("c99", "c11")


def command_of(build):
    """The compiler and the flags of a source of the library, without its input and outputs."""
    for entry in json.loads((build / "compile_commands.json").read_text()):
        if entry["file"].endswith("reactor/version.cpp"):
            words = iter(shlex.split(entry["command"]))
            kept = []
            for word in words:
                if word in WITH_VALUE:
                    next(words)
                elif word not in ("-MD", "-DNDEBUG", "-fdiagnostics-color=always") and not word.startswith("-O"):
                    kept.append(word)
            return kept
    sys.exit("compile_commands.json does not know reactor/version.cpp")


def commands_for(header, command):
    """The commands, without input and output, that must compile a header; and what the input's name ends with."""
    yield command, ".cpp"
    if header.endswith(".h") and shutil.which("cc"):
        for dialect in C_DIALECTS:
            yield ["cc", f"-std={dialect}", "-Wall", "-Wextra", "-pedantic", f"-I{tree.ROOT}"], f".{dialect}.c"


def compile_alone(command, build, scratch, header):
    problems = ""
    for words, suffix in commands_for(header, command):
        source = pathlib.Path(scratch) / (header.replace("/", "_") + suffix)
        # Included twice: the second time shows that it is guarded.
        source.write_text(f"#include <{header}>\n#include <{header}>\n")
        words = words + ["-O0", "-Werror", "-c", str(source), "-o", str(source.with_suffix(".o"))]
        done = subprocess.run(words, cwd=build, capture_output=True, text=True, check=False)
        if done.returncode:
            problems += f"{header}: does not compile alone ({suffix})\n{done.stderr}"
    return problems


def main():
    build = pathlib.Path(sys.argv[1])
    headers = [os.path.relpath(os.path.realpath(path), tree.ROOT) for path in sys.argv[2:]]
    command = command_of(build)
    # The same place each time, so that ccache knows it again.
    scratch = build / "headers_alone"
    scratch.mkdir(exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda header: compile_alone(command, build, scratch, header), headers)
        tree.finish([problem for problem in results if problem])


main()

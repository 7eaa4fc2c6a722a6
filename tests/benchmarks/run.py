#!/usr/bin/env python3
"""Measures echo servers side by side and prints one table.

    run.py BUILD [--instructions | --throughput] [--rounds N] [--seconds S] [--servers A,B] [--workloads A,B] [--check]

BUILD is the build directory that holds the programs. README.md beside this file says how it is measured and how the
table is read. --check makes a missed goal for the instructions the program's failure.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from server import DidNotStart, Server

HERE = pathlib.Path(__file__).resolve().parent
BASE = "libuv tuned"
TORSION = "Torsion"

# Name: the generator's arguments; the two numbers of messages between which instructions are counted; how many
# instructions Torsion may take at most, as a multiple of the tuned libuv server's.
WORKLOADS = {
    "1 × 64 B": ("--connections 1 --size 64", (500, 2500), 1.3),
    "64 × 64 B": ("--connections 64 --size 64", (3200, 12800), 1.15),
    "64 × 4 KiB": ("--connections 64 --size 4096", (3200, 9600), 1.3),
    "1 × connect": ("--workload connect --connections 1 --size 1", (200, 1000), 1.5),
    "32 × connect": ("--workload connect --connections 32 --size 1", (200, 1000), 1.5),
}
# Of the naive libuv server's instructions Torsion takes less than this, in the second workload.
NAIVE_GOAL = 0.3
WARM_UP = 0.3  # seconds


def python_with_twisted():
    for python in (sys.executable, "python3", "/usr/bin/python3"):
        if shutil.which(python):
            found = subprocess.run([python, "-c", "import twisted"], capture_output=True, check=False)
            if found.returncode == 0:
                return python
    return None


def servers(build):
    """Name to command, of those that are there; and a note for each that is not."""
    programs = build / "tests" / "benchmarks"
    python = python_with_twisted()
    # Torsion's first: it is what is asked about.
    all_of_them = {
        TORSION: [build / "examples" / "echo_server", "--host", "127.0.0.1", "--port", "0"],
        "Torsion bare": [programs / "torsion_echo"],
        "raw epoll": [programs / "raw_epoll"],
        BASE: [programs / "uv_tuned"],
        "libuv naive": [programs / "uv_naive"],
        "Asio": [programs / "asio_echo"],
        "Twisted": [python, HERE / "peers" / "twisted_echo.py"],
    }
    commands, notes = {}, []
    if not shutil.which(all_of_them[TORSION][0]):
        notes.append(f"{TORSION}: its example echo_server was not built, so this is the bare one")
        all_of_them[TORSION] = all_of_them.pop("Torsion bare")
    for name, words in all_of_them.items():
        if words[0] is None:
            notes.append(f"{name}: skipped, no Python here has it")
        elif not shutil.which(words[0]):
            notes.append(f"{name}: skipped, {os.path.relpath(words[0], build)} was not built")
        else:
            commands[name] = [str(word) for word in words]
    return commands, notes


class Bench:
    def __init__(self, build):
        self.generator = str(build / "tests" / "benchmarks" / "load_generator")
        cores = sorted(os.sched_getaffinity(0))
        # Two processors of their own; on a machine with one there is nothing to choose.
        self.server_core, self.generator_core = (cores[0], cores[1]) if len(cores) > 1 else (None, None)

    def load(self, server, arguments, limit):
        words = [self.generator, "--port", str(server.port), "--limit", str(limit), *arguments]
        if self.generator_core is not None:
            words = ["taskset", "-c", str(self.generator_core), *words]
        done = subprocess.run(words, capture_output=True, text=True, timeout=limit + 10, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr.strip())
        return json.loads(done.stdout)

    def throughput(self, words, workload, seconds):
        """Messages a second, and the server's processor time for one, in microseconds."""
        with Server(words, self.server_core) as server:
            pid = str(server.process.pid)
            arguments = [*WORKLOADS[workload][0].split(), "--seconds", str(seconds), "--warm-up", str(WARM_UP)]
            seen = self.load(server, [*arguments, "--server-pid", pid], seconds + WARM_UP + 20)
        return seen["messages"] / seen["seconds"], seen["server_cpu_seconds"] * 1e6 / max(1, seen["messages"])

    def collected(self, words, workload, messages):
        """User-space instructions of a whole run of the server."""
        with tempfile.TemporaryFile("w+") as said:
            callgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *words]
            with Server(callgrind, seconds=60, stderr=said) as server:
                self.load(server, [*WORKLOADS[workload][0].split(), "--messages", str(messages)], 90)
                # It has yet to see the last connections end.
                time.sleep(0.3)
                server.end()
            said.seek(0)
            return int(re.search(r"Collected : (\d+)", said.read()).group(1))

    def instructions(self, words, workload):
        """User-space instructions of one message: a slope, so that starting and ending drop out."""
        few, many = WORKLOADS[workload][1]
        return (self.collected(words, workload, many) - self.collected(words, workload, few)) / (many - few)


def measure(bench, commands, options):
    """(workload, server) to what was seen: "rate" and "cpu" a list with one of each round, "instructions" a number."""
    seen = {(workload, name): {"rate": [], "cpu": []} for workload in options.workloads for name in commands}

    end = time.monotonic() + options.limit

    def attempt(workload, name, what, f):
        if time.monotonic() > end:
            seen[workload, name]["error"] = f"{workload}, {name}, {what}: left out after {options.limit} s"
            return
        print(f"run.py: {what}: {workload}: {name}", file=sys.stderr, flush=True)
        try:
            f(commands[name], seen[workload, name])
        except (RuntimeError, DidNotStart, subprocess.TimeoutExpired, AttributeError) as error:
            seen[workload, name]["error"] = f"{workload}, {name}, {what}: {error}"

    def one_throughput(workload):
        def run(words, into):
            rate, cpu = bench.throughput(words, workload, options.seconds)
            into["rate"].append(rate)
            into["cpu"].append(cpu)

        return run

    def one_count(workload):
        def run(words, into):
            into["instructions"] = bench.instructions(words, workload)

        return run

    names = list(commands)
    for number in range(options.rounds if options.throughput else 0):
        for workload in options.workloads:
            # Each round begins with another one.
            for name in names[number % len(names) :] + names[: number % len(names)]:
                attempt(workload, name, f"round {number + 1}", one_throughput(workload))
    for workload in options.workloads if options.instructions else []:
        for name in names:
            if name != "Twisted":
                attempt(workload, name, "instructions", one_count(workload))
    return seen


def spread(values, base):
    """The median of the ratios to the base in the same round, with the extremes."""
    if not values or len(values) != len(base):
        return "–"
    ratios = [value / of for value, of in zip(values, base)]
    text = f"{statistics.median(ratios):.2f}"
    return text if len(ratios) == 1 else f"{text} ({min(ratios):.2f}–{max(ratios):.2f})"


def absolute(values, form):
    return form.format(statistics.median(values)) if values else "–"


def row(workload, name, seen):
    own, base = seen[workload, name], seen.get((workload, BASE), {})
    cells = [workload, name]
    cells += [absolute(own["rate"], "{:,.0f}"), spread(own["rate"], base.get("rate", []))]
    cells += [absolute(own["cpu"], "{:.2f}"), spread(own["cpu"], base.get("cpu", []))]
    count = own.get("instructions")
    cells += [f"{count:,.0f}" if count else "–"]
    cells += [f"{count / base['instructions']:.2f}" if count and base.get("instructions") else "–"]
    cells += [f"≤ {WORKLOADS[workload][2]}" if count and name == TORSION else ""]
    return cells


def print_table(commands, seen, workloads):
    """As Markdown, in columns."""
    rows = [["workload", "server", "messages/s", "ratio", "CPU µs", "ratio", "instructions", "ratio", "goal"]]
    rows += [row(workload, name, seen) for workload in workloads for name in commands]
    widths = [max(len(cells[column]) for cells in rows) for column in range(len(rows[0]))]
    rows.insert(1, ["-" * (widths[0]), "-" * widths[1], *["-" * (width - 1) + ":" for width in widths[2:]]])
    for cells in rows:
        left = [cell.ljust(width) for cell, width in zip(cells[:2], widths)]
        right = [cell.rjust(width) for cell, width in zip(cells[2:], widths[2:])]
        print("| " + " | ".join(left + right) + " |")


def missed_goals(seen):
    for workload, (_, _, goal) in WORKLOADS.items():
        own, base = (seen.get((workload, name), {}).get("instructions") for name in (TORSION, BASE))
        if own and base and own > goal * base:
            yield f"{workload}: {own / base:.2f} × {BASE}, the goal is {goal}"
        naive = seen.get((workload, "libuv naive"), {}).get("instructions")
        if workload == "64 × 64 B" and own and naive and own >= NAIVE_GOAL * naive:
            yield f"{workload}: {own / naive:.2f} × libuv naive, the goal is {NAIVE_GOAL}"


def options_of(arguments):
    parser = argparse.ArgumentParser(description="Measures echo servers side by side.")
    parser.add_argument("build", type=pathlib.Path)
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--instructions", action="store_true", help="count instructions alone")
    only.add_argument("--throughput", action="store_true", help="measure throughput and processor time alone")
    parser.add_argument("--rounds", type=int, default=3, choices=range(1, 21), metavar="1..20")
    parser.add_argument("--seconds", type=float, default=1.0, help="what a measurement of throughput takes")
    parser.add_argument("--limit", type=int, default=1200, help="seconds after which no measurement is begun")
    parser.add_argument("--servers", help="some of them, by their names in the table")
    parser.add_argument("--workloads", help=", ".join(WORKLOADS))
    parser.add_argument("--check", action="store_true", help="exit with 1 when a goal is missed")
    options = parser.parse_args(arguments)
    if not 0 < options.seconds <= 30:
        parser.error("--seconds takes more than 0 and at most 30")
    if not options.instructions and not options.throughput:
        options.instructions = options.throughput = True
    options.workloads = options.workloads.split(",") if options.workloads else list(WORKLOADS)
    if unknown := [name for name in options.workloads if name not in WORKLOADS]:
        parser.error(f"no workload {', '.join(unknown)}")
    return options


def main():
    options = options_of(sys.argv[1:])
    build = options.build.resolve()
    commands, notes = servers(build)
    if options.servers:
        if unknown := [name for name in options.servers.split(",") if name not in commands]:
            sys.exit(f"run.py: no server {', '.join(unknown)}; there are {', '.join(commands)}")
        commands = {name: words for name, words in commands.items() if name in options.servers.split(",")}
    if options.instructions and not shutil.which("valgrind"):
        notes.append("instructions: skipped, valgrind is not installed")
        options.instructions = False
    if not options.throughput and commands.pop("Twisted", None):
        notes.append("Twisted: left out, callgrind would count Python's interpreter")
    if options.throughput and os.getloadavg()[0] > 0.5:
        notes.append(f"the machine was busy with other things when this began (load {os.getloadavg()[0]:.1f})")
    seen = measure(Bench(build), commands, options)
    print_table(commands, seen, options.workloads)
    notes += [each["error"] for each in seen.values() if "error" in each]
    missed = list(missed_goals(seen))
    print()
    for note in [*notes, *(f"goal missed: {goal}" for goal in missed)]:
        print(note)
    sys.exit(1 if any("error" in each for each in seen.values()) or (options.check and missed) else 0)


main()

#!/usr/bin/env python3
"""A program outside of the tree is built against an installed Torsion, and run.

Arguments: pkgconfig, cmake or subproject; the build directory; the C++ compiler's words.

The prefix is not the one that the build was set up with: what is installed can be moved.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONSUMER = pathlib.Path(__file__).resolve().parent / "consumer"


def run(*words, **options):
    words = [str(word) for word in words]
    print("+", " ".join(words), flush=True)
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options)
    if done.returncode:
        print(done.stdout)
        sys.exit(f"exit status {done.returncode}")
    return done.stdout.strip()


def install(build, scratch):
    """Installs into a moved prefix; returns it and the folder of the libraries."""
    run("meson", "install", "-C", build, "--no-rebuild", "--destdir", scratch / "staged")
    config = next((scratch / "staged").rglob("torsion.pc"))
    libdir = config.parents[1]
    prefix = next(parent for parent in libdir.parents if (parent / "include").is_dir())
    moved = scratch / "moved"
    prefix.rename(moved)
    return moved, moved / libdir.relative_to(prefix)


def through_pkgconfig(build, scratch, compiler):
    _, libdir = install(build, scratch)
    env = dict(os.environ, PKG_CONFIG_PATH=str(libdir / "pkgconfig"), LD_LIBRARY_PATH=str(libdir))
    for kind in ("shared", "static"):
        flags = run("pkg-config", "--cflags", "--libs", *(["--static"] if kind == "static" else []), "torsion", env=env)
        program = scratch / f"consumer_{kind}"
        words = flags.split()
        if kind == "static":
            words = [str(libdir / "libtorsion.a") if word == "-ltorsion" else word for word in words]
        run(*compiler, "-std=c++20", CONSUMER / "main.cpp", *words, "-o", program)
        print(run(program, env=env))


def through_cmake(build, scratch, compiler):
    if not shutil.which("cmake"):
        print("[skip] tools: install cmake (there is no cmake)")
        sys.exit(77)
    prefix, _ = install(build, scratch)
    out = scratch / "cmake"
    run("cmake", "-G", "Ninja", "-S", CONSUMER, "-B", out, f"-DCMAKE_PREFIX_PATH={prefix}", f"-DCMAKE_CXX_COMPILER={compiler[-1]}")
    run("cmake", "--build", out)
    for kind in ("torsion", "static"):
        print(run(out / f"consumer_{kind}"))


def as_subproject(_, scratch, compiler):
    project = scratch / "project"
    shutil.copytree(CONSUMER, project)
    (project / "subprojects").mkdir()
    (project / "subprojects" / "torsion").symlink_to(ROOT)
    out = project / "out"
    run("meson", "setup", out, project, "-Doptimization=0", "-Ddebug=false", env=dict(os.environ, CXX=" ".join(compiler)))
    run("ninja", "-C", out, "consumer")
    print(run(out / "consumer"))


def main():
    how, build, *compiler = sys.argv[1:]
    ways = {"pkgconfig": through_pkgconfig, "cmake": through_cmake, "subproject": as_subproject}
    with tempfile.TemporaryDirectory(prefix="torsion-install-") as scratch:
        ways[how](pathlib.Path(build), pathlib.Path(scratch), compiler)


main()

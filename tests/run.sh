#!/usr/bin/env bash
# Builds Torsion and runs its tests. The last lines are "K skipped: names" and "N passed, N failed", where N counts the
# cases of the test program and every other test as one.
#
#   tests/run.sh [--long] [--suite NAME]... [--build DIRECTORY] [-D...]...
#
#   --long             the cases and programs that take longer, too
#   --suite NAME       this suite of Meson alone: core, tree, install …; may be repeated
#   --build DIRECTORY  where to build, relative to the tree's root (build)
#   --target NAME      what to build (all)
#   -D...              options for Meson
#
# What cannot be run here is skipped, for want of
#
#   peers      a program to talk with (nc, socat, Twisted)
#   tools      a program of the build (cmake)
#   hosts      a library or program in whose loop the reactor is tested (GLib, Qt, node, …)
#   network    IPv6, privileges, descriptors
#   sanitizer  a build without one
#   debug      a build with assertions
#
# TORSION_REQUIRE=peers,tools makes a skip of one of the kinds it names a failure.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
dir=build
target=all
options="-Dtests=enabled -Dexamples=enabled"
suites=()
long=()
while [ $# -gt 0 ]; do
    case "$1" in
    --long) long=(--long) ;;
    --suite) suites+=(--suite "${2:?}") && shift ;;
    --build) dir=${2:?} && shift ;;
    --target) target=${2:?} && shift ;;
    -D*) options+=" $1" ;;
    *)
        sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2
        exit 2
        ;;
    esac
    shift
done

"$root/subprojects/install-deps.sh"
for more in --tests --hosts; do
    "$root/subprojects/install-deps.sh" "$more" || echo "run.sh: the tests that need these will be skipped" >&2
done
"$root/subprojects/build.sh" "$dir" "$options" "$target"
[ ${#long[@]} -eq 0 ] || export TORSION_LONG=1

cd "$root"
echo "run.sh: testing" >&2
rm -f "$dir/meson-logs/testlog.json"
# A sanitizer takes its time, and so do the long cases.
slow=1
[[ $options != *b_sanitize* ]] || slow=4
[ ${#long[@]} -eq 0 ] || slow=$((slow * 6))
meson test -C "$dir" --no-rebuild --timeout-multiplier "$slow" "${suites[@]}" >"$dir/tests.log" 2>&1 </dev/null || true
python3 tests/summary.py "$dir/meson-logs/testlog.json"

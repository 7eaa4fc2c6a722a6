#!/usr/bin/env bash
# Installs what is missing, builds, and measures echo servers side by side. Takes about five minutes after the build;
# nothing else should run meanwhile.
#
#   tests/benchmarks/run.sh [--instructions | --throughput] [--rounds N] [--build DIRECTORY] [ARGS...]
#
#   --instructions     count instructions alone: exact, and the machine may be busy
#   --throughput       measure throughput and processor time alone
#   --rounds N         of throughput (3)
#   --build DIRECTORY  where to build, relative to the tree's root (build)
#   ARGS...            for run.py, see run.py --help
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
dir=build
args=()
while [ $# -gt 0 ]; do
    case "$1" in
    --build) dir=${2:?} && shift ;;
    -h | --help)
        sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
        exit 0
        ;;
    *) args+=("$1") ;;
    esac
    shift
done

"$root/subprojects/install-deps.sh"
"$root/subprojects/build.sh" "$dir" "-Dtests=enabled -Dexamples=enabled" benchmarks
# run.py begins nothing after 20 minutes; this is for what hangs.
exec timeout -k 10 1800 python3 "$root/tests/benchmarks/run.py" "$root/$dir" "${args[@]}"

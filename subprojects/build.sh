#!/usr/bin/env bash
# Sets up a build directory of this tree and builds in it. Called by examples/run.sh and tests/run.sh.
#
#   build.sh DIRECTORY "MESON OPTIONS" TARGET...
#
# DIRECTORY is relative to the tree's root. It is set up afresh when the options differ from those of the last time.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
dir=$1
options=$2
shift 2

# Lets ccache, where it is installed, find what another clone or directory has compiled, precompiled headers included.
export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1
export CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime

asked=$dir/.torsion-options
if [ ! -f "$dir/build.ninja" ] || [ "$(cat "$asked" 2>/dev/null)" != "$root $options" ]; then
    echo "build.sh: setting up $dir" >&2
    mkdir -p "$dir"
    rm -rf "$dir/build.ninja" "$dir/meson-private"
    # shellcheck disable=SC2086 # the options are words
    meson setup "$dir" $options >"$dir/setup.log" 2>&1 || {
        cat "$dir/setup.log" >&2
        exit 1
    }
    echo "$root $options" >"$asked"
fi
echo "build.sh: building in $dir" >&2
ninja -C "$dir" "$@" >"$dir/build.log" 2>&1 || {
    grep -v '^\[' "$dir/build.log" >&2 || cat "$dir/build.log" >&2
    echo "build.sh: the build in $dir failed" >&2
    exit 1
}

#!/usr/bin/env bash
# Installs what is missing, builds, and runs an example.
#
#   examples/run.sh                  the timestamp server and a client that talks with it
#   examples/run.sh NAME ARGS...     any example
#   examples/run.sh --list           their names
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
"$root/subprojects/install-deps.sh"
"$root/subprojects/build.sh" build "-Dtests=enabled -Dexamples=enabled" examples
programs=$root/build/examples

if [ "${1:-}" = --list ]; then
    find "$programs" -maxdepth 1 -type f -perm -u+x -printf '%f\n' | sort
    exit 0
fi
if [ $# -gt 0 ]; then
    name=$1
    shift
    if [ ! -x "$programs/$name" ]; then
        echo "run.sh: there is no example $name; see --list" >&2
        exit 2
    fi
    exec "$programs/$name" "$@"
fi

said=$(mktemp)
"$programs/timestamp_server" --port 0 >"$said" </dev/null &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -f "$said"' EXIT

port=
for _ in $(seq 100); do
    port=$(sed -n 's/^READY //p' "$said")
    [ -z "$port" ] || break
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
done
if [ -z "$port" ]; then
    echo "run.sh: the server did not start:" >&2
    cat "$said" >&2
    exit 1
fi

printf '%s\n' "hello" "is it late?" "goodbye" | "$programs/timestamp_client" --host 127.0.0.1 --port "$port" |
    sed 's/^/client | /'
kill "$server"
wait "$server" || true
sed 's/^/server | /' "$said"

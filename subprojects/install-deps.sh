#!/usr/bin/env bash
# Installs the system packages that Torsion is built with. Does nothing, and says nothing, when all is there.
#
#   install-deps.sh                 what the build needs
#   install-deps.sh --tests         what some tests use besides (CMake, peers to talk with); they skip without
#   install-deps.sh --apt NAME...   just these packages, by their Debian names
set -euo pipefail

say() { echo "install-deps: $*" >&2; }

# Runs a command as root.
asRoot() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        say "neither root nor sudo: run this as root: $*"
        exit 1
    fi
}

# Mirrors have hiccups: a command is tried three times.
thrice() {
    local try
    for try in 1 2 3; do
        "$@" && return 0
        say "failed (try $try of 3): $*"
        sleep $((try * 5))
    done
    return 1
}

aptInstall() {
    say "apt-get install $*"
    thrice asRoot apt-get -q update >/dev/null || say "the package lists could not be brought up to date; going on"
    thrice asRoot env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 \
        install --no-install-recommends "$@" >/dev/null
}

# Which of the named Debian packages are not installed.
aptMissing() {
    local name
    for name in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || echo "$name"
    done
}

hasCommand() { command -v "$1" >/dev/null; }
hasModule() { pkg-config --atleast-version="$2" "$1" 2>/dev/null; }
hasHeader() { echo "#include <$1>" | c++ -std=c++20 -E -x c++ - >/dev/null 2>&1; }

hasTwisted() {
    local python
    for python in python3 /usr/bin/python3; do
        "$python" -c 'import twisted' 2>/dev/null && return
    done
    return 1
}

# What is missing, by names of ours, which package() turns into the system's.
missing() {
    if [ "$1" = --tests ]; then
        hasCommand cmake || echo cmake
        hasCommand nc || echo netcat
        hasCommand socat || echo socat
        hasTwisted || echo twisted
        return
    fi
    hasCommand c++ || echo compiler
    hasCommand meson || echo meson
    hasCommand ninja || echo ninja
    hasCommand pkg-config || echo pkg-config
    hasCommand python3 || echo python
    hasModule libuv 1.44 || echo libuv
    hasModule spdlog 1.10 || echo spdlog
    hasHeader doctest/doctest.h || echo doctest
    hasHeader CLI/CLI.hpp || echo cli11
}

package() {
    case "$manager:$1" in
    apt-get:compiler) echo g++ libc6-dev ;;
    apt-get:ninja | dnf:ninja) echo ninja-build ;;
    apt-get:python | dnf:python | brew:python) echo python3 ;;
    apt-get:libuv) echo libuv1-dev ;;
    apt-get:spdlog) echo libspdlog-dev ;;
    apt-get:doctest) echo doctest-dev ;;
    apt-get:cli11) echo libcli11-dev ;;
    apt-get:netcat) echo netcat-openbsd ;;
    apt-get:twisted | dnf:twisted) echo python3-twisted ;;
    dnf:compiler) echo gcc-c++ ;;
    dnf:pkg-config) echo pkgconf-pkg-config ;;
    dnf:libuv | dnf:spdlog | dnf:doctest | dnf:cli11) echo "$1-devel" ;;
    pacman:compiler | brew:compiler) echo gcc ;;
    pacman:pkg-config) echo pkgconf ;;
    pacman:netcat) echo openbsd-netcat ;;
    pacman:twisted) echo python-twisted ;;
    brew:twisted) ;; # not packaged; pip has it
    *) echo "$1" ;;
    esac
}

if [ "${1:-}" = --apt ]; then
    shift
    mapfile -t names < <(aptMissing "$@")
    [ "${#names[@]}" -eq 0 ] || aptInstall "${names[@]}"
    exit 0
fi

mapfile -t wanted < <(missing "${1:-}")
[ "${#wanted[@]}" -eq 0 ] && exit 0
say "missing: ${wanted[*]}"

manager=
for candidate in apt-get dnf pacman brew; do
    if hasCommand "$candidate"; then
        manager=$candidate
        break
    fi
done
names=()
for item in "${wanted[@]}"; do
    read -r -a found <<<"$(package "$item")"
    names+=("${found[@]}")
done
case "$manager" in
apt-get) aptInstall "${names[@]}" ;;
dnf) say "dnf install ${names[*]}" && thrice asRoot dnf -q -y install "${names[@]}" >&2 ;;
pacman) say "pacman -S ${names[*]}" && thrice asRoot pacman -Sy --noconfirm --needed "${names[@]}" >&2 ;;
brew) say "brew install ${names[*]}" && thrice brew install --quiet "${names[@]}" >&2 ;;
*)
    say "no package manager known to this script (apt-get, dnf, pacman, brew): install these yourself: ${wanted[*]}"
    exit 1
    ;;
esac

#!/usr/bin/env bash
# Installs the system packages that Torsion is built with. Does nothing, and says nothing, when all is there.
#
#   install-deps.sh                 what the build needs
#   install-deps.sh --tests         what some tests use besides (CMake, peers to talk with); they skip without
#   install-deps.sh --hosts         what has a loop to be inside of (GLib, Qt, …): what is missing is not tested or shown
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

# Its loop's interface as headers; many a node comes with its own.
hasNodeHeaders() {
    [ -e /usr/include/node/node_api.h ] ||
        { hasCommand node && [ -e "$(dirname "$(readlink -f "$(command -v node)")")/../include/node/node_api.h" ]; }
}

# A window shows text with it.
hasFont() { ! hasCommand fc-list || fc-list | grep -q .; }

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
    if [ "$1" = --hosts ]; then
        hasModule glib-2.0 2.36 || echo glib
        hasModule Qt5Core 5.15 || echo qt5
        hasModule Qt6Widgets 6 || echo qt6
        hasHeader asio.hpp || echo asio
        hasHeader boost/asio/io_context.hpp || echo boost
        hasModule libevent 2.1 || echo libevent
        hasModule libsystemd 247 || echo systemd
        hasCommand node || echo node
        hasNodeHeaders || echo node-headers
        hasFont || echo font
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
    apt-get:glib) echo libglib2.0-dev ;;
    apt-get:qt5) echo qtbase5-dev ;;
    apt-get:qt6) echo qt6-base-dev ;;
    apt-get:asio) echo libasio-dev ;;
    apt-get:boost) echo libboost-dev ;;
    apt-get:libevent) echo libevent-dev ;;
    apt-get:systemd) echo libsystemd-dev ;;
    apt-get:node | dnf:node | pacman:node) echo nodejs ;;
    apt-get:node-headers) echo libnode-dev ;;
    apt-get:font) echo fonts-dejavu-core ;;
    apt-get:twisted | dnf:twisted) echo python3-twisted ;;
    dnf:compiler) echo gcc-c++ ;;
    dnf:pkg-config) echo pkgconf-pkg-config ;;
    dnf:libuv | dnf:spdlog | dnf:doctest | dnf:cli11) echo "$1-devel" ;;
    dnf:glib) echo glib2-devel ;;
    dnf:qt5 | dnf:qt6) echo "$1-qtbase-devel" ;;
    dnf:asio | dnf:boost | dnf:libevent | dnf:systemd) echo "$1-devel" ;;
    dnf:node-headers) echo nodejs-devel ;;
    dnf:font) echo dejavu-sans-fonts ;;
    pacman:compiler | brew:compiler) echo gcc ;;
    pacman:pkg-config) echo pkgconf ;;
    pacman:netcat) echo openbsd-netcat ;;
    pacman:twisted) echo python-twisted ;;
    pacman:glib) echo glib2-devel ;;
    pacman:qt5 | pacman:qt6) echo "$1-base" ;;
    pacman:systemd) echo systemd-libs ;;
    pacman:node-headers) ;; # with nodejs
    pacman:font) echo ttf-dejavu ;;
    brew:qt5) echo qt@5 ;;
    brew:qt6) echo qt ;;
    brew:systemd | brew:node-headers | brew:font) ;; # not there, with node, with the system
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

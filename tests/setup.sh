#!/bin/sh
# Installs what `make test` needs beside Rust: a C compiler, make, C modules for Lua 5.3, the WebSocket
# libraries of Python and Node.js, Chromium, redis-server, g++ and hiredis for the bridge's peer, and for
# root ip, with which the cluster's tests make two hosts.
# Debian and Ubuntu, as root: through apt. Elsewhere it says what is missing. It is quick when all is there.
set -eu

packages=
need() { packages="$packages $1"; }
have_package() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q ' installed$'; }

command -v cc >/dev/null || need gcc
[ -e /usr/include/stdio.h ] || need libc6-dev
command -v make >/dev/null || need make
# Ubuntu has it as a snap alone: there one that is installed already serves.
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null ||
  need chromium
[ "$(id -u)" != 0 ] || command -v ip >/dev/null || need iproute2
if command -v dpkg-query >/dev/null; then
  for package in lua-cjson lua-lpeg lua-filesystem python3-websockets nodejs node-ws redis-server redis-tools g++ libhiredis-dev; do
    have_package "$package" || need "$package"
  done
fi

if [ -n "$packages" ]; then
  if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    echo "tests/setup.sh: missing:$packages. As root: apt-get install$packages" >&2
    exit 1
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq || true # a stale list may do; the next line tells
  # shellcheck disable=SC2086 # a list of names
  apt-get install -qq -y --no-install-recommends $packages >/dev/null
fi

for tool in cargo rustfmt cargo-clippy; do
  command -v "$tool" >/dev/null || {
    echo "tests/setup.sh: no $tool: rustup component add rustfmt clippy (rustup: https://rustup.rs)" >&2
    exit 1
  }
done

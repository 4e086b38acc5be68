#!/bin/bash
# mesh.sh [NODES...]: that many nodes on loopback, each linked with each other, and what a link takes.
#
# A node of a mesh of N has N - 1 links to others and N - 1 connections of others; the figures are for one such pair of
# ends (the link and the connection that one peer adds to a node). They should not grow with N.
# NODE: the binary.
set -u
cd "$(dirname "$0")" || exit 1
node=$(realpath "${NODE:-../target/release/node}") || exit 1
work=$(mktemp -d)
pids=
finish() {
  [ -z "$pids" ] || kill -KILL $pids 2>/dev/null
  wait 2>/dev/null
  rm -rf "$work"
}
trap finish EXIT

wait_for() { # wait_for WORD COUNT: until so many nodes have printed it
  for _ in $(seq 1200); do
    [ "$(grep -l "^$1" "$work"/n*.log 2>/dev/null | wc -l)" -eq "$2" ] && return
    sleep 0.05
  done
  echo "mesh.sh: not all of $2 nodes are $1" >&2
  tail -n 3 "$work"/n*.log >&2
  exit 1
}

total() { # total: descriptors and KiB of anonymous memory of all nodes
  local descriptors=0 memory=0
  for pid in $pids; do
    descriptors=$((descriptors + $(ls "/proc/$pid/fd" | wc -l)))
    memory=$((memory + $(awk '/^RssAnon/ { print $2 }' "/proc/$pid/status")))
  done
  echo "$descriptors $memory"
}

mesh() { # mesh NODES
  local count=$1
  rm -f "$work"/*
  for number in $(seq "$count"); do
    echo "n$number = \"127.0.3.$number:18712\""
  done >"$work/clustername.lua"
  pids=
  for number in $(seq "$count"); do
    cat >"$work/n$number.config" <<END
thread = 2
harbor = 0
start = "mesh"
luaservice = "$PWD/services/?.lua"
lua_path = "$PWD/lib/?.lua"
cluster = "$work/clustername.lua"
me = "n$number"
nodes = $count
go = "$work/go"
END
    "$node" "$work/n$number.config" >"$work/n$number.log" 2>&1 &
    pids="$pids $!"
  done
  wait_for READY "$count"
  local before after links
  before=$(total)
  : >"$work/go"
  wait_for LINKED "$count"
  after=$(total)
  links=$((count * (count - 1)))
  echo "$before $after" | awk -v nodes="$count" -v links="$links" \
    '{ printf "| %d | %d | %.2f | %.1f |\n", nodes, links, ($3 - $1) / links, ($4 - $2) / links }'
  kill $pids
  wait 2>/dev/null
  pids=
}

echo "| nodes | links | descriptors a link | KiB a link, both ends |"
echo "|---|---|---|---|"
for count in ${*:-2 4 8 16 32}; do
  mesh "$count"
done

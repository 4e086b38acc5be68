#!/bin/sh
# run.sh [NODE]: the bridge between two processes over a redis-server of its own, which is started and ended here.
# The fishing game's node prints each step; the C++ peer (cpp/) can take the main game's place.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
node=${1:-$root/node}
command -v redis-server >/dev/null || {
  echo "run.sh: needs redis-server (Debian, Ubuntu: apt-get install redis-server)" >&2
  exit 1
}
work=$(mktemp -d)
port=${PORT:-16379}
# A redis-server whose folder is gone before it has ended does not end.
trap 'kill $(cat "$work"/*.pid 2>/dev/null) 2>/dev/null || :; wait; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

for game in main fishing; do
  cat >"$work/$game" <<END
thread = 2
harbor = 0
start = "bridge_$game"
luaservice = "$root/scripts/?.lua"
redis_address = "127.0.0.1:$port"
END
done
redis-server --port "$port" --bind 127.0.0.1 --dir "$work" --save '' --appendonly yes --appendfsync always >"$work/redis.log" &
echo $! >"$work/redis.pid"
"$node" "$work/main" &
echo $! >"$work/main.pid"
"$node" "$work/fishing" >"$work/fishing.log" &
echo $! >"$work/fishing.pid"
until grep -q 'open transfers' "$work/fishing.log"; do
  for part in redis main fishing; do
    kill -0 "$(cat "$work/$part.pid")" 2>/dev/null || {
      echo "run.sh: $part has ended" >&2
      [ $part = main ] || tail -n 5 "$work/$part.log" >&2
      exit 1
    }
  done
  sleep 0.1
done
grep '^fishing:' "$work/fishing.log"

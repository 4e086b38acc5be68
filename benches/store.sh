#!/bin/sh
# store.sh NODE: redis-benchmark against the embedded store of the program NODE and against redis-server, one after the
# other on this machine. Needs redis-server and redis-tools.
set -eu
node=$(realpath "$1")
folder=$(mktemp -d)
servers=
trap 'kill $servers 2>/dev/null; wait; rm -rf "$folder"' EXIT
cd "$folder"
echo 'require("skynet").start(function() end)' >main.lua
embedded() { # PORT MORE
  printf 'thread = 2\nharbor = 0\nluaservice = "./?.lua"\nredis = "embedded:%s"\n%s\n' "$1" "$2" >"config$1"
  "$node" "config$1" >"log$1" 2>&1 &
  servers="$servers $!"
}
genuine() { # PORT OPTIONS
  port=$1
  shift
  redis-server --port "$port" --save '' --dir "$folder" "$@" >"log$port" 2>&1 &
  servers="$servers $!"
}
embedded 16501 ''
embedded 16502 'redis_file = "./data.aof"'
genuine 16503
genuine 16504 --appendonly yes --appendfsync everysec
for port in 16501 16502 16503 16504; do
  tries=0
  until redis-cli -p "$port" ping >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || { cat "log$port" >&2; exit 1; }
    sleep 0.1
  done
done
run() { # NAME PORT ARGUMENTS
  row=$1 port=$2
  shift 2
  # A command may have commas in it.
  redis-benchmark -p "$port" -q --csv "$@" |
    awk -F'","' -v row="$row" 'NR > 1 { gsub(/[",]/, " ", $1); sub(/^ /, "", $1); print row "," $1 "," $2 }'
}
echo 'what,command,ops/s'
all=set,get,incr,lpush,rpop,sadd,hset,zadd,lrange_100,mset
for name in redis,16503 embedded,16501 redis_file,16504 embedded_file,16502; do
  run "${name%,*}_50" "${name#*,}" -n 50000 -c 50 -t $all
done
for name in redis,16503 embedded,16501; do
  run "${name%,*}_50_pipelined_16" "${name#*,}" -n 300000 -c 50 -P 16 -t set,get,incr,hset,zadd
  run "${name%,*}_1" "${name#*,}" -n 10000 -c 1 -t set,get
  run "${name%,*}_50_eval" "${name#*,}" -n 30000 -c 50 eval "return redis.call('incr',KEYS[1])" 1 k
done

#!/bin/bash
# run.sh SKYNET [BENCH...]: this node and a genuine skynet in turns, and the medians as a table.
#
# SKYNET is a built tree (its binary, lualib/, service/, luaclib/, cservice/). Further trees can be
# named in PEERS, separated by spaces; the best of all peers is what the ratio is against.
# ROUNDS (default 5) is the number of runs each. Every run is a fresh process, thread = 2.
set -u
cd "$(dirname "$0")" || exit 1
skynet=${1:?usage: run.sh SKYNET [BENCH...]}
shift
node=${NODE:-../target/release/node}
rounds=${ROUNDS:-5}
# Echo servers, with the port of each; clients/loadgen.c is their peer. Beside the rate they give
# the processor time of the node a message, as NAME_cpu. websocket_10k is 10,000 connections with a
# message a second each for 15 seconds: its latencies and the memory of a connection.
declare -A ports=([socket_line]=18701 [socket_echo]=18702 [websocket_echo]=18703 [websocket_echo_nodelay]=18703 [websocket_echo_4k]=18703 [websocket_10k]=18703)
plain="call_pingpong call_concurrent call_many send_flood send_burst call_payload ring yield spawn timers start_time socket_line socket_echo websocket_echo websocket_echo_nodelay websocket_echo_4k websocket_10k gate_echo cluster_call redis_ops formats"
# Descriptors for 10,000 connections, at the node and at its peer.
if [ "$(ulimit -n)" -lt 12000 ]; then
  ulimit -n 12000 || { echo "run.sh: 12000 descriptors are wanted (ulimit -n)" >&2; exit 1; }
fi
work=$(mktemp -d)
redis=
trap '[ -z "$redis" ] || kill "$redis"; rm -rf "$work"' EXIT
echo 'server = "127.0.0.1:18710"' >"$work/clustername.lua"

config() { # config ROOT BENCH FILE
  local service=$2 nodelay=false
  case $2 in websocket_echo_* | websocket_10k) service=websocket_echo nodelay=true ;; esac
  cat >"$3" <<END
thread = 2
harbor = 0
bench = "$PWD/"
root = "$1/"
logpath = "."
bootstrap = "snlua bootstrap"
start = "$service"
bench_nodelay = $nodelay
luaservice = bench.."services/?.lua;"..root.."service/?.lua"
lualoader = root.."lualib/loader.lua"
lua_path = bench.."lib/?.lua;"..root.."lualib/?.lua;"..root.."lualib/?/init.lua"
lua_cpath = root.."luaclib/?.so"
cpath = root.."cservice/?.so"
sandbox = "$PWD/sandbox.toml"
cluster = "$work/clustername.lua"
END
}

serve() { # serve LABEL BINARY BENCH: the config is written
  local messages=2000 connections=64 kind=tcp size=64 interval=0
  case $3 in
    websocket_10k) kind=ws messages=15 connections=10000 interval=1000 ;;
    # As shipped, a skynet answers some twenty times a second on each connection.
    websocket_echo) kind=ws messages=60 ;;
    websocket_echo_nodelay) kind=ws messages=1500 ;;
    websocket_echo_4k) kind=ws messages=1000 size=4096 ;;
  esac
  [ -x "$work/loadgen" ] || gcc -O2 -o "$work/loadgen" clients/loadgen.c || exit 1
  : >"$work/out"
  (
    TIMEFORMAT='%U %S'
    time timeout 120 "$2" "$work/config" >"$work/out" 2>&1
  ) 2>"$work/cpu" &
  local node=$!
  until grep -aq READY "$work/out"; do
    kill -0 $node 2>/dev/null || { echo "BENCH-FAILED $3: $1 does not start" >&2; return; }
    sleep 0.05
  done
  "$work/loadgen" $kind "$3" "${ports[$3]}" -m $messages -c $connections -s $size \
    -i $interval >"$work/said"
  wait $node
  sed -nE "s/^BENCH name=([^ ]+) value=([^ ]+) unit=([^ ]+).*/$1 \1 \2 \3/p" "$work/said" >>"$work/results"
  [ $interval = 0 ] || return 0 # the opening of the connections would be most of it
  awk -v count=$((messages * connections)) -v label="$1" -v bench="$3" \
    '{ printf "%s %s_cpu %.2f us/msg\n", label, bench, ($1 + $2) * 1e6 / count }' "$work/cpu" >>"$work/results"
}

# Benches of two processes: the one that is measured calls this one, which ends when it is told.
server_of() {
  case $1 in
    cluster_call) echo cluster_server ;;
    bridge_requests) echo bridge_server ;;
  esac
}

# One redis-server for all, with nothing on disk; it is started when a bench first needs it.
start_redis() {
  [ -z "$redis" ] || return 0
  redis-server --bind 127.0.0.1 --port 18720 --save '' --logfile "$work/redis.log" &
  redis=$!
  until grep -q 'Ready to accept' "$work/redis.log" 2>/dev/null; do
    kill -0 $redis 2>/dev/null || { echo "redis-server does not start: $(cat "$work/redis.log")" >&2; exit 1; }
    sleep 0.05
  done
}

run() { # run LABEL BINARY ROOT BENCH
  local server other
  case $4 in redis_* | bridge_*) start_redis ;; esac
  server=$(server_of "$4")
  if [ -n "$server" ]; then
    config "$3" "$server" "$work/server"
    timeout 120 "$2" "$work/server" >"$work/server.log" 2>&1 &
    other=$!
    for _ in $(seq 200); do
      grep -q READY "$work/server.log" && break
      sleep 0.05
    done
  fi
  config "$3" "$4" "$work/config"
  if [ -n "${ports[$4]:-}" ]; then
    serve "$1" "$2" "$4"
    return
  fi
  timeout 120 "$2" "$work/config" 2>&1 | grep -aoE 'BENCH(-FAILED)? .*' |
    sed -E "s/^BENCH name=([^ ]+) value=([^ ]+) unit=([^ ]+).*/$1 \1 \2 \3/" >>"$work/results"
  [ -z "${other:-}" ] || wait "$other" # the server of the bench
}

for round in $(seq "$rounds"); do
  for bench in ${*:-$plain}; do
    # Who runs first is at a disadvantage in some benches, so that changes from round to round.
    [ $((round % 2)) = 0 ] || run node "$node" "$PWD" "$bench"
    for peer in $skynet ${PEERS:-}; do
      run "$(basename "$peer")" "$peer/skynet" "$peer" "$bench"
    done
    [ $((round % 2)) = 1 ] || run node "$node" "$PWD" "$bench"
  done
  echo "round $round of $rounds done" >&2
done
# A loop without end also keeps a skynet from ending, and the bridge is this node's own.
if [ $# -eq 0 ]; then
  for _ in $(seq "$rounds"); do
    run node "$node" "$PWD" stall
    run node "$node" "$PWD" bridge_requests
  done
fi

awk '
  { values[$1, $2] = values[$1, $2] " " $3; unit[$2] = $4; label[$1] = 1; if (!seen[$2]++) order[++n] = $2 }
  function median(text,   parts, count, i, j, t) {
    count = split(text, parts, " ")
    for (i = 2; i <= count; i++)
      for (j = i; j > 1 && parts[j - 1] + 0 > parts[j] + 0; j--) { t = parts[j]; parts[j] = parts[j - 1]; parts[j - 1] = t }
    return count % 2 ? parts[(count + 1) / 2] : (parts[count / 2] + parts[count / 2 + 1]) / 2
  }
  END {
    printf "| bench | unit | node |"; for (l in label) if (l != "node") printf " %s |", l; print " node / best |"
    printf "|---|---|---|"; for (l in label) if (l != "node") printf "---|"; print "---|"
    for (i = 1; i <= n; i++) {
      b = order[i]; mine = median(values["node", b]); best = ""
      small = unit[b] ~ /^(ms|us|us\/msg|KiB\/service|KiB\/connection)$/
      printf "| %s | %s | %s |", b, unit[b], mine
      for (l in label) if (l != "node") {
        v = values[l, b] == "" ? "" : median(values[l, b]); printf " %s |", v
        if (v != "" && (best == "" || (small ? v + 0 < best + 0 : v + 0 > best + 0))) best = v
      }
      printf " %s |\n", best == "" || best + 0 == 0 ? "" : sprintf("%.2f", mine / best)
    }
  }' "$work/results"

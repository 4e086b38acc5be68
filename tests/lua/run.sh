#!/bin/bash
# run.sh BINARY ROOT [NAME...]   runs the Lua conformance pairs NAME.lua + NAME.out on a node
#
# BINARY: `node`, or the `skynet` of an existing tree.
# ROOT:   a skynet-shaped tree (service/, lualib/, luaclib/, cservice/); parts that BINARY has built in may be absent.
# LEVEL:  (environment) the skynet version that BINARY is, such as 1.3.0: pairs that are not meant for it are skipped.
# KEEP:   (environment) a directory that receives config, output and log of each pair.
#
# Leading comment lines of a pair may direct the run:
#   -- since: 1.5       needs this skynet or later
#   -- until: 1.8       describes skynets before this one
#   -- log: keep        compares the log lines on stdout too, their addresses written as :ADDR
#   -- config: LINE     appends LINE to the config
#   -- preload: FILE    sets the config key preload
# Without `log: keep` the log goes to a file, and what a node still logs on stdout is dropped.
set -u
export LC_ALL=C
if [ $# -lt 2 ]; then
  echo "usage: run.sh BINARY ROOT [NAME...]" >&2
  exit 2
fi
binary=$(realpath "$1") || exit 2
root=$(realpath "$2") || exit 2
shift 2
cd "$(dirname "$0")/../.." || exit 2
tests=tests/lua
seconds=${SECONDS_PER_PAIR:-20}
if [ -n "${KEEP:-}" ]; then
  mkdir -p "$KEEP" || exit 2
  work=$(realpath "$KEEP")
else
  work=$(mktemp -d) || exit 2
  trap 'rm -rf "$work"' EXIT
fi

directive() { # directive NAME KEY: the values of the leading `-- KEY: value` lines
  sed -n -e '/^--/!q' -e "s/^-- $2: *//p" "$tests/$1.lua"
}

before() { # before A B: version A is older than B
  [ "$1" != "$2" ] && [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]
}

unfit() { # unfit NAME: says why the pair is not for LEVEL
  [ -n "${LEVEL:-}" ] || return 1
  local since until
  since=$(directive "$1" since)
  until=$(directive "$1" until)
  if [ -n "$since" ] && before "$LEVEL" "$since"; then
    echo "since $since"
  elif [ -n "$until" ] && ! before "$LEVEL" "$until"; then
    echo "until $until"
  else
    return 1
  fi
}

write_config() { # write_config NAME: the config of the pair on stdout
  cat <<END
thread = 2
harbor = 0
bootstrap = "snlua bootstrap"
start = "$1"
luaservice = "$tests/?.lua;$tests/service/?.lua;$tests/service/?/init.lua;$root/service/?.lua"
lualoader = "$root/lualib/loader.lua"
lua_path = "$root/lualib/?.lua;$root/lualib/?/init.lua"
lua_cpath = "$root/luaclib/?.so"
cpath = "$root/cservice/?.so"
END
  [ "$(directive "$1" log)" = keep ] || echo "logger = \"$work/$1.log\""
  directive "$1" preload | sed 's/.*/preload = "&"/'
  directive "$1" config
}

said() { # said NAME: what the pair printed, made comparable
  if [ "$(directive "$1" log)" = keep ]; then
    sed -E 's/:[0-9a-f]{8}/:ADDR/g' "$work/$1.stdout"
  else
    grep -avE '^\[:[0-9a-fA-F]+\]' "$work/$1.stdout"
  fi
}

run() { # run NAME: succeeds when the node printed NAME.out and ended well
  write_config "$1" >"$work/$1.config"
  timeout -k 2 "$seconds" "$binary" "$work/$1.config" >"$work/$1.stdout" 2>"$work/$1.stderr" </dev/null
  local status=$?
  said "$1" >"$work/$1.said"
  diff -u --label "$1.out" "$tests/$1.out" --label "$1" "$work/$1.said" >"$work/$1.diff" && [ $status = 0 ] && return
  [ $status = 0 ] || echo "exit status $status" >>"$work/$1.diff"
  return 1
}

if [ $# = 0 ]; then
  set -- "$tests"/*.lua
fi
passed=0
failed=0
for name; do
  name=$(basename "$name" .lua)
  if why=$(unfit "$name"); then
    echo "skip $name ($why)"
  elif run "$name"; then
    passed=$((passed + 1))
    echo "ok $name"
  else
    failed=$((failed + 1))
    echo "FAILED $name"
    sed 's/^/  /' "$work/$name.diff"
    head -n 20 "$work/$name.stderr" | sed 's/^/  stderr: /'
    [ ! -f "$work/$name.log" ] || tail -n 20 "$work/$name.log" | sed 's/^/  log: /'
  fi
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]

#!/bin/bash
# record.sh SKYNET FORMAT: what a genuine skynet, built in the folder SKYNET, makes of the cases of
# FORMAT (crypt, md5, sproto or bson), as FORMAT/vectors.tsv keeps it.
set -eu
skynet=$(realpath "$1")
vectors=$(realpath "$(dirname "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/config" <<END
thread = 2
harbor = 0
bootstrap = "snlua bootstrap"
start = "print"
luaservice = "$vectors/?.lua;$skynet/service/?.lua"
lualoader = "$skynet/lualib/loader.lua"
lua_path = "$skynet/lualib/?.lua;$skynet/lualib/?/init.lua"
lua_cpath = "$skynet/luaclib/?.so"
cpath = "$skynet/cservice/?.so"
logger = "$work/log"
cases = "$vectors/$2/cases.lua"
END
"$skynet/skynet" "$work/config" | grep -av '^\[:'

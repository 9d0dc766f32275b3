#!/bin/sh
# run_echo.sh SERVER CLIENT: both on a port that the system chooses; prints what both print.
set -eu
said=$(mktemp -d)
trap 'rm -rf "$said"' EXIT
mkfifo "$said/server"
"$1" 0 >"$said/server" &
server=$!
{
    read -r words
    "$2" "${words##* }" one two three
    kill -INT "$server"
    cat
} <"$said/server"
wait "$server"

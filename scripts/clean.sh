#!/usr/bin/env bash
# Stops what runs and removes everything that building and running made: the
# build folder, the state (store included) and its live segment.
set -eu
. "$(dirname "$0")/lib.sh"

stop_all

for state in "$near" "$far"; do
    [ -d "$state/store" ] && [ -x "$build/aigw" ] || continue
    live=$("$build/aigw" --store "$state/store" store stats --json \
        | sed -n 's/.*"live_path": *"\([^"]*\)".*/\1/p')
    case $live in
        /run/aigw/?*|/dev/shm/aigw-?*) rm -rf -- "$live" ;;
    esac
done

rm -rf -- "$build" "$far"

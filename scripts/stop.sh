#!/usr/bin/env bash
# Stops what `make run` started, and nothing else.
set -eu
. "$(dirname "$0")/lib.sh"

stop_all

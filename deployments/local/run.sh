#!/bin/sh
# Runs a study on half of this machine's cores, two ranks a worker, and leaves one core to the driver.
# run.sh STUDY [further options of sweep run]
set -eu

ranks=${RANKS:-2}
cores=${CORES:-$(($(nproc) / 2))}
workers=$(((cores - 1) / ranks))
[ "$workers" -ge 1 ] || workers=1

exec sweep run "$@" --workers "$workers" --ranks "$ranks"

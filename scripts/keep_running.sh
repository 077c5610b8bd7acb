#!/usr/bin/env bash
# keep_running.sh TIMES COMMAND...: starts a command again when it fails, at most TIMES times, as torchrun's --max-restarts does:
#   scripts/keep_running.sh 20 mpirun -n 4 autotp-run plan/ --steps 1000 --save saved --save-every 100 --resume auto
# Its exit code is that of the last start. A wrong command line (2) is not tried again, and neither is a command that ended because
# SIGINT or SIGTERM came, which it gets as well.
set -u
times=${1:?"usage: keep_running.sh TIMES COMMAND..."}
shift
asked=""
for signal in INT TERM; do
  trap "asked=yes; kill -$signal \$child 2>/dev/null" $signal
done
for ((start = 0; ; ++start)); do
  "$@" &
  child=$!
  wait $child
  code=$?
  while kill -0 $child 2>/dev/null; do # a signal has ended the wait, and not yet the command
    wait $child
    code=$?
  done
  [ -n "$asked" ] || [ $code -eq 0 ] || [ $code -eq 2 ] || [ $start -ge "$times" ] && exit $code
  echo "keep_running.sh: it ended with $code, and is started again ($((start + 1)) of $times)" >&2
done

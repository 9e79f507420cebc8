#!/bin/sh
# Runs a program so that a signal ends it. As the container's first process it would ignore those that it has no
# handler for, and `docker stop` would wait for ten seconds.
# A program in the background would get an empty stdin.
exec 3<&0
"$@" <&3 3<&- &
program=$!
trap 'kill -TERM "$program" 2>/dev/null' TERM INT

# A signal ends a `wait` before the program does.
while kill -0 "$program" 2>/dev/null; do
    wait "$program"
    status=$?
done
exit "$status"

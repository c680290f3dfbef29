#!/bin/sh
# Ctrl-C and its like: claiming stops, commands get TERM and then KILL, nothing counts as failed, the same command line goes on.
. "$(dirname "$0")/lib.inc"

url=sqlite:.flowfabric/flowfabric.db
state() { "$FF" -q list --run "$1" --all -o jsonl | python3 -c 'import json,sys
for line in sys.stdin:
  r = json.loads(line)
  print(r["tags"]["run.line"], r["public_state"], r["total_attempt_count"], r["retry_count"])' | sort -n; }
start() { # FILE ARGS…
  "$FF" run "$@" >run.out 2>run.err &
  runner=$!
  ids=$runner
}
there() { [ -e "$1" ]; }

# SIGINT: polite commands end, the line is given back, not failed
cat >jobs.txt <<'JOBS'
{"command": "trap 'echo told >>told; exit 1' TERM; touch up1; n=0; while [ $n -lt 600 ]; do sleep 0.05; n=$((n+1)); done", "retries": 0}
touch up2; sleep 30 & sleep 30
echo never before >>third
JOBS
start jobs.txt -j 2
until_true 10 there up1 && until_true 10 there up2 || fail 'the commands did not start'
kill -INT $runner
wait $runner
equal $? 130 'the exit code after SIGINT'
has run.err stopping
has told told
hasnt run.out 'failed lines'
[ ! -e third ] || fail 'claimed after SIGINT'
equal "$(state jobs.txt | cut -d' ' -f4 | sort -u)" 0 'retries counted'
state jobs.txt | grep -q failed && fail 'an interrupted line failed'

# …and it goes on: the same attempts
rm -f up1 up2
start jobs.txt -j 2
until_true 10 there up1 && until_true 10 there up2 || fail 'interrupted lines did not run again'
kill -TERM $runner
wait $runner
equal $? 130 'the exit code after SIGTERM'
equal "$(state jobs.txt | head -n 1 | cut -d' ' -f3,4)" '1 0' 'attempts and retries: still the first attempt'

# a command that ignores TERM is killed after 5 s, at once by the second signal
cat >stubborn.txt <<'JOBS'
trap '' TERM; touch up3; while :; do sleep 0.1; done
JOBS
start stubborn.txt
until_true 10 there up3 || fail 'the command did not start'
kill -INT $runner
sleep 0.3
kill -0 $runner 2>/dev/null || fail 'the runner did not wait for the command'
before=$(date +%s%N)
kill -INT $runner
wait $runner
equal $? 130 'the exit code after two signals'
took=$((($(date +%s%N) - before) / 1000000))
[ $took -lt 2500 ] || fail "the second signal took $took ms"
gone() { ! pgrep -f 'touch up3' >/dev/null; }
until_true 3 gone || fail 'the command is still there'

# a group: what a command started dies with it, also after kill -9 of the runner
echo "sh -c 'touch up4; sleep 77 & sleep 77; sleep 77'" >group.txt
start group.txt
until_true 10 there up4 || fail 'the command did not start'
kill -9 $runner
wait $runner 2>/dev/null
gone() { ! pgrep -f 'sleep 77' >/dev/null; }
until_true 3 gone || fail 'a grandchild outlived the runner'

# a runner stopped while its commands go on outside: SIGHUP like the others
echo 'touch up5; sleep 30' >hup.txt
start hup.txt
until_true 10 there up5 || fail 'the command did not start'
kill -HUP $runner
wait $runner
equal $? 130 'the exit code after SIGHUP'
ids=
expect 0 doctor --url $url
echo ok

#!/bin/sh
# Leases: renewed while a command runs however long it is; lost when the runner was stopped for too long, and then the command is
# killed and its line runs again.
. "$(dirname "$0")/lib.inc"

there() { [ -e "$1" ]; }
attempts() { "$FF" -q list --run "$1" -o jsonl | python3 -c 'import json,sys
r = json.loads(sys.stdin.readline()); print(r["public_state"], r["total_attempt_count"], r["lease_reclaim_count"])'; }

# longer than its lease
echo 'sleep 2' >long.txt
expect 0 run long.txt --lease 500ms
equal "$(attempts long.txt)" 'completed 1 0' 'a renewed line'

# stopped for longer than the lease: the first command is killed, the line runs a second time
cat >lost.txt <<'JOBS'
echo $$ >>pids; test "$FF_ATTEMPT" -gt 0 || { touch up; sleep 20; echo survived >>survivor; }
JOBS
"$FF" run lost.txt --lease 600ms >run.out 2>run.err &
runner=$!
ids=$runner
until_true 10 there up || fail 'the command did not start'
kill -STOP $runner
sleep 1.5
kill -CONT $runner
wait $runner
equal $? 0 'the exit code'
ids=
has run.err 'lost its lease'
equal "$(attempts lost.txt)" 'completed 2 1' 'a line whose lease was lost'
equal "$(lines pids)" 2
kill -0 "$(head -n 1 pids)" 2>/dev/null && fail 'the command that lost its lease is still there'
[ ! -e survivor ] || fail 'the command that lost its lease went on'

# killed -9 with a long lease: taken over at once, not after the lease
echo 'touch up2.$FF_ATTEMPT; test "$FF_ATTEMPT" -gt 0 || sleep 60' >over.txt
"$FF" run over.txt --lease 1h >run.out 2>run.err &
runner=$!
ids=$runner
until_true 10 there up2.0 || fail 'the command did not start'
kill -9 $runner
wait $runner 2>/dev/null
ids=
before=$(date +%s%N)
expect 0 run over.txt --lease 1h
took=$((($(date +%s%N) - before) / 1000000))
[ $took -lt 3000 ] || fail "taking over took $took ms"
equal "$(attempts over.txt)" 'completed 2 1' 'a line taken over'

# a paused lane waits, says so, and goes on from there
expect 0 submit x --url sqlite:.flowfabric/flowfabric.db
echo 'echo done >>paused' >paused.txt
echo '{"command": "true", "lane": "side", "capabilities": ["none"]}' >>paused.txt
expect 1 run paused.txt
lane=$("$FF" -q list --run paused.txt --tag run.line=2 -o jsonl | python3 -c 'import json; print(json.loads(input())["lane_id"])')
expect 0 lanes pause "$lane" --url sqlite:.flowfabric/flowfabric.db
"$FF" run paused.txt --capability none >run.out 2>run.err &
runner=$!
ids=$runner
said() { grep -q 'nothing to do right now' run.err; }
until_true 10 said || fail 'a paused lane is not said'
kill -INT $runner
wait $runner
equal $? 130
expect 0 lanes resume "$lane" --url sqlite:.flowfabric/flowfabric.db
expect 0 run paused.txt --capability none
echo ok

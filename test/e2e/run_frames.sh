#!/bin/sh
# What commands of ff run put out is seen while they run, by ff tail in another process; ff summary.
. "$(dirname "$0")/lib.inc"

url=sqlite:.flowfabric/flowfabric.db
id_of() { # LINE [FILE]
  "$FF" -q list --run "${2:-jobs.txt}" --tag "run.line=$1" --all -o jsonl >field.out 2>err || return 1
  python3 -c 'import json
rows=[json.loads(line) for line in open("field.out")]
print(rows[-1]["execution_id"] if rows else "")'
}
id_known() { [ -n "$(id_of 1)" ]; }

cat >jobs.txt <<'JOBS'
echo one; echo two >&2; until test -e go; do sleep 0.05; done; printf 'Ünï\377 end'
echo "attempt $FF_ATTEMPT"; test "$FF_ATTEMPT" = 1
true
head -c 300000 /dev/zero | tr '\0' x; echo; echo last
JOBS
"$FF" run jobs.txt -j 4 -q >run.out 2>run.err &
run=$!
ids="$run"
until_true 20 id_known || fail "no store: $(cat run.err)"
first=$(id_of 1)

# ---- followed while it runs ----
"$FF" -q --url $url tail -f "$first" >tailed 2>tail.err &
tail=$!
ids="$run $tail"
until_true 20 grep -q two tailed || fail "nothing is seen while it runs: $(cat tail.err)"
has tailed one
hasnt tailed end
kill -0 $tail || fail 'the follower ended before its execution'
touch go
wait $run || fail "the run failed: $(cat run.err)"
wait $tail
equal $? 0 'the follower of a completed execution'
"$FF" -q --url $url result "$first" >result
cmp tailed result || fail 'what was followed is not what was left'

# ---- afterwards ----
expect 0 --url $url tail "$first"
cmp out result || fail 'the frames are not the output'
expect 0 --url $url tail "$first" -o jsonl
is_jsonl out
has out '"frame_type":"stdout"'
has out '"mode":"durable"'
expect 0 --url $url tail "$first" -o json
is_json out
expect 0 --url $url tail "$(id_of 3)"
equal "$(cat out)" '' 'a command without output'
expect 0 --url $url tail "$(id_of 4)"
equal "$(tail -n 1 out)" last 'the end of much output'
[ "$(wc -c <out)" -le 300100 ] || fail 'more than there was'

# ---- an attempt each ----
second=$(id_of 2)
expect 0 --url $url tail "$second"
equal "$(cat out)" 'attempt 1' 'the latest attempt'
expect 0 --url $url tail "$second" --attempt 0
equal "$(cat out)" 'attempt 0'
expect 0 --url $url tail -f "$second" --attempt 0
equal "$(cat out)" 'attempt 0' 'one attempt alone'
expect 0 --url $url tail "$second" --attempt 7
equal "$(cat out)" ''

# ---- through a retry to the end; the time that runs out ----
rm -f go
cat >more.txt <<'JOBS'
{"command": "echo try $FF_ATTEMPT; until test -e go; do sleep 0.05; done; exit 1", "retries": 1}
JOBS
"$FF" run more.txt -q >run.out 2>run.err &
run=$!
ids="$run"
more_known() { [ -n "$(id_of 1 more.txt)" ]; }
until_true 20 more_known || fail 'no second run'
third=$(id_of 1 more.txt)
expect 5 --url $url tail -f "$third" --timeout 300ms
has err timeout
"$FF" -q --url $url tail -f "$third" >tailed 2>tail.err &
tail=$!
ids="$run $tail"
until_true 20 grep -q 'try 0' tailed || fail 'the first attempt is not seen'
touch go
wait $run
wait $tail
equal $? 6 'the follower of a failed execution'
equal "$(cat tailed)" 'try 0
try 1' 'both attempts'

# ---- wrong command lines, what does not exist ----
expect 2 --url $url tail
expect 2 --url $url tail "$first" --attempt x
expect 1 --url $url tail "$first" --after start
has err after
expect 3 --url $url tail '{fp:7}:550e8400-e29b-41d4-a716-446655440000'
expect 3 --url $url summary "$first"
has err 'no summary'
expect 3 --url $url summary '{fp:7}:550e8400-e29b-41d4-a716-446655440000'
expect 2 --url $url summary

# ---- a document ----
s=sqlite:s.db
expect 0 --url $s call submit lane_id=a -o json
eid=$(json out '["execution_id"]')
expect 0 --url $s call claim lane_id=a worker_id=w worker_instance_id=w lease_ttl_ms=600000 -o json
python3 - <<'PY' >args.json
import json
print(json.dumps({"handle": json.load(open("out"))["handle"], "mode": "summary", "bytes": "eyJhIjp7ImIiOjF9LCJuIjpudWxsfQ=="}))
PY
expect 0 --url $s call append_frame "$(cat args.json)" -o json
equal "$(json out '["summary_version"]')" 1
expect 0 --url $s summary "$eid"
equal "$(cat out)" '{"a":{"b":1}}'
expect 0 --url $s summary "$eid" -o json
equal "$(json out '["document"]["a"]["b"]')" 1
equal "$(json out '["version"]')" 1

#!/bin/sh
# kill -9 at random instants and the same command line again, until it is done: every line has exactly one completed outcome, no
# command outlives its runner, interrupted lines are taken over at once.
. "$(dirname "$0")/lib.inc"

rounds=${FF_KILL_ROUNDS:-6}
total=${FF_KILL_LINES:-120}
url=sqlite:.flowfabric/flowfabric.db

# Each line says when it began and when it ended; one in ten fails once, in a way that is retried.
awk -v n="$total" 'BEGIN {
  for (i = 1; i <= n; i++) {
    if (i % 10 == 0) printf "echo began >>log.%d; sleep 0.0%d; test -e once.%d || { touch once.%d; exit 1; }; echo ended >>log.%d\n", i, i % 7, i, i, i
    else printf "echo began >>log.%d; (sleep 0.0%d; sleep 0.05); echo ended >>log.%d\n", i, i % 9, i
  }
}' >jobs.txt

# Random pauses that are the same for the same seed.
seed=${FF_SEED:-$$}
echo "seed $seed"
pauses=$(awk -v s="$seed" -v n="$rounds" 'BEGIN { srand(s); for (i = 0; i < n; i++) printf "%.2f ", 0.02 + rand() * rand() * 1.4 }')

for pause in $pauses; do
  "$FF" run jobs.txt -j 4 >run.out 2>run.err &
  runner=$!
  ids=$runner
  sleep "$pause"
  kill -9 $runner 2>/dev/null
  wait $runner 2>/dev/null
  ids=
  # the guard and the parent-death signal need a moment, not more
  orphans() { pgrep -f 'sleep 0\.0|jobs\.txt' | while read -r pid; do
    [ "$(readlink "/proc/$pid/cwd" 2>/dev/null)" = "$work" ] && echo "$pid"; done; }
  gone() { [ -z "$(orphans)" ]; }
  until_true 3 gone || fail "commands outlived their runner: $(ps -fp $(orphans))"
done

before=$(date +%s)
expect 0 run jobs.txt -j 4 -o json
[ $(($(date +%s) - before)) -le 12 ] || fail 'interrupted lines were not taken over at once'
equal "$(json out '["completed"]')" "$total"
equal "$(json out '["failed"]')" 0

# the audit: one completed execution a line, its side effect there, nothing else in the lane
"$FF" -q list --run jobs.txt --all -o jsonl >all.jsonl || fail list
python3 - "$total" <<'PY' || fail 'the audit'
import json, sys, collections
total = int(sys.argv[1])
rows = [json.loads(line) for line in open("all.jsonl")]
assert len(rows) == total, len(rows)
lines = collections.Counter(int(r["tags"]["run.line"]) for r in rows)
assert set(lines) == set(range(1, total + 1)) and max(lines.values()) == 1, lines
for r in rows:
    assert r["public_state"] == "completed", r
    n = int(r["tags"]["run.line"])
    log = open("log.%d" % n).read().split()
    assert log.count("ended") >= 1, (n, log)
    # what ended without being interrupted or retried ended once: more only when killed between the command's end and its record
    assert log.count("ended") <= 1 + r["lease_reclaim_count"], (n, log, r["lease_reclaim_count"])
PY
id=$(python3 -c 'import json; print(json.loads(open("all.jsonl").readline())["execution_id"])')
"$FF" --url $url events "$id" --json >events.json || fail events
equal "$(python3 -c 'import json; print(sum(e["completion"] == "success" for e in json.load(open("events.json"))))')" 1 'completions'

# nothing runs again
cksum log.* >sums
expect 0 run jobs.txt -j 4
cksum log.* | cmp -s - sums || fail 'a finished line ran again'
expect 0 doctor --url $url
echo ok

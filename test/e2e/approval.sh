#!/bin/sh
# examples/approval.c: two of three approve, and a job that nobody approves in time; then the same with the command line.
set -eu
approval=$(dirname "$FF")/approval
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

said=$("$approval")
[ "$said" = "ann says approved: buffered_for_pending_waitpoint
suspended
ann says approved: appended_to_waitpoint_duplicate
bob says rejected: signal_ignored_matcher_failed
cid says approved: resume_condition_satisfied
  approved by ann
  approved by cid
released
suspended
bob says approved: appended_to_waitpoint
  approved by bob
  timeout by suspension_timeout
not released: no quorum in time" ] || { echo "approval: says: $said" >&2; exit 1; }

# No secret and no token of it anywhere but in the key store itself (03 §12.7).
url=sqlite:approval.db
secret=$(python3 - <<'PY'
import sqlite3
print(sqlite3.connect("approval.db").execute("select lower(hex(secret)) from token_key").fetchone()[0])
PY
)
[ ${#secret} = 64 ] || { echo "approval: no secret is stored" >&2; exit 1; }
fail() { echo "approval: $*" >&2; exit 1; }
id=$("$FF" submit --url $url --lane cli kind)
"$FF" call --url $url claim lane_id=cli worker_id=w worker_instance_id=w-1 lease_ttl_ms=600000 -o json >claimed.json
python3 - >arguments.json <<'PY'
import json
print(json.dumps({
    "handle": json.load(open("claimed.json"))["handle"],
    "suspension_id": "00000000-0000-4000-8000-0000000000a3",
    "waitpoints": [{"waitpoint_id": "00000000-0000-4000-8000-0000000000b3", "waitpoint_key": "k"}],
    "resume_condition": json.dumps({"Composite": {
        "kind": "Count", "n": 2, "count_kind": "DistinctSources", "waitpoints": ["k"]}}),
    "reason_code": "waiting_for_approval"}))
PY
"$FF" call --url $url suspend "$(cat arguments.json)" >suspended.json
grep -q '"suspended"' suspended.json || fail "not suspended: $(cat suspended.json)"
"$FF" suspended --url $url >list || fail "suspended"
grep -q "$id.*waiting_for_approval" list || fail "not listed: $(cat list)"
"$FF" token --url $url "$id" >points
grep -q '00000000-0000-4000-8000-0000000000b3  k  *active' points || fail "waitpoint not listed: $(cat points)"
token=$("$FF" token --url $url "$id" 00000000-0000-4000-8000-0000000000b3)
"$FF" approve --url $url "$id" --by ann | grep -q 'accepted  appended_to_waitpoint' || fail "ann"
"$FF" approve --url $url "$id" --by ann | grep -q duplicate || fail "ann twice"
"$FF" secret kids --url $url | grep -q 'k1  current' || fail "kids"
"$FF" secret rotate k2 --grace 1h --url $url | grep -q 'k2  rotated' || fail "rotate"
if "$FF" secret rotate k1 --url $url 2>err; then fail "a kid was used twice"; fi
grep -q rotation_conflict err || fail "no conflict: $(cat err)"
if echo k1:0000 | "$FF" signal --url $url "$id" ok --token-file - 2>err; then fail "a bad token was taken"; fi
grep -q invalid_token err || fail "no invalid_token: $(cat err)"
echo "$token" | "$FF" signal --url $url "$id" ok --source user:bob --token-file - >sent || fail "signal"
grep -q 'accepted  resume_condition_satisfied' sent || fail "signal says: $(cat sent)"
if "$FF" signal --url $url "$id" ok 2>err; then fail "signalled what does not wait"; fi
"$FF" secret seed k2 --secret-file /dev/null --url $url 2>err && fail "an empty secret was taken"
"$FF" get --url $url "$id" >got; "$FF" events --url $url "$id" >events; "$FF" events --url $url "$id" -o json >events.json
digest=${token#*:}
for f in list points sent err got events events.json; do
  if grep -q -e "$secret" -e "$digest" $f; then fail "$f shows a secret or a token"; fi
done
echo "approval: ok"

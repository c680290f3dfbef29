#!/bin/sh
# No secret and no token anywhere but where 03 §12.7 allows it: a store with a known secret, everything the command line, the scripts,
# the examples and a dying process say about it, and a search of it all (tool/canary). H-17, H-18. `tool/canary BUILD_DIR` does the same
# for a whole run of the tests.
. "$(dirname "$0")/lib.inc"

canary=$SOURCE_DIR/tool/canary
secret=$(head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n')
FF_WAITPOINT_HMAC_SECRET=$secret
export FF_WAITPOINT_HMAC_SECRET
url=sqlite:$work/canary.db
mkdir said stored
n=0
# say ARGS…: runs ff, keeps what it says, whatever it answers.
say() { n=$((n + 1)); "$FF" "$@" --url "$url" >"said/$n.out" 2>"said/$n.err" </dev/null; return 0; }
# quietly FILE ARGS…: an answer that is allowed to show a token.
quietly() { f=$1; shift; "$FF" "$@" --url "$url" >"$f" 2>said/quietly.err || fail "ff $* failed: $(cat said/quietly.err)"; }

# ---- an execution that waits, with two waitpoints ----
quietly id submit --lane c kind
id=$(cat id)
quietly claimed.json call claim lane_id=c worker_id=w worker_instance_id=w-1 lease_ttl_ms=600000
python3 - >arguments.json <<'PY'
import json
def of(n): return "00000000-0000-4000-8000-0000000000b%d" % n
print(json.dumps({
    "handle": json.load(open("claimed.json"))["handle"], "suspension_id": of(9), "idempotency_key": "again",
    "waitpoints": [{"waitpoint_id": of(3), "waitpoint_key": "k"}, {"waitpoint_id": of(4), "waitpoint_key": "l"}],
    "resume_condition": json.dumps({"Composite": {"kind": "Count", "n": 9, "count_kind": "DistinctSignals", "waitpoints": ["k", "l"]}}),
    "reason_code": "waiting_for_approval"}))
PY
quietly suspended.json call suspend "$(cat arguments.json)"
quietly token token "$id" 00000000-0000-4000-8000-0000000000b3
token=$(cat token)
[ "${token%%:*}" = k1 ] || fail "no token: $token"

# ---- every verb and form that looks at it ----
for form in table json jsonl; do
  for verb in "get $id" list "events $id" "events --family signals" "attempts $id" suspended "token $id" "secret kids" lanes doctor; do
    say -v $verb -o $form
  done
done
"$FF" ops >ops.txt
for op in $(awk '{print $1}' ops.txt); do # the operation by its name, with nothing and with what it may echo
  case $op in suspend* | create_waitpoint | read_waitpoint_token | run_scanner | *[!a-z_]*) continue ;; esac
  say call $op
  say call $op execution_id="$id" waitpoint_id=00000000-0000-4000-8000-0000000000b3 waitpoint_token="$token" secret_hex="$secret" new_secret_hex="$secret"
done

# ---- right, repeated, wrong and misplaced credentials ----
signal() { n=$((n + 1)); printf '%s' "$1" | "$FF" signal "$id" go --waitpoint 00000000-0000-4000-8000-0000000000b3 --token-file - --url "$url" \
  >"said/$n.out" 2>"said/$n.err"; return 0; }
signal "$token"
signal "$token"
signal "${token%?}"
signal "${token}0"
signal "x$token"
signal "$token $token"
signal "k9:${token#*:}"
say signal "$id" "$token"
say get "$token"
say call deliver_signal '{"waitpoint_token":"'"$token"'","signal_name":7}'
say call deliver_signal '{"waitpoint_token":"'"$token"'"'
say call deliver_signals '{"items":[{"waitpoint_token":"'"$token"'"}]}'
say call deliver_signal execution_id="$id" waitpoint_id=00000000-0000-4000-8000-0000000000b4 signal_id=00000000-0000-4000-8000-0000000000c1 \
  signal_name=go waitpoint_token="$token"
printf '%s' "$secret" >key
say secret seed k1 --secret-file key
say secret seed k2 --secret-file key
printf '%sx' "$secret" >key
say secret rotate k3 --secret-file key
say secret rotate k4 --grace 1h
FF_WAITPOINT_HMAC_SECRET=${secret}z say list
FF_WAITPOINT_HMAC_SECRET=$(printf '%s' "$secret" | tr 0-9 1-9) say -v list

# ---- the scripts of this area: transcripts and dumps of every store; the approval example ----
parts=$(dirname "$FF")
if [ -x "$parts/test/run_scripts" ]; then
  for script in signal deliver_signals suspend waitpoint keystore list_events subscribe error_matrix; do
    "$parts/test/run_scripts" --show "$SOURCE_DIR/test/script/$script.ff" >"said/$script.out" 2>"said/$script.err"
    [ -s "said/$script.out" ] || fail "the script $script shows nothing"
  done
fi
[ ! -x "$parts/approval" ] || (mkdir ran && cd ran && "$parts/approval" >../said/approval.out 2>../said/approval.err)

# ---- a process that dies with it in its memory ----
"$FF" bench signal -n 100000 --runs 1 --stored 1000 --url "sqlite:$work/dies.db" >said/dies.out 2>said/dies.err &
ids=$!
sleep 1
kill -ABRT $ids
wait $ids 2>/dev/null
ids=

# ---- and the files beside the stores ----
cp ./*.lock said/ 2>/dev/null
"$canary" --search "$secret" said >searched || { cat searched >&2; fail "a secret or a token was said"; }
[ "$(find said -type f | wc -l)" -gt 300 ] || fail "too little was said: $(cat searched)"

# ---- the search finds what is planted, in every form ----
upper=$(printf '%s' "$secret" | tr a-f A-F)
mkdir planted
for leak in "the token is $token." "$secret" "$upper"; do
  printf 'nothing here\n%s\n' "$leak" >planted/leak
  if "$canary" --search "$secret" said planted >searched; then fail "a planted leak was not found"; fi
  has searched 'planted/leak:2'
  hasnt searched "$secret"
  hasnt searched "${token#*:}"
done
python3 -c 'import sys,base64; s=bytes.fromhex(sys.argv[1]); open("planted/leak","wb").write(b"x"+s); open("planted/leak64","wb").write(base64.b64encode(s))' "$secret"
if "$canary" --search "$secret" planted >searched; then fail "planted bytes were not found"; fi
has searched 'planted/leak:1'
has searched 'planted/leak64:1'
echo ok

#!/bin/sh
# Wrong command lines, things that are not there, stores that cannot be opened: each its exit code and a text that helps.
. "$(dirname "$0")/lib.inc"

nobody='{fp:7}:550e8400-e29b-41d4-a716-446655440000'

# 2: usage
expect 2
has err Verbs
expect 2 nonsense
expect 2 lst
has err 'did you mean list'
expect 2 --nonsense
expect 2 list --nonsense
has err '--nonsense'
expect 2 list -Z
expect 2 list extra
expect 2 get
expect 2 get a b
expect 2 list --limit many
expect 2 list --limit
expect 2 list --state happy
has err happy
expect 2 list --tag novalue
expect 2 -o yaml list
expect 2 list --all=3
expect 2 submit
expect 2 submit kind --priority 9001
expect 2 submit kind --priority 1x
expect 2 submit kind --delay soon
expect 2 submit kind --tag =x
expect 2 submit kind --payload @/no/such/file
has err '/no/such/file'
expect 2 wait --timeout never x
expect 2 lanes stop images
expect 2 lanes pause
expect 2 completion tcsh
expect 2 call
expect 2 call no_such_operation
expect 2 call ping nonsense
expect 2 call ping a=b
expect 2 call list_executions limit=x
expect 2 call list_executions '{"limit":1'
has err column
expect 2 call list_executions '{"limit":1,"limit":2}'
expect 2 call list_executions '{"limit":true}'
expect 2 call submit '{"tags":{"a":1}}'
expect 2 call renew handle=x
expect 2 cancel
expect 2 cancel x --lane y
expect 2 run
expect 2 run a b
expect 2 run no-such-file
has err no-such-file
expect 2 run -j 0 x
expect 2 run -j 100000 x
expect 2 run --lease 1ms x
expect 2 --url nonsense:x submit kind
expect 2 list --run no-such-file

# 5: no store, or one that cannot be used
expect 5 list
has err 'flowfabric.db'
expect 5 --url sqlite:/no/such/dir/x.db submit kind
has err '/no/such/dir'
expect 5 --url sqlite:nothing.db get "$nobody"
echo 'this is no database, it only looks like a file that somebody keeps here' >text.db
expect 5 --url sqlite:text.db list
mkdir dir.db
expect 5 --url sqlite:dir.db submit kind

# 1 and 3: refused, not found
expect 0 submit kind
id=$(cat out)
"$FF" cancel --lane default </dev/null >out 2>err && fail 'a bulk change without --yes and without a terminal'
has err '--yes'
expect 3 get "$nobody"
expect 3 wait "$nobody"
expect 3 result "$nobody"
expect 3 result "$id"
has err waiting
expect 3 events "$nobody"
expect 2 events --family wages
has err "completion, lease, signal or tag, got 'wages'"
expect 2 events --cursor '!'
expect 2 events --tag x
expect 2 events "$nobody" --namespace n
has err 'leave the id out'
expect 2 events --after 3
expect 1 events --cursor AQ==
has err 'does not belong to this backend'
expect 3 attempts "$nobody"
expect 3 cancel "$nobody"
expect 3 replay "$nobody"
expect 3 ops no_such_operation
expect 3 lanes pause no-such-lane
expect 1 get nonsense
has err 'invalid_input'
has err 'execution_id'
expect 1 submit kind --lane "$(printf 'tab\there')"
has err lane_id
expect 1 submit kind --policy '{"retry_policy":3}'
has err invalid_policy_json
expect 1 submit kind --policy '{'
expect 1 replay "$id"
has err execution_not_terminal
expect 1 list --cursor nonsense
expect 5 wait "$id" --timeout 200ms
has err timeout
expect 1 cancel "$id" nonsense --yes
has out cancelled
expect 1 call set_lane_state lane_id=default state=nonsense

# FF_URL, and --url before it
expect 0 --url sqlite:own.db submit kind
FF_URL=sqlite:own.db "$FF" list -o jsonl >out || fail FF_URL
equal "$(lines out)" 1
FF_URL=sqlite:/no/such/x.db "$FF" --url sqlite:own.db list >out || fail '--url before FF_URL'

# one owner: reads go on beside it, writes are refused and say by whom
echo 'sleep 60' >jobs.txt
"$FF" --url sqlite:own.db run jobs.txt >run.out 2>run.err &
owner=$!
ids=$owner
until_true 10 "$FF" --url sqlite:own.db list --state active -q >/dev/null || fail 'the run did not start'
running() { "$FF" --url sqlite:own.db list --state active -q -o jsonl 2>/dev/null | grep -q ff-run; }
until_true 10 running || fail 'no line is running'
expect 0 --url sqlite:own.db list -o jsonl
equal "$(lines out)" 2 'lines seen beside the owner'
equal "$(lines err)" 1 'lines of the note'
has err 'read-only'
expect 0 --url sqlite:own.db doctor
expect 0 -q --url sqlite:own.db lanes
equal "$(lines err)" 0 'notes with -q'
expect 5 --url sqlite:own.db submit kind
has err store_busy
has err "$owner"
has err hint
expect 5 --url sqlite:own.db run jobs.txt
has err store_busy
kill -9 $owner
wait $owner 2>/dev/null
ids=
expect 0 --url sqlite:own.db submit kind

# a spoiled row: the others' work goes on, doctor says so
expect 0 --url sqlite:spoiled.db submit kind
expect 0 --url sqlite:spoiled.db submit kind
sqlite3 spoiled.db "UPDATE execution SET priority='high' WHERE row=1"
expect 1 --url sqlite:spoiled.db doctor
has out '1 stored rows cannot be read'
has err 'execution: priority: not an integer'
expect 1 --url sqlite:spoiled.db list
has err corruption

# a file without write permission (root may write anyway)
if [ "$(id -u)" != 0 ]; then
  chmod 400 own.db
  expect 5 --url sqlite:own.db submit kind
  expect 0 --url sqlite:own.db list
fi
expect 0 --url 'sqlite:own.db?mode=ro' list
expect 5 --url 'sqlite:own.db?mode=ro' submit kind
has err store_read_only
echo ok

# what is shown of a URL holds no password
expect 5 doctor --url 'postgres://me:geheim@127.0.0.1:1/db?sslpassword=geheim&schema=x'
hasnt err geheim
hasnt out geheim

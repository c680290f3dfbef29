#!/bin/sh
# What every verb does when all is well.
. "$(dirname "$0")/lib.inc"

expect 0 version
has out 'ff '
expect 0 -o json version
is_json out

# submit, get, list
expect 0 submit resize --payload '{"id":7}' --lane images --tag app.stage=1 --priority 9 --key first
id=$(cat out)
expect 0 submit resize --payload other --lane images --key first
equal "$(cat out)" "$id" 'the id of a repeated key'
has err 'submitted before'
expect 0 get "$id"
has out 'waiting'
has out 'app.stage=1'
expect 0 get "$id" -o json
equal "$(json out '["public_state"]')" waiting
equal "$(json out '["priority"]')" 9
printf 'from stdin' | "$FF" submit resize --payload - >out || fail 'payload from standard input'
printf 'a file\n' >payload
expect 0 submit copy --payload @payload --delay 1h
delayed=$(cat out)
expect 0 get "$delayed" -o json
equal "$(json out '["public_state"]')" delayed
expect 0 why "$id"
has out 'it is next in lane images: no worker has asked for work there'
expect 0 why "$delayed"
has out 'eligible in 59 min'
expect 0 why "$delayed" -o json
equal "$(json out '["reason"]')" delayed
expect 0 list
equal "$(lines out)" 4 'lines of the table'
expect 0 list -o json
is_json out
equal "$(json out '.__len__()')" 3
expect 0 list -o jsonl --lane images
is_jsonl out
equal "$(lines out)" 1
expect 0 list --state delayed --kind copy -o jsonl
equal "$(lines out)" 1
expect 0 list --tag app.stage=1 -o jsonl
equal "$(lines out)" 1
expect 0 list --limit 1 -o jsonl
equal "$(lines out)" 1
has err 'there are more'
cursor=$(sed -n 's/.*--cursor //p' err)
expect 0 list --all --cursor "$cursor" -o jsonl
equal "$(lines out)" 2 'the rest of the pages'

# claim and complete through `call`; result, events, attempts, wait
expect 0 call claim_task lane_ids=images worker_id=w worker_instance_id=w-1 lease_ttl_ms=60000
handle=$(python3 -c 'import json; print(json.dumps(json.load(open("out"))["task"]["handle"]))')
expect 0 get "$id"
has out 'w-1'
expect 0 call progress "{\"handle\":$handle,\"has_percent\":true,\"percent\":50,\"message\":\"half\"}"
expect 0 get "$id"
has out '50%'
payload=$(printf 'the \000 result' | base64)
expect 0 call complete "{\"handle\":$handle,\"result_payload\":\"$payload\",\"result_encoding\":\"bytes\"}"
expect 0 result "$id"
printf 'the \000 result' | cmp - out || fail 'the result is not byte for byte'
expect 0 result "$id" -o json
equal "$(json out '["payload"]')" "$payload"
expect 0 result "$id" --out saved
cmp -s saved out || printf 'the \000 result' | cmp - saved || fail '--out'
expect 0 wait "$id"
has out completed
expect 0 events "$id"
has out acquired
has out success
expect 0 events "$id" -o json
is_json out
expect 0 events "$id" --limit 1 -o jsonl
equal "$(lines out)" 1
expect 0 events "$id" --follow --timeout 5s
has out success
expect 0 events
has out success
expect 0 events --family lease
has out acquired
expect 0 events --family tag --tag app.stage=1 -o jsonl
equal "$(lines out)" 1
equal "$(json out '["tag"]')" app.stage
cursor=$(json out '["cursor"]')
expect 0 events --family tag --cursor "$cursor" -o jsonl
equal "$(lines out)" 0 'events behind the last cursor'
expect 0 events --family completion --namespace nobody -o json
equal "$(json out '.__len__()')" 0
expect 0 events --follow --from-start --limit 1 --timeout 5s -o jsonl
equal "$(lines out)" 1
equal "$(json out '["outcome"]')" success
expect 0 attempts "$id"
has out initial
expect 0 attempts "$id" -o json
equal "$(json out '[0]["attempt_state"]')" ended_success

# cancel, replay, lanes
expect 0 cancel "$delayed" --reason 'not needed'
expect 0 get "$delayed"
has out 'not needed'
expect 6 wait "$delayed"
expect 0 replay "$delayed"
expect 0 get "$delayed" -o json
equal "$(json out '["public_state"]')" waiting
expect 0 cancel --lane default --yes
expect 0 list --state cancelled -o jsonl
equal "$(lines out)" 2 'cancelled by filter'
expect 0 replay --lane default --state cancelled --yes -o json
equal "$(json out '.__len__()')" 2
expect 0 cancel --lane nowhere --yes
has err 'nothing matches'
expect 0 lanes
has out images
expect 0 lanes pause images
expect 0 lanes -o json
has out paused
expect 0 lanes resume images
expect 0 lanes resume images
has out already

# workers
expect 0 workers
expect 0 call register_worker worker_id=w worker_instance_id=w-1 lanes=images,default capabilities=gpu liveness_ttl_ms=60000
expect 0 workers
has out w-1
has out 'default, images'
expect 0 workers --namespace other -o json
equal "$(json out '.__len__()')" 0
expect 0 workers dead w-1 --reason gone
has out removed
expect 0 workers dead w-1
has out 'not registered'
expect 2 workers alive w-1

# ops, doctor, completion, help
expect 0 ops
has out claim_task
has out lane_ids
expect 0 ops claim_task
has out lease_ttl_ms
expect 0 ops -o json
is_json out
expect 0 ops -o jsonl
is_jsonl out
expect 0 doctor
has out durability
hasnt out fail
expect 0 doctor -o json
is_json out
expect 0 doctor -o jsonl
is_jsonl out
for shell in bash zsh fish; do
  expect 0 completion $shell
  has out submit
  if command -v $shell >/dev/null; then $shell -n out || fail "$shell does not parse its completion"; fi
done
for verb in run submit get why list events attempts wait result cancel replay suspended signal approve token secret lanes doctor ops call completion version help; do
  expect 0 help $verb
  has out Usage
  [ $verb = help ] || expect 0 $verb --help
done
expect 0 help
has out 'Exit codes'
expect 0 --help
expect 0 call server_time_ms
is_json out

# a namespace
expect 0 submit resize --namespace other
expect 0 list --namespace other -o jsonl
equal "$(lines out)" 1
echo ok

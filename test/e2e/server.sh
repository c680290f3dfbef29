#!/bin/sh
# ff-server as a process: mistakes in the configuration, boot, requests, tokens that no output shows, drain, kill and boot again.
. "$(dirname "$0")/lib.inc"
: "${FFSERVER:?FFSERVER must be the path of ff-server}"

# ask METHOD PATH [BODY]: the status and the body into ./answer; TOKEN is sent when it is set.
ask() {
  TOKEN=${TOKEN-} python3 - "$port" "$@" >answer <<'PY' || fail "no answer to $*"
import http.client, os, sys
port, method, path = sys.argv[1:4]
body = sys.argv[4] if len(sys.argv) > 4 else None
headers = {"Content-Type": "application/json"} if body is not None else {}
if os.environ["TOKEN"]: headers["Authorization"] = "Bearer " + os.environ["TOKEN"]
c = http.client.HTTPConnection("127.0.0.1", int(port), timeout=60)
c.request(method, path, body, headers)
r = c.getresponse()
print(r.status, r.read().decode())
PY
}
start() {
  : >log # the last server's lines are not this one's
  "$FFSERVER" --listen 127.0.0.1:0 "$@" >/dev/null 2>log &
  server=$!
  ids="$ids $server"
  until_true 60 grep -q ' listening \|"listening"' log || fail "not listening: $(cat log)"
  port=$(sed -n 's/.*port[":=]*\([0-9][0-9]*\).*/\1/p' log | tail -n 1)
}

# ---- wrong configurations: all mistakes at once, no secret shown ----
config() {
  want=$1
  shift
  env "$@" "$FFSERVER" --check-config >out 2>err
  equal $? "$want" "exit code of --check-config with $*"
}
config 0 FF_LANES=a,b
config 1 FF_LISTEN_ADDR=0.0.0.0:9090 FF_LANES=a,a FF_BACKEND=oracle FF_LOG=loud FF_WORKER_THREADS=0 FF_API_TOKEN="a b" \
  FF_API_TOKEN_HASHES=root:00 FF_CORS_ORIGINS=example.com FF_SHUTDOWN_GRACE_MS=-1
for name in FF_LISTEN_ADDR FF_LANES FF_BACKEND FF_LOG FF_WORKER_THREADS FF_API_TOKEN FF_API_TOKEN_HASHES FF_CORS_ORIGINS \
  FF_SHUTDOWN_GRACE_MS; do has err "$name"; done
hasnt err 'a b'
config 1 FF_LISTEN_ADDR=nonsense
config 1 FF_LISTEN_ADDR=127.0.0.1:70000
config 1 FF_LISTEN_ADDR=::1:9090
config 0 'FF_LISTEN_ADDR=[::1]:9090'
config 0 FF_LISTEN_ADDR=0.0.0.0:9090 FF_API_TOKEN=t
config 0 FF_LISTEN_ADDR=0.0.0.0:9090 FF_ALLOW_UNAUTHENTICATED=1
config 1 FF_LISTEN_ADDR=0.0.0.0:9090 FF_ALLOW_UNAUTHENTICATED=true
config 1 FF_BACKEND=postgres
config 1 FF_BACKEND=sqlite FF_STORE_URL=memory:
config 1 FF_STORE_URL=ftp://x
config 1 FF_CORS_ORIGINS=
printf 'FF_LANES=a,a\n' >env
"$FFSERVER" --env-file env --check-config 2>err && fail 'a bad env file passes'
has err FF_LANES
printf 'no equals sign\n' >env
"$FFSERVER" --env-file env --check-config 2>err
equal $? 2
"$FFSERVER" --nonsense 2>err
equal $? 2
"$FFSERVER" extra 2>err
equal $? 2
FF_DEV_MODE=0 "$FFSERVER" --store-url sqlite::memory: 2>err
equal $? 1
has err 'requires FF_DEV_MODE=1'
"$FFSERVER" --version | grep -q '^ff-server [0-9]' || fail 'no version'

# every route is in the documentation, and nothing else
"$FFSERVER" --routes | sed 's/^/    /' >routes
sed -n 's/^\(    [A-Z]* *\/v1\/.*\)$/\1/p' "$SOURCE_DIR/doc/server.md" >documented
cmp -s routes documented || fail "doc/server.md lists other routes: $(diff routes documented)"

# ---- a server on a file ----
FF_BOGUS=1 start --store-url "sqlite:$work/a.db"
has log 'FF_BOGUS'
has log 'no token is set'
ask GET /readyz
has answer '200 {"status":"ready","backend":"sqlite"}'
ask POST /v1/ops/submit '{"lane_id":"a","execution_kind":"k"}'
has answer '200 {"Created":{"execution_id":'
ask POST /v1/ops/list_lanes '{"limit":10}'
has answer '"default"'
"$FFSERVER" --listen "127.0.0.1:$port" --store-url memory: 2>err
equal $? 1 'exit code when the port is taken'
"$FFSERVER" --listen 127.0.0.1:0 --store-url "sqlite:$work/a.db" 2>err
equal $? 1 'exit code when the file is owned'
has err store_busy

# ---- ff against it ----
url=http://127.0.0.1:$port
expect 0 --url "$url" submit remote --lane far --payload hello
id=$(cat out)
expect 0 --url "$url" get "$id"
has out remote
expect 0 --url "$url" list --lane far
has out "$id"
expect 0 --url "$url" call server_time_ms
has out now_ms
expect 3 --url "$url" get '{fp:7}:550e8400-e29b-41d4-a716-446655440000'
expect 0 --url "$url" cancel "$id" --reason done --yes
expect 0 --url "$url" -o json get "$id"
has out cancelled

kill -TERM "$server"
wait "$server"
equal $? 0 'exit code after SIGTERM'
expect 5 --url "$url" list
has log draining
has log stopped

# ---- the same file again, killed, and again ----
start --store-url "sqlite:$work/a.db"
ask POST /v1/ops/query_executions '{"lane_id":"a"}'
has answer '"execution_kind":"k"'
ask POST /v1/ops/submit '{"lane_id":"a","execution_kind":"second"}'
has answer Created
kill -KILL "$server"
wait "$server" 2>/dev/null
start --store-url "sqlite:$work/a.db"
ask POST /v1/ops/query_executions '{"lane_id":"a"}'
has answer '"execution_kind":"second"'
kill -INT "$server"
wait "$server"
equal $? 0 'exit code after SIGINT'

# ---- tokens, which no output shows ----
canary=canary-of-the-token-$$
hash=$(printf '%s\n' "reader-$canary" | "$FFSERVER" --hash-token)
FF_API_TOKEN=$canary FF_API_TOKEN_HASHES="read:$hash" FF_LOG=debug FF_LOG_FORMAT=json start --backend memory
ask POST /v1/ops/ping '{}'
has answer '401 '
TOKEN=wrong ask POST /v1/ops/ping '{}'
has answer '401 '
TOKEN=$canary ask POST /v1/ops/run_scanner '{"name":"nonsense"}'
hasnt answer '401 '
TOKEN=$canary ask POST /v1/ops/prepare '{}'
has answer '200 '
TOKEN=reader-$canary ask POST /v1/ops/server_time_ms '{}'
has answer '200 '
TOKEN=reader-$canary ask POST /v1/ops/submit '{}'
has answer '403 '
secret=$(printf 'ab%.0s' 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32)
TOKEN=$canary ask POST /v1/ops/rotate_waitpoint_hmac_secret_all "{\"new_kid\":\"k9\",\"new_secret_hex\":\"$secret\"}"
has answer '200 '
kill -TERM "$server"
wait "$server"
equal $? 0
is_jsonl log
has log '"target":"audit","message":"rotate_waitpoint_hmac_secret_all"'
has log '"target":"http"'
hasnt log "$canary"
hasnt log "$secret"
hasnt answer "$secret"
echo ok

#!/bin/sh
# ff run when nobody disturbs it: exit codes of commands, retries, output, lanes, priorities, time-outs, resuming, edits.
. "$(dirname "$0")/lib.inc"

url=sqlite:.flowfabric/flowfabric.db
# state LINE: the state of a line of jobs.txt; field LINE NAME: a member of its execution.
field() {
  "$FF" -q list --run "${3:-jobs.txt}" --tag "run.line=$1" --all -o jsonl >field.out || fail "list of line $1"
  python3 -c 'import json,sys
rows=[json.loads(line) for line in open("field.out")]
print(rows[-1][sys.argv[1]] if rows else "none")' "$2"
}

cat >jobs.txt <<'JOBS'
# a comment, then a blank line

echo hello; echo world >&2
{"command": "echo in json", "lane": "own", "priority": 7, "retries": 0, "timeout": "20s", "capabilities": []}
  printf 'n%s' "$FF_RUN_LINE" >line5
exit 65
exit 127
exit 126
exit 64
exit 78
{"command": "echo x >> attempts75; exit 75", "retries": 1}
{"command": "echo x >> attempts3; echo why; exit 3", "retries": 1}
{"command": "kill -9 $$", "retries": 0}
{"command": "sleep 30", "timeout": 0.3, "retries": 0}
test "$FF_ATTEMPT" = 1
{"command": "sleep 30 & echo left one behind"}
no-such-program-at-all
cat; echo "stdin is empty: $?"
-x
printf 'bytes \377\000 end'
JOBS
"$FF" run jobs.txt -j 3 --retries 1 -o json >summary 2>err
equal $? 1 'the exit code of a run with failed lines'
is_json summary
equal "$(json summary '["lines"]')" 18
equal "$(json summary '["completed"]')" 7
equal "$(json summary '["failed"]')" 11
equal "$(json summary '["not_ended"]')" 0
equal "$(json summary '["already_completed"]')" 0
for line in 3 4 5 15 16 18 20; do equal "$(field $line public_state)" completed "line $line"; done
for line in 6 7 8 9 10 11 12 13 14 17 19; do equal "$(field $line public_state)" failed "line $line"; done
for line in 6 7 8 9 10 13 14 17; do equal "$(field $line total_attempt_count)" 1 "attempts of line $line"; done
equal "$(lines attempts75)" 2 'exit 75 is retried'
equal "$(lines attempts3)" 2 'exit 3 is retried'
equal "$(field 15 total_attempt_count)" 2 'the second attempt succeeded'
equal "$(field 12 failure_category)" exit_3
equal "$(field 13 failure_category)" signal_9
equal "$(field 14 failure_category)" timeout
equal "$(cat line5)" n5
equal "$(field 4 priority)" 7
"$FF" --url $url result "$(field 3 execution_id)" >out || fail 'no result'
equal "$(cat out)" 'hello
world' 'output and errors together'
"$FF" --url $url result "$(field 20 execution_id)" >out
printf 'bytes \377\000 end' | cmp - out || fail 'output is not byte for byte'
"$FF" --url $url get "$(field 12 execution_id)" >out
has out 'exit 3 why'
pgrep -f 'sleep 30' >/dev/null 2>&1 && pgrep -fa 'sleep 30' | grep -v pgrep | grep -q "$work" && fail 'a command outlived its line'
[ -d .flowfabric ] && equal "$(stat -c %a .flowfabric)" 700 'mode of the directory'
equal "$(stat -c %a .flowfabric/flowfabric.db)" 600 'mode of the file'

# again: nothing runs
expect 1 run jobs.txt -j 3 -o json
equal "$(json out '["already_completed"]')" 7
equal "$(json out '["already_failed"]')" 11
equal "$(lines attempts3)" 2 'nothing ran again'

# --retry-failed runs the failed ones, with fresh retries
expect 1 run jobs.txt -j 3 --retry-failed -o json
equal "$(json out '["already_completed"]')" 7
equal "$(json out '["already_failed"]')" 0
equal "$(lines attempts3)" 4
expect 1 run jobs.txt
has out 'failed lines'
has out 'exit 65'
has out 'why'
has out '--retry-failed'

# all well: 0; an added line is new; a removed one is left alone; a changed one is new
printf 'echo a >>ran\necho b >>ran\n' >list.txt
expect 0 run list.txt
has out '2 completed'
printf 'echo c >>ran\n' >>list.txt
expect 0 run list.txt
equal "$(sort ran | tr '\n' ' ')" 'a b c ' 'lines that ran'
printf 'echo a >>ran\necho B >>ran\n' >list.txt
expect 0 run list.txt
equal "$(sort ran | tr '\n' ' ')" 'B a b c ' 'a changed line ran'
expect 0 run ./list.txt
equal "$(sort ran | tr '\n' ' ')" 'B a b c ' 'the same file under another name'
: >empty.txt
expect 0 run empty.txt
printf 'echo no newline at the end >>last' >last.txt
expect 0 run last.txt
has last 'no newline'
printf 'echo crlf >>windows\r\n\r\n' >windows.txt
expect 0 run windows.txt
equal "$(cat windows)" crlf

# unfinished lines that are no longer in the file do not run, and come back with their line
printf '%s\n' '{"command": "echo first >>later", "capabilities": ["later"]}' 'echo second >>later' >later.txt
expect 1 run later.txt
has out 'capabilities'
printf '\necho second >>later\n' >later2.txt && mv later2.txt later.txt
expect 0 run later.txt --capability later
has out 'left alone'
equal "$(cat later)" second 'a removed line'
printf '%s\n' '{"command": "echo first >>later", "capabilities": ["later"]}' 'echo second >>later' >later.txt
expect 0 run later.txt --capability other,later
equal "$(cat later)" 'second
first'

# the output is bounded, with a marker; long commands; the whole file is checked with --check only
echo 'yes 0123456789 | head -c 1000000; echo; echo the end' >long.txt
awk 'BEGIN { printf "echo start"; for (i = 0; i < 40000; i++) printf " word%d", i; print " | wc -w" }' >>long.txt
expect 0 run long.txt --check
[ -z "$("$FF" -q list --run long.txt -o jsonl)" ] || fail '--check submitted something'
expect 0 run long.txt
"$FF" --url $url result "$(field 1 execution_id long.txt)" >out
[ "$(wc -c <out)" -lt 66000 ] || fail 'the output is not bounded'
has out 'were cut'
equal "$(tail -n 1 out)" 'the end'
"$FF" --url $url result "$(field 2 execution_id long.txt)" >out
equal "$(tr -d ' \n' <out)" 40001 'a command longer than one argument'

# its own lane: nobody else's workers, nobody else's work
expect 0 --url $url submit other --lane default
printf 'true\n' >one.txt
expect 0 run one.txt
expect 0 --url $url list --lane default --state waiting -o jsonl
equal "$(lines out)" 1 'work of other lanes'

# progress as plain lines, -q silent, -v says retries
echo 'sleep 2.5' >slow.txt
expect 0 run slow.txt
has err 'done 0/1, running 1'
echo 'true ' >quiet.txt
expect 0 -q run quiet.txt
equal "$(cat out err)" '' 'output with -q'
echo ok

#!/bin/sh
# Every way a line of a job file can be wrong: named as file:line:column with what was expected, and nothing submitted.
. "$(dirname "$0")/lib.inc"

# bad COLUMN TEXT LINE: LINE as the third line of a file is refused at that column with that text.
bad() {
  printf 'touch ran\n# fine\n%s\ntouch ran\n' "$3" >bad.txt
  expect 2 run bad.txt
  has err "bad.txt:3:$1:"
  has err "$2"
  has err 'nothing was submitted'
  [ ! -e ran ] || fail "a line ran although another one is wrong: $3"
  [ ! -e .flowfabric ] || fail "a store was made for: $3"
}

bad 1 '"command" is missing' '{}'
bad 3 '"command" is missing' '  {"lane": "x"}'
bad 2 'unknown member "cmd"' '{"cmd": "true"}'
bad 21 'unknown member "retry"' '{"command": "true", "retry": 3}'
bad 13 'expects a string' '{"command": 3}'
bad 13 'expects a string' '{"command": null}'
bad 13 'white space' '{"command": "  "}'
bad 15 'NUL' '{"command": "a\u0000b"}'
bad 29 'expects a string' '{"command": "true", "lane": 3}'
bad 29 'printable' '{"command": "true", "lane": ""}'
bad 29 'printable' '{"command": "true", "lane": "café"}'
bad 29 'printable' '{"command": "true", "lane": "01234567890123456789012345678901234567890"}'
bad 33 'whole number' '{"command": "true", "priority": "high"}'
bad 33 '0 to 9000' '{"command": "true", "priority": -1}'
bad 33 '0 to 9000' '{"command": "true", "priority": 9001}'
bad 33 '0 to 9000' '{"command": "true", "priority": 1.5}'
bad 33 '0 to 9000' '{"command": "true", "priority": 99999999999999999999999}'
bad 32 '0 to 1000' '{"command": "true", "retries": 1001}'
bad 32 'whole number' '{"command": "true", "retries": true}'
bad 32 'more than 0' '{"command": "true", "timeout": 0}'
bad 32 'more than 0' '{"command": "true", "timeout": -1}'
bad 32 'duration' '{"command": "true", "timeout": "soon"}'
bad 32 'duration' '{"command": "true", "timeout": []}'
bad 32 'duration' '{"command": "true", "timeout": "9999999d"}'
bad 37 'array' '{"command": "true", "capabilities": "gpu"}'
bad 38 'strings' '{"command": "true", "capabilities": [1]}'
bad 38 'white space' '{"command": "true", "capabilities": ["a b"]}'
bad 38 'commas' '{"command": "true", "capabilities": ["a,b"]}'
bad 38 '1 to 256' '{"command": "true", "capabilities": [""]}'
bad 21 'twice' '{"command": "true", "command": "false"}'
bad 2 'member name' '{command: "true"}'
bad 12 "expected ':'" '{"command" "true"}'
bad 20 "expected ','" '{"command": "true" "lane": "x"}'
bad 13 'no end' '{"command": "true}'
bad 21 'after the end' '{"command": "true"} x'
bad 13 'JSON value' '{"command": tru}'
bad 3 'shell group' '{ echo a shell group; }'
bad 18 'escape' '{"command": "echo\q"}'
bad 14 'surrogate' '{"command": "\ud800"}'
bad 18 'hexadecimal' '{"command": "\u12"}'
bad 13 'begin with 0' '{"command": 01}'
bad 12 'too early' '{"command":'
bad 20 'member name' '{"command": "true",}'

# bytes a shell string cannot carry
printf 'true\necho a\000b\n' >nul.txt
expect 2 run nul.txt
has err 'nul.txt:2:7: '
has err NUL
printf '{"command": "a\377b"}\n' >utf8.txt
expect 2 run utf8.txt
has err 'utf8.txt:1:15: '
printf '{"command": "a\tb"}\n' >control.txt
expect 2 run control.txt
has err 'control.txt:1:15: '
head -c 1048577 /dev/zero | tr '\0' x >long.txt
expect 2 run long.txt
has err 'long.txt:1:1048577: '
has err '1 MiB'
head -c 1048576 /dev/zero | tr '\0' x | sed 's/^xxx/# c/' >just.txt
expect 0 run just.txt --check
awk 'BEGIN { for (i = 0; i < 70; i++) printf "{\"command\": \"true\", \"lane\": \"l%d\"}\n", i }' >lanes.txt
expect 2 run lanes.txt
has err 'lanes.txt:64:29: '
has err 'at most 63'
awk 'BEGIN { for (i = 0; i < 100; i++) printf "[" }' | sed 's/^/{"command": /' >deep.txt
expect 2 run deep.txt
has err deeper
awk 'BEGIN { printf "{"; for (i = 0; i < 300; i++) printf "\"a%d\": 1, ", i; print "\"z\": 1}" }' >members.txt
expect 2 run members.txt
has err 'more than 256 members'
awk 'BEGIN { for (i = 0; i < 30; i++) print "{}" }' >many.txt
expect 2 run many.txt
has err 'and 10 more'

# no job file
expect 2 run -
mkdir directory
expect 2 run directory
expect 2 run nowhere/jobs.txt
ln -s loop loop
expect 2 run loop
[ ! -e .flowfabric ] || fail 'a store was made'
echo ok

#!/bin/sh
# examples/embed.c twice on one file: the work is done once, the end is told both times, and the README shows a part of it.
set -eu
embed=$(dirname "$FF")/embed
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# The id is the only thing that changes from run to run.
run() { "$embed" | sed 's/{fp:[0-9]*}:[0-9a-f-]*/ID/'; }
first=$(run)
second=$(run)

[ "$first" = "created ID
working on photo-7.jpg
renewed, lease epoch 1
completed
completed after 1 attempt
result: 640x480" ] || { echo "embed: the first run says: $first" >&2; exit 1; }
[ "$second" = "duplicate ID
completed after 1 attempt
result: 640x480" ] || { echo "embed: the second run says: $second" >&2; exit 1; }

# Every line of the README's snippet stands in the program, white space and comments at the end of a line aside.
squeeze() { sed 's,/\*.*\*/,,; s/[[:space:]]\{1,\}/ /g; s/^ //; s/ $//'; }
squeeze <"$SOURCE_DIR/examples/embed.c" >program
sed -n '/^```c$/,/^```$/p' "$SOURCE_DIR/README.md" | sed '/^```/d' | squeeze | while read -r line; do
  [ -z "$line" ] || grep -qxF -e "$line" program || { echo "embed: not in examples/embed.c: $line" >&2; exit 1; }
done
echo "embed: ok"

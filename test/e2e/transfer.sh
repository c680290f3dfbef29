#!/bin/sh
# backup, restore and move: a deployment into a file, out of it and to another store.
. "$(dirname "$0")/lib.inc"

for n in 1 2 3; do expect 0 submit job --url sqlite:a.db --payload "$n"; done
expect 0 list --url sqlite:a.db -o jsonl
sort out >before

# a file of pages, and a portable one
expect 0 backup --url sqlite:a.db pages.db
has out 'a SQLite database'
equal "$(stat -c %a pages.db)" 600
expect 2 backup --url sqlite:a.db pages.db
has err 'exists already'
expect 0 backup --url sqlite:a.db --force pages.db
expect 0 backup --url sqlite:a.db --portable -o json portable
is_json out
equal "$(json out '["by_pages"]')" False
expect 5 backup --url sqlite:nowhere/a.db --force nofile
[ ! -e nofile ] || fail 'a file without a store'
expect 2 backup
for file in pages.db portable; do
  expect 0 restore --url "sqlite:from-$file" "$file"
  has out 'all there'
  expect 0 list --url "sqlite:from-$file" -o jsonl
  sort out >after
  cmp before after || fail "$file brings back something else"
  expect 2 restore --url "sqlite:from-$file" "$file"
  has err 'is not empty'
done
head -c 700 portable >half
expect 1 restore --url sqlite:half.db half
has err 'is damaged at offset'
expect 5 list --url sqlite:half.db
has err 'empty it and restore again'

# move
expect 2 move sqlite:a.db sqlite:b.db
has err '--yes'
expect 0 --yes move sqlite:a.db sqlite:b.db
has out 'each compared'
expect 0 list --url sqlite:b.db -o jsonl
sort out >after
cmp before after || fail 'moved something else'
expect 2 list --url sqlite:a.db
has err 'this deployment has moved: open sqlite:b.db instead'
expect 2 --yes move sqlite:a.db sqlite:c.db
expect 2 move --cancel sqlite:a.db sqlite:c.db
has err 'that is over'
expect 0 submit job --url sqlite:b.db --payload 4

# an engine at work is noticed; a backup by pages needs no rest
printf 'sleep 30\n' >jobs
"$FF" run --url sqlite:b.db jobs >/dev/null 2>&1 &
ids=$!
until_true 10 test -s b.db.lock || fail 'ff run does not own the file'
expect 0 backup --url sqlite:b.db live.db
expect 5 backup --url sqlite:b.db --portable live
expect 5 --yes move sqlite:b.db sqlite:c.db
[ ! -e live ] || fail 'a file of a refused backup'

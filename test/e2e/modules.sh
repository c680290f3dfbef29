#!/bin/sh
# Stores that are loadable modules: not installed, damaged, of another build, found; each says what to do.
. "$(dirname "$0")/lib.inc"

url=postgres://nobody@127.0.0.1:1/nothing
modules=$FF_MODULE_DIR

mkdir empty
FF_MODULE_DIR=$work/empty expect 5 --url "$url" list
has err 'the PostgreSQL store is not installed'
has err "$work/empty"
has err FF_MODULE_DIR

mkdir damaged
echo 'no module' >damaged/flowfabric-postgres.so
FF_MODULE_DIR=$work/damaged expect 5 --url "$url" list
has err 'cannot be loaded'
has err libpq5

mkdir other
cat >other.c <<'C'
static unsigned long fingerprint(void) { return 1; }
const struct { unsigned long (*fingerprint)(void); void *open; } ff_store_module = {fingerprint, 0};
C
cc -shared -fPIC -o other/flowfabric-postgres.so other.c || fail "no compiler"
FF_MODULE_DIR=$work/other expect 5 --url "$url" list
has err 'of another build of FlowFabric'

# Without FF_MODULE_DIR it is looked for beside the program; SQLite needs none.
unset FF_MODULE_DIR
[ "$(dirname "$FF")" = "$modules" ] || fail "ff and its modules are not in one folder"
expect 5 --url "$url" list
has err 'refused'
hasnt err 'not installed'
expect 0 --url "sqlite:$work/a.db" submit mail
! ldd "$FF" | grep -q libpq || fail "ff links libpq"
echo "modules: ok"

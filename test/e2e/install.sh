#!/bin/sh
# What `cmake --install` leaves can be used: examples/embed.c is built against it with pkg-config, shared and static, and as a CMake
# project, and runs; the library exports its API and nothing else. Works on any build of ours: what the build was instrumented with
# (sanitizers, coverage) the programs are linked with too, since such a library does not load into others.
set -eu
build=$(cd "$(dirname "$FF")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix

fail() {
  echo "install: $*" >&2
  exit 1
}
# quietly COMMAND…: its output only when it fails.
quietly() {
  "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "failed: $*"; }
}
# cached NAME: a variable of the build's configuration.
cached() { sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"; }

cc=$(cached CMAKE_C_COMPILER)
flags=
sanitizers=$(cached FF_SANITIZE)
[ -z "$sanitizers" ] || flags=-fsanitize=$sanitizers
[ "$(cached FF_COVERAGE)" != ON ] || flags="$flags --coverage"

quietly cmake --install "$build" --prefix "$prefix"
libdir=$(dirname "$(find "$prefix" -name 'libflowfabric.so')")
PKG_CONFIG_PATH=$libdir/pkgconfig
export PKG_CONFIG_PATH
version=$(pkg-config --modversion flowfabric)
[ "ff $version" = "$("$prefix/bin/ff" version)" ] || fail "pkg-config says $version, ff $("$prefix/bin/ff" version)"

# ---- what the library shows ----
nm -D --defined-only "$libdir/libflowfabric.so" | awk '{print $3}' | sort >"$work/exported"
foreign=$(grep -v '^ff_' "$work/exported" || true)
[ -z "$foreign" ] || fail "the library exports $foreign"
sed -n 's/^FF_OPERATION(\([a-z_]*\));.*/ff_\1 ff_\1_async/p' "$prefix"/include/flowfabric/*.h | tr ' ' '\n' >"$work/declared"
grep -hEo '^FF_API [^(]*[ *]ff_[a-z_]+\(' "$prefix"/include/flowfabric/*.h | grep -Eo 'ff_[a-z_]+\($' | tr -d '(' >>"$work/declared"
[ "$(wc -l <"$work/declared")" -gt 100 ] || fail "only $(wc -l <"$work/declared") functions are declared in the headers"
missing=$(sort -u "$work/declared" | comm -23 - "$work/exported")
[ -z "$missing" ] || fail "the library lacks $missing"
soname=$(readelf -d "$libdir/libflowfabric.so" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
[ "$soname" = libflowfabric.so.0 ] || fail "the library calls itself $soname"

# ---- who uses it ----
cp "$SOURCE_DIR/examples/embed.c" "$work/embed.c"
cd "$work"
# shellcheck disable=SC2046,SC2086
quietly "$cc" -Wall -Wextra -Werror embed.c $flags $(pkg-config --cflags --libs flowfabric) -o shared
# Without the shared library in the way, as on a machine that has only the archive.
# shellcheck disable=SC2046,SC2086
quietly "$cc" -Wall -Wextra -Werror embed.c $flags $(pkg-config --cflags flowfabric) -Wl,-Bstatic -L"$libdir" -lflowfabric \
  -Wl,-Bdynamic $(pkg-config --libs-only-l --static flowfabric | sed 's/-lflowfabric//') -o static
mkdir consumer
cat >CMakeLists.txt <<CMAKE
cmake_minimum_required(VERSION 3.25)
project(consumer C)
find_package(flowfabric $version REQUIRED)
add_executable(with_shared embed.c)
target_link_libraries(with_shared flowfabric::flowfabric)
add_executable(with_static embed.c)
target_link_libraries(with_static flowfabric::static)
CMAKE
quietly cmake -G "$(cached CMAKE_GENERATOR)" -B consumer -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$cc" \
  -DCMAKE_C_FLAGS="$flags"
quietly cmake --build consumer

for program in shared static consumer/with_shared consumer/with_static; do
  rm -f app.db*
  LD_LIBRARY_PATH=$libdir "./$program" >said 2>&1 || { cat said >&2; fail "$program does not run"; }
  grep -qx 'result: 640x480' said || { cat said >&2; fail "$program does not do its work"; }
  needs=$(readelf -d "$program" | grep -c 'NEEDED.*libflowfabric' || true)
  case $program in *static) wanted=0 ;; *) wanted=1 ;; esac
  [ "$needs" = "$wanted" ] || fail "$program is linked with the wrong library"
done
echo "install: ok ($(wc -l <exported) functions${sanitizers:+, sanitizers $sanitizers})"

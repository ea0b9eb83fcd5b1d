#!/bin/sh
# check_install.sh CMAKE BUILD SOURCE CC CXX: installs into a folder with a blank and an é in its
# name, moves it, and uses it as programs do: by pkg-config from C and C++, by find_package, by
# add_subdirectory.
set -eu
cmake=$1 build=$2 source=$3 cc=$4 cxx=$5
fail() {
  printf 'check_install: %s\n' "$*" >&2
  exit 1
}
folder=$(mktemp -d "${TMPDIR:-/tmp}/skein install é.XXXXXX")
trap 'rm -rf "$folder"' EXIT
# A home of its own, so that nothing is found that was not installed.
mkdir "$folder/home"
export HOME="$folder/home"
unset SKEIN_HOME XDG_DATA_HOME XDG_CONFIG_HOME SKEIN_MODEL 2>/dev/null || true
export XDG_DATA_DIRS="$folder/none"

"$cmake" --install "$build" --prefix "$folder/first" >"$folder/log" || fail "$(cat "$folder/log")"
mv "$folder/first" "$folder/the prefix"
prefix="$folder/the prefix"
libdir=$(dirname "$(find "$prefix" -name 'libskein.so.0' | head -n 1)")
for file in bin/skein share/man/man1/skein.1 share/skein/models/bundled-0.pth \
  share/bash-completion/completions/skein share/fish/vendor_completions.d/skein.fish \
  lib/systemd/system/skein.service lib/systemd/system/skein.socket include/skein/skein.h include/skein/skein.hpp include/skein/models.hpp; do
  [ -s "$prefix/$file" ] || fail "$file was not installed"
done
find "$prefix/share/zsh" -name _skein -size +0 | grep -q . || fail "zsh's completions are missing"
if grep -rlF -e "$build" -e "$source" "$prefix"; then fail "these name the build folder"; fi
if command -v readelf >/dev/null 2>&1; then
  for file in "$prefix/bin/skein" "$libdir/libskein.so.0"; do
    if readelf -d "$file" | grep -E 'R(UN)?PATH'; then fail "$file has a run path"; fi
  done
fi

# The program finds what was installed with it, wherever it was moved.
answer=$("$prefix/bin/skein" run bundled-0 'Reverse: garden' -q 2>&1) || fail "$answer"
[ "$answer" = "$("$build/skein" run "$source/models/bundled-0.pth" 'Reverse: garden' -q)" ] ||
  fail "the installed program says $answer"
[ "$(SKEIN_MODEL=bundled-0 "$prefix/bin/skein" run -p 'Reverse: garden' -q 2>&1)" = "$answer" ] ||
  fail "SKEIN_MODEL does not name the model"

export LD_LIBRARY_PATH="$libdir"
expected=$("$build/examples/hello" "$source/models/bundled-0.pth") || fail "hello does not run"
same() {
  got=$("$1" "$prefix/share/skein/models/bundled-0.pth") || fail "$2: does not run"
  [ "$got" = "$expected" ] || fail "$2: it says $got, not $expected"
}

if command -v pkg-config >/dev/null 2>&1; then
  export PKG_CONFIG_LIBDIR="$libdir/pkgconfig"  # and nothing else that is installed
  pkg-config --exists skein || fail "pkg-config knows no skein"
  # What pkg-config quotes is for a shell.
  flags=$(pkg-config --cflags --libs skein)
  eval "\"$cc\" -std=c99 -o \"\$folder/c\" \"\$source/examples/c/hello.c\" $flags"
  same "$folder/c" "C by pkg-config"
  for compiler in "$cxx" clang++-16 clang++; do
    command -v "$compiler" >/dev/null 2>&1 || continue
    eval "\"$compiler\" -std=c++17 -o \"\$folder/cpp\" \"\$source/examples/cpp/batch.cpp\" $flags"
    (cd "$prefix/share/skein" && "$folder/cpp" models/bundled-0.pth >/dev/null) ||
      fail "C++ by pkg-config with $compiler"
  done
  unset PKG_CONFIG_LIBDIR
fi

consumer=$(dirname "$0")/consumer
"$cmake" -S "$consumer" -B "$folder/by package" -DCMAKE_PREFIX_PATH="$prefix" \
  -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx" -DEXAMPLE="$source/examples/c/hello.c" \
  >"$folder/log" 2>&1 || fail "$(cat "$folder/log")"
"$cmake" --build "$folder/by package" >"$folder/log" 2>&1 || fail "$(cat "$folder/log")"
same "$folder/by package/app" "find_package"
if "$cmake" -S "$consumer" -B "$folder/newer" -DCMAKE_PREFIX_PATH="$prefix" -DWANTED=99 \
  -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx" >"$folder/log" 2>&1; then
  fail "find_package takes 0.1 for 99"
fi

# As a part of another project: its own object files show whether the target's paths are right, and
# one of ours whether ours are. All of it would be built once more.
"$cmake" -S "$consumer" -B "$folder/by folder" -G Ninja -DSKEIN_FOLDER="$source" \
  -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx" -DEXAMPLE="$source/examples/c/hello.c" \
  >"$folder/log" 2>&1 || fail "$(cat "$folder/log")"
app=$(cd "$folder/by folder" && ninja -t query app | sed -n 's/^ *\(CMakeFiles[^ ]*\.o\)$/\1/p')
"$cmake" --build "$folder/by folder" \
  --target "$app" skein/src/base/CMakeFiles/skein_base.dir/check.cpp.o >"$folder/log" 2>&1 ||
  fail "$(cat "$folder/log")"
if (cd "$folder/by folder" && ninja -t targets all) | grep -q '^test_'; then
  fail "a part of another project builds its tests"
fi

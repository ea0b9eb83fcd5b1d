#!/bin/sh
# check_portable.sh TREE MODEL: whether what is installed in TREE asks for nothing that is neither in
# it nor the C or C++ library, and whether its program answers from wherever it stands. Says what it
# needs of those.
set -eu
tree=$1 model=$2
fail() {
  printf 'check_portable: %s\n' "$*" >&2
  exit 1
}
[ -x "$tree/bin/skein" ] || fail "there is no $tree/bin/skein"
versions=
for file in "$tree"/bin/skein "$tree"/lib/libskein.so.0 "$tree"/lib/skein/*.so*; do
  [ -f "$file" ] || continue
  about=$(readelf -dV "$file") || fail "$file is no program or library"
  for needed in $(printf '%s\n' "$about" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do
    case $needed in
      ld-linux* | libc.so.* | libm.so.* | libdl.so.* | librt.so.* | libpthread.so.* | libgcc_s.so.* | libstdc++.so.*) ;;
      *) [ -e "$tree/lib/skein/$needed" ] || fail "$file needs $needed, which is not there" ;;
    esac
  done
  versions="$versions $(printf '%s\n' "$about" | grep -oE '(GLIBC|GLIBCXX)_[0-9.]+' || true)"
done
newest() {
  # shellcheck disable=SC2086  # a word per version
  printf '%s\n' $versions | grep "^$1_" | sort -V | tail -n 1
}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cp -R "$tree" "$folder/a tree"
# Nothing else to find libraries by.
answer=$(env -i "$folder/a tree/bin/skein" run "$model" 'Reverse: garden' -q </dev/null) ||
  fail "a moved copy does not run"
[ -n "$answer" ] || fail "a moved copy says nothing"
echo "needs $(newest GLIBC) and $(newest GLIBCXX) or newer"

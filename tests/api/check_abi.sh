#!/bin/sh
# check_abi.sh CC FIRST CURRENT: programs compiled with the header in the folder FIRST run with a
# library of the one in CURRENT. Fields may be appended, functions and numbers added, nothing else.
# Two libraries of empty functions stand for the real ones: a C header is all there is to compare.
set -eu
cc=$1 first=$2 current=$3
command -v abidiff >/dev/null 2>&1 || { echo "SKIPPED: abidiff is missing"; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# library NAME INCLUDE: a library with all functions that the header declares. What stands behind
# "The first version ends here" in a struct is no part of it.
library() {
  sed '/The first version ends here/,/^}/{/^}/!d}' "$2/skein/skein.h" | "$cc" -E -P -x c - |
    awk 'BEGIN { RS = ";" } { printf "%s", $0 }
         /^[[:space:]]*__attribute__/ && /\)[[:space:]]*$/ { print " { __builtin_trap(); }"; next }
         NF { print ";" }' >"$folder/$1.c"
  "$cc" -g -O0 -fPIC -shared -w -o "$folder/$1.so" "$folder/$1.c"
}
# numbers NAME: the enumerators, which no type of a function tells.
numbers() {
  sed -n 's/^.*\(SK_[A-Z0-9_]*\) = \(-\{0,1\}[0-9]*\).*$/\1 \2/p' "$folder/$1.c"
}
# same ONE OTHER
same() {
  numbers "$1" >"$folder/one"
  numbers "$2" >"$folder/other"
  grep -vxFf "$folder/other" "$folder/one" >"$folder/report" && return 1
  abidiff --no-added-syms "$folder/$1.so" "$folder/$2.so" >"$folder/report" 2>&1
}
# changed SED-SCRIPT: what this makes of the header must be noticed.
changed() {
  mkdir -p "$folder/include/skein"
  sed "$1" "$first/skein/skein.h" >"$folder/include/skein/skein.h"
  ! cmp -s "$first/skein/skein.h" "$folder/include/skein/skein.h" || { echo "$1: no change"; exit 1; }
  library other "$folder/include"
  ! same first other || { echo "the change $1 is not noticed"; exit 1; }
}

library first "$first"
[ "$(grep -c __builtin_trap "$folder/first.c")" = "$(grep -c '^SK_API' "$first/skein/skein.h")" ] || {
  echo "functions are missing"
  exit 1
}
library current "$current"
same first current || { cat "$folder/report"; exit 1; }

changed 's/int32_t chunk;/int64_t chunk;/'
changed '/int32_t threads;/d'
changed 's/int32_t want, *$/int64_t want,/'
changed 's/size_t capacity, size_t\* count); .*/size_t capacity);/'
changed '/SK_API int32_t sk_state_reset/d'
changed 's/SK_MEMORY = 5,/SK_MEMORY = 9,/'
changed 's/double top_p; /double top_q, top_p; /'

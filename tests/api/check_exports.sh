#!/bin/sh
# check_exports.sh NM LIBRARY HEADER: the library shows the functions of the header, each in a version
# of the border, and nothing else.
set -eu
declared=$(sed -n 's/^SK_API .*[ *]\(sk_[a-z0-9_]*\)(.*/\1/p' "$3" | LC_ALL=C sort)
# sk_eval@@SKEIN_0; the version itself is an absolute symbol.
exported=$("$1" -D --defined-only "$2" | awk '$2 != "A" { print $NF }' | sed 's/@@SKEIN_.*//' |
  LC_ALL=C sort)
if "$1" -D --defined-only "$2" | awk '$2 != "A" { print $NF }' | grep -v '@@SKEIN_'; then
  echo "these belong to no version"
  exit 1
fi
[ -n "$declared" ] || { echo "no declarations found in $3"; exit 1; }
[ "$declared" = "$exported" ] && exit 0
echo "declared:" $declared
echo "exported:" $exported
exit 1

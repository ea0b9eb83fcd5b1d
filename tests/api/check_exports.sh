#!/bin/sh
# check_exports.sh NM LIBRARY HEADER: the library shows the functions of the header and nothing else.
set -eu
declared=$(sed -n 's/^SK_API .*[ *]\(sk_[a-z0-9_]*\)(.*/\1/p' "$3" | LC_ALL=C sort)
exported=$("$1" -D --defined-only "$2" | awk '{ print $NF }' | LC_ALL=C sort)
[ -n "$declared" ] || { echo "no declarations found in $3"; exit 1; }
[ "$declared" = "$exported" ] && exit 0
echo "declared:" $declared
echo "exported:" $exported
exit 1

#!/bin/sh
# Runs one script of the page's tests, or says in the words of the summary why it cannot be run here: what
# ./dev would have installed is there where all is tested, unless the network is not.
# run.sh SCRIPT, in the folder of the packages that ./dev fetches.
set -eu
script=$1

without() {
  [ -z "${SKEIN_TESTS:-}" ] || {
    echo "$1"
    exit 1
  }
  echo "SKIPPED: $1"
  exit 77
}

command -v node >/dev/null 2>&1 || without "needs node and npm, for the web page"
for folder in "$PWD" "$SKEIN_UI_PACKAGES"; do
  if [ -f "$folder/node_modules/.whole" ]; then continue; fi
  if [ ! -f "$folder/why-not" ]; then without "needs npm packages, which ./dev test fetches"; fi
  cat "$folder/why-not"
  if grep -q '^SKIPPED' "$folder/why-not"; then exit 77; fi
  exit 1
done
if [ "$script" != built ] && [ ! -x "${SKEIN_CHROMIUM:-/usr/bin/chromium}" ]; then
  without "needs chromium, for the web page"
fi
exec timeout -k 5 580 node "$script.mjs"

#!/bin/sh
# Runs one script of the page's tests, or says in the words of the summary why it cannot be run here.
# run.sh SCRIPT: in this folder, beside the packages that ./dev fetches; built.mjs needs no browser.
set -eu
script=$1
command -v node >/dev/null 2>&1 || {
  echo "SKIPPED: needs node and npm, for the web page"
  exit 77
}
for folder in "$PWD" "$SKEIN_UI_PACKAGES"; do
  if [ ! -f "$folder/node_modules/.whole" ]; then
    if [ -f "$folder/why-not" ]; then
      cat "$folder/why-not"
      ! grep -q '^SKIPPED' "$folder/why-not" || exit 77
      exit 1
    fi
    echo "SKIPPED: needs npm packages, which ./dev test fetches"
    exit 77
  fi
done
if [ "$script" != built ] && [ ! -x "${SKEIN_CHROMIUM:-/usr/bin/chromium}" ]; then
  echo "SKIPPED: needs chromium, for the web page"
  exit 77
fi
exec timeout -k 5 280 node "$script.mjs"

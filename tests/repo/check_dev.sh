#!/bin/sh
# What ./dev promises before anything is compiled, tried on a copy of it in a folder with a space,
# with stand-ins for apt-get, dpkg-query, cmake and ctest that only write down how they were called.
# Usage: check_dev.sh PROJECT
set -eu
project=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
copy="$work/a checkout"
bin=$work/bin
mkdir -p "$copy/tools" "$bin"
cp "$project/dev" "$copy/dev"
cp "$project/tools/packages.txt" "$copy/tools/packages.txt"

# The tools of a minimal system, and no sudo.
for tool in sh awk basename cat cmp cp cut dirname env find grep head mkdir mktemp nproc rm sed tail tr \
  uname; do
  path=$(command -v "$tool") || continue
  ln -s "$path" "$bin/$tool"
done
# shellcheck disable=SC2016  # the stand-ins expand these
{
  printf '#!/bin/sh\necho "$FAKE_UID"\n' >"$bin/id"
  printf '#!/bin/sh\necho "cmake $*" >>"$CALLS"\n' >"$bin/cmake"
  printf '#!/bin/sh\necho "ctest $*" >>"$CALLS"\n' >"$bin/ctest"
  printf '#!/bin/sh\necho "apt-get $*" >>"$CALLS"\n' >"$bin/apt-get"
}
cat >"$bin/dpkg-query" <<'FAKE'
#!/bin/sh
for name; do :; done
case " $FAKE_MISSING " in
  *" $name "*) printf 'not-installed ' ;;
  *) printf 'installed ' ;;
esac
FAKE
chmod +x "$bin"/id "$bin"/cmake "$bin"/ctest "$bin"/apt-get "$bin"/dpkg-query

CALLS=$work/calls
export CALLS FAKE_UID FAKE_MISSING
fail() {
  printf 'FAILED: %s\n' "$*" >&2
  cat "$work/said" "$CALLS" >&2
  exit 1
}

# dev ARGS...: runs the copy from another folder and keeps its exit code, words and calls.
dev() {
  : >"$CALLS"
  code=0
  (cd / && env -u SKEIN_PRESET PATH="$bin" sh "$copy/dev" "$@") >"$work/said" 2>&1 </dev/null ||
    code=$?
}

FAKE_UID=0 FAKE_MISSING=
dev help
[ "$code" = 0 ] || fail "help exits with $code"
for word in demo test build fuzz bench microbench performance format sanitize tsan arm \
  mutate prove clean help; do
  grep -q "^  $word" "$work/said" || fail "help does not name $word"
  grep -q "^words := .*\b$word\b" "$project/Makefile" || fail "the Makefile does not forward $word"
done
dev nonsense
[ "$code" = 2 ] || fail "an unknown word exits with $code"

dev build
[ "$code" = 0 ] || fail "build exits with $code"
grep -q apt-get "$CALLS" && fail "nothing is missing, yet apt-get was called"
grep -q -e '--target skein libskein.so' "$CALLS" || fail "build does not build skein and libskein.so"

FAKE_MISSING='cmake libfmt-dev'
dev build
[ "$code" = 0 ] || fail "root with missing packages exits with $code"
grep -q 'apt-get .*install cmake libfmt-dev$' "$CALLS" || fail "not just the missing was installed"
[ "$(grep -c 'apt-get .*update' "$CALLS")" = 1 ] || fail "the package lists are updated once"

FAKE_UID=1000
dev test
[ "$code" = 1 ] || fail "without root and sudo the exit code is $code"
grep -q 'apt-get update && apt-get install .* cmake libfmt-dev' "$work/said" ||
  fail "the one line to run was not printed"
[ -s "$CALLS" ] && fail "without root something was started"

# A sudo that asks nothing.
cat >"$bin/sudo" <<'FAKE'
#!/bin/sh
echo "sudo $*" >>"$CALLS"
[ "$1" = -n ] || exit 1
shift
[ "$1" = true ] || exec "$@"
FAKE
chmod +x "$bin/sudo"
dev build
[ "$code" = 0 ] || fail "with sudo the exit code is $code"
grep -q 'sudo -n env .* install cmake libfmt-dev$' "$CALLS" || fail "sudo was not used"
printf '#!/bin/sh\nexit 1\n' >"$bin/sudo"
dev build
[ "$code" = 1 ] || fail "with a sudo that refuses the exit code is $code"
grep -q 'sudo apt-get update && sudo apt-get install .* cmake' "$work/said" ||
  fail "the line to run with sudo was not printed"

FAKE_UID=0 FAKE_MISSING=
dev test -R io
[ "$code" = 0 ] || fail "test exits with $code"
tail -n 1 "$CALLS" | grep -q '^ctest .*--output-on-failure -R io$' || fail "ctest is not the last"

# The clients that tests drive: what cannot be had stops nobody, and what npm fetched stays.
clients=$copy/build/tests/clients
mkdir -p "$clients"
echo 1 >"$clients/package-lock.json"
FAKE_MISSING='curl nodejs npm'
dev test
[ "$code" = 0 ] || fail "test without the clients exits with $code"
grep -q 'apt-get .*install curl$' "$CALLS" || fail "the clients were not installed"
grep -q 'apt-get .*install nodejs npm$' "$CALLS" || fail "npm was not installed"
FAKE_UID=1000
dev test
[ "$code" = 0 ] || fail "test with clients that cannot be installed exits with $code"
grep -q 'apt-get install .* nodejs npm' "$work/said" || fail "the line for npm was not printed"
FAKE_UID=0
cat >"$bin/npm" <<'FAKE'
#!/bin/sh
echo "npm $*" >>"$CALLS"
[ -z "$FAKE_NPM" ] || { echo "npm ERR! $FAKE_NPM" >&2; exit 1; }
mkdir node_modules
FAKE
chmod +x "$bin/npm"
FAKE_MISSING='nodejs npm' FAKE_NPM='code EAI_AGAIN'
export FAKE_NPM
dev test
[ "$code" = 0 ] || fail "test without a network exits with $code"
grep -q apt-get "$CALLS" && fail "npm is there, yet apt-get was called"
grep -q '^SKIPPED: ' "$clients/why-not" || fail "nothing says that there was no network"
FAKE_NPM='code EINTEGRITY'
dev test
grep -q '^npm could not' "$clients/why-not" || fail "nothing says that npm failed"
FAKE_NPM=
dev test
[ ! -e "$clients/why-not" ] || fail "something is said to be wrong with npm"
grep -q '^npm ci .*--ignore-scripts' "$CALLS" || fail "npm was not asked for what the lock file names"
dev test
grep -q '^npm' "$CALLS" && fail "what npm fetched is fetched again"
echo 2 >"$clients/package-lock.json"
dev test
grep -q '^npm ci' "$CALLS" || fail "another lock file fetches nothing"
rm "$bin/npm"
FAKE_MISSING=

dev fuzz soon
[ "$code" = 1 ] || fail "a nonsense number of seconds exits with $code"
dev mutate many
[ "$code" = 1 ] || fail "a nonsense number of mutants exits with $code"

# A ctest that fails, with two tests of one reason and one of another among those it skipped.
cat >"$bin/ctest" <<'FAKE'
#!/bin/sh
while [ "$1" != --output-junit ]; do shift; done
cat >"$2" <<'REPORT'
<testsuite>
	<testcase name="A.a" status="notrun"><skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/>
		<system-out>x.cpp:1: Skipped
SKIPPED: needs files from elsewhere (SKEIN_SHARED): "/a"
</system-out>
	</testcase>
	<testcase name="A.b" status="run"><system-out>SKIPPED: is only said</system-out>
	</testcase>
	<testcase name="A.c" status="notrun"><skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/>
		<system-out>SKIPPED: this processor lacks AMX</system-out>
	</testcase>
	<testcase name="A.d" status="notrun"><skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/>
		<system-out>SKIPPED: needs files from elsewhere (SKEIN_SHARED): "/b"
</system-out>
	</testcase>
</testsuite>
REPORT
exit 8
FAKE
dev test
[ "$code" = 8 ] || fail "ctest exits with 8, test with $code"
tail -n 1 "$work/said" | grep -qF 'dev: 3 skipped: 2 x needs files from elsewhere (SKEIN_SHARED), 1 x this processor lacks AMX' ||
  fail "the last line does not tell what was skipped"
echo "dev keeps its promises"

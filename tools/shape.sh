#!/bin/sh
# How far it is from main to the inner product, how many files know an operation, and how long the
# longest function and file are. Usage: shape.sh [CHECKOUT]
# Builds CHECKOUT/build-shape (unoptimised, so that every call is one) and needs gdb.
set -eu
root=$(cd -- "${1:-$(dirname -- "$0")/..}" && pwd -P)
cd -- "$root"
build=build-shape

mkdir -p "$build"
log=$build/shape.log
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DSKEIN_TESTS=OFF \
  -DCMAKE_CXX_FLAGS_DEBUG='-O0 -g1' >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
cmake --build "$build" --target skein >>"$log" 2>&1 || { tail "$log" >&2; exit 1; }

# hops COMMAND...: our own functions on the stack at the first product after the model was opened,
# main counted, lambdas and what lies between (the standard library, Results) not.
hops() {
  gdb -q -batch -iex 'set debuginfod enabled off' -ex 'set breakpoint pending on' \
    -ex 'break skein::cpu::Executor::linear' -ex "run $* >/dev/null 2>&1" -ex 'bt' "$build/skein" \
    2>/dev/null | awk '
      /^#[0-9]+ / {
        line = $0
        sub(/^#[0-9]+ +(0x[0-9a-f]+ in )?/, "", line)
        gsub(/\(anonymous namespace\)::/, "", line)
        sub(/[ (].*/, "", line)
        if (line ~ /^std::|^_M_invoke|^__|lambda|^_start|^operator$/) next
        gsub(/skein::|cli::|cpu::/, "", line)
        count++
        names = line (names == "" ? "" : " > ") names
      }
      END { print count " | " names }'
}
echo "| from | hops | way |"
echo "|---|---|---|"
echo "| skein run | $(hops run models/bundled-0.pth x -n 1 -t 1 -q --sparse off) |"
echo "| skein complete | $(hops complete models/bundled-0.pth x -n 1 -t 1 -q --sparse off) |"

# Files of the engine that name an operation by its kind or as a function of the recorder.
echo
echo "| operation | files in src |"
echo "|---|---|"
for op in bonus token_matmul l2norm_heads wkv7 lerp; do
  # l2norm_heads is also kL2NormHeads.
  name=k?$(echo "$op" | sed 's/_/_?/g')
  files=$(grep -rliE "\\b$name\\b" src --include='*.h' --include='*.cpp' | grep -v '^src/arch/' | sort)
  echo "| $op | $(echo "$files" | wc -l): $(echo "$files" | sed 's|^src/||' | tr '\n' ' ')|"
done

# A function of ours begins and ends in the first column, whatever namespace it is in.
echo
find src -name '*.h' -o -name '*.cpp' | sort | xargs awk '
  FNR == 1 {
    if (lines > longest_file) { longest_file = lines; file = last }
    start = 0
  }
  { lines = FNR; last = FILENAME }
  /^[A-Za-z].*[({]$/ && !/^(namespace|class|struct|enum|extern|using|typedef|inline constexpr|constexpr|const|static const)/ && !start {
    start = FNR
  }
  /^}/ && start {
    if (FNR - start + 1 > longest) { longest = FNR - start + 1; where = FILENAME ":" start }
    start = 0
  }
  END {
    if (lines > longest_file) { longest_file = lines; file = last }
    print "longest function: " longest " lines, " where
    print "longest file: " longest_file " lines, " file
  }'

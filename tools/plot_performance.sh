#!/bin/sh
# Measures random models of the released shapes in several formats and writes docs/images/
# performance-*.svg and a Markdown table. Usage: plot_performance.sh BUILD OUT [--quick]
# --quick: one shape, few and short samples, to see that all of it works.
# The models (7 GiB at most at a time) go to TMPDIR and are removed.
set -eu
build=$1
out=$2
root=$(cd -- "$(dirname -- "$0")/.." && pwd -P)

shapes='0.1b 0.4b 1.5b'
sampling='--repeat 5 --predict 32 --prompt 512'
stream=1000000
if [ "${3:-}" = --quick ]; then
  shapes=0.1b
  sampling='--repeat 2 --predict 8 --prompt 64'
  stream=20000
elif [ -n "${3:-}" ]; then
  echo "plot_performance.sh: unknown option $3" >&2
  exit 2
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
mkdir -p "$out"

set -- "$out"
# measure SHAPE TYPE MODEL: a report for the plots.
measure() {
  echo "measuring $1 $2" >&2
  # shellcheck disable=SC2086  # words
  "$build/skein" bench "$3" $sampling --chunks --json -q >"$work/$1-$2.json"
}

for shape in $shapes; do
  source=$work/$shape.safetensors
  "$build/make_random_rwkv7" -q --shape "$shape" --dtype f16 "$source"
  measure "$shape" F16 "$source"
  set -- "$@" "$shape" F16 "$work/$shape-F16.json"
  for type in Q8_0 Q4_0 Q4_K; do
    "$build/skein" quantize -q "$source" "$work/model.gguf" "$type" >&2
    measure "$shape" "$type" "$work/model.gguf"
    set -- "$@" "$shape" "$type" "$work/$shape-$type.json"
    rm -f "$work/model.gguf"
  done
  rm -f "$source"
done

echo "streaming $stream tokens" >&2
"$build/skein" bench "$root/models/bundled-0.pth" --stream "$stream" --json -q \
  --plot "$1/performance-stream.svg" >"$work/stream.json"
"$build/plot_performance" "$@" stream "$work/stream.json"

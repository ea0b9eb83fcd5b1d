#!/bin/sh
# check_docs.sh CMAKE BUILD SOURCE CC CXX: runs every shell line of README and docs/ as a reader would,
# against an installed Skein, in a folder where the files that the pages speak of stand ready.
#
# A fenced block marked `sh` is run, block by block. One marked `sh slow` or `sh network` is only looked
# at, each of its commands for words and options that exist; so is every `skein ...` in the text.
# SKEIN_TESTS=thorough runs the slow ones too. A command in a block without a mark is an error: it
# would be read by people and by nothing else.
set -eu
cmake=$1 build=$2 source=$3 cc=$4 cxx=$5
folder=$(mktemp -d "${TMPDIR:-/tmp}/skein_docs.XXXXXX")
trap 'rm -rf "$folder"' EXIT
bad=0
complain() {
  printf 'check_docs: %s\n' "$*" >&2
  bad=1
}

# ---- a reader's machine ---------------------------------------------------------------------------

"$cmake" --install "$build" --prefix "$folder/prefix" >"$folder/log" || {
  cat "$folder/log" >&2
  exit 1
}
libraries=$(dirname "$(find "$folder/prefix" -name libskein.so.0 | head -n 1)")
mkdir "$folder/home" "$folder/bin" "$folder/work"
export HOME="$folder/home" LD_LIBRARY_PATH="$libraries" PKG_CONFIG_PATH="$libraries/pkgconfig"
export PATH="$folder/bin:$folder/prefix/bin:$PATH" COLUMNS=80
unset SKEIN_HOME XDG_DATA_HOME XDG_CONFIG_HOME SKEIN_MODEL 2>/dev/null || true
# What pages take for granted: a C and a C++ compiler, a repository with a change in it.
ln -s "$cc" "$folder/bin/cc"
ln -s "$cxx" "$folder/bin/c++"
printf '#!/bin/sh\necho "-garden"\necho "+forest"\n' >"$folder/bin/git"
chmod +x "$folder/bin/git"
cd "$folder/work"
# A page of its own is read in a folder of its own.
stand_ready() {
  rm -rf "$folder/work/page"
  mkdir "$folder/work/page"
  cd "$folder/work/page"
  ln -s "$build" build
  ln -s "$source/include" include
  ln -s "$source/examples" examples
  ln -s "$source/models" models
  cp "$source/examples/c/hello.c" hello.c
  printf '#include <rwkv.h>\nint main(void) { return !rwkv_get_system_info_string(); }\n' >program.c
  cp "$source/examples/cpp/chat.cpp" chat.cpp
  for model in MODEL RWKV-x070-World-0.4B-v2.9-20250107-ctx4096.pth; do
    cp "$source/models/bundled-0.pth" "$model"
  done
  printf 'Mia found a red lamp in the garden.\n' | tee notes.txt >book.txt
  # The repository's own front door: whether it has the word.
  cat >dev <<'DEV'
#!/bin/sh
case $1 in
  help) exec sh "$source/dev" help ;;
esac
sh "$source/dev" help | grep -q "^  $1 " || { echo "./dev has no word $1" >&2; exit 1; }
DEV
  sed -i "s|\$source|$source|g" dev
  chmod +x dev
}

# ---- what is asked of a command that is not run ----------------------------------------------------

known_commands=$(skein help | sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p')
# look_at PLACE COMMAND...: one simple command, by its words.
look_at() {
  place=$1
  shift
  while [ $# -gt 0 ]; do  # behind variables and a pipe
    case $1 in
      skein | build/skein) break ;;
      *) shift ;;
    esac
  done
  [ $# -gt 1 ] || return 0
  shift
  word=$1
  case $word in
    -* | [A-Z]* | '…' | ...) return 0 ;;
  esac
  printf '%s\n' "$known_commands" | grep -qx -- "$word" || {
    complain "$place: skein has no command $word"
    return 0
  }
  skein help "$word" >"$folder/help"
  shift
  for argument in "$@"; do
    case $argument in
      --[a-z]* | -[a-z])
        grep -qE -- "(^|[ ,])${argument%%=*}([ ,=]|\$)" "$folder/help" ||
          complain "$place: skein $word has no option ${argument%%=*}"
        ;;
      '|' | '>' | '<' | '#') break ;;
    esac
  done
}
look_at_all() {  # lines of "PLACE<tab>COMMAND"
  while IFS='	' read -r place command; do
    set -f
    # shellcheck disable=SC2086  # a command's words, but for quotes
    look_at "$place" $command
    set +f
  done
}

# ---- the pages -----------------------------------------------------------------------------------

# blocks PAGE: a line for each command of its fenced blocks, "number of the block<tab>mark<tab>line
# of the page<tab>command"; lines that end in a backslash are joined with what follows.
blocks() {
  awk -v page="${1#"$source"/}" '
    /^ *```/ {
      if (inside) { inside = 0; next }
      inside = 1; block++; mark = $0; sub(/^ *```/, "", mark)
      next
    }
    !inside || /^[ \t]*(#|$)/ { next }
    {
      if (command == "") at = page ":" FNR
      command = command $0
      if (command ~ /\\$/) { sub(/\\$/, "", command); next }
      print block "\t" mark "\t" at "\t" command
      command = ""
    }' "$1"
}

run_block() {  # lines of "PLACE<tab>COMMAND"
  printf 'Hello\n' >"$folder/stdin"
  {
    echo 'set -eu'
    echo "trap 'code=\$?; [ \$code = 0 ] || echo \"\$at: exit \$code\" >&3' EXIT"
    while IFS='	' read -r place command; do
      printf "at='%s'\n{ %s\n} <'%s'\n" "$place" "$command" "$folder/stdin"
    done
  } >"$folder/script"
  if ! timeout 600 sh "$folder/script" >"$folder/out" 2>&1 3>"$folder/failed"; then
    complain "$(cat "$folder/failed")
$(tail -n 5 "$folder/out")"
  fi
}

ran=0 looked=0
for page in "$source/README.md" "$source"/docs/*.md; do
  stand_ready
  blocks "$page" >"$folder/blocks"
  for block in $(cut -f 1 "$folder/blocks" | uniq); do
    awk -F '\t' -v block="$block" '$1 == block' "$folder/blocks" >"$folder/block"
    mark=$(head -n 1 "$folder/block" | cut -f 2)
    cut -f 3- "$folder/block" >"$folder/commands"
    count=$(wc -l <"$folder/commands")
    [ "$mark" = "sh slow" ] && [ -n "${SKEIN_TESTS:-}" ] && mark=sh
    case $mark in
      sh)
        run_block <"$folder/commands"
        ran=$((ran + count))
        ;;
      "sh slow" | "sh network")
        look_at_all <"$folder/commands"
        looked=$((looked + count))
        ;;
      *)
        # A transcript begins its commands with a dollar.
        grep -nE '	(\$ )?(\./dev|skein|build/skein|cc|c\+\+|cmake) [a-z-]' "$folder/commands" |
          grep -vE '	\$ ' >"$folder/unmarked" || true
        [ ! -s "$folder/unmarked" ] ||
          complain "a command in a block that is not marked sh: $(head -n 1 "$folder/unmarked")"
        sed -n 's/	\$ /	/p' "$folder/commands" >"$folder/transcript"
        look_at_all <"$folder/transcript"
        ;;
    esac
  done
  # In the text.
  awk -v page="${page#"$source"/}" '
    /^ *```/ { inside = !inside; next }
    !inside {
      line = $0
      while (match(line, /`(build\/)?skein [^`]+`/)) {
        print page ":" FNR "\t" substr(line, RSTART + 1, RLENGTH - 2)
        line = substr(line, RSTART + RLENGTH)
      }
    }' "$page" >"$folder/inline"
  look_at_all <"$folder/inline"
  looked=$((looked + $(wc -l <"$folder/inline")))
done
[ "$ran" -gt 20 ] && [ "$looked" -gt 20 ] || complain "only $ran lines were run and $looked looked at"
echo "check_docs: $ran lines run, $looked looked at"
exit $bad

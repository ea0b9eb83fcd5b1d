#!/bin/sh
# check_exports.sh NM LIBRARY HEADER: the library shows the functions of rwkv.cpp's interface, the
# header declares them, and there is nothing else in either.
set -eu
wanted=$(tr ' ' '\n' <<'NAMES' | sed 's/^/rwkv_/' | LC_ALL=C sort
clone_context eval eval_sequence eval_sequence_in_chunks free get_last_error
get_logits_buffer_element_count get_logits_len get_n_embed get_n_layer get_n_vocab
get_print_errors get_state_buffer_element_count get_state_len get_system_info_string
init_from_file init_state quantize_model_file set_print_errors
NAMES
)
declared=$(sed -n 's/^RWKV_API .*[ *]\(rwkv_[a-z_]*\)(.*/\1/p' "$3" | LC_ALL=C sort)
exported=$("$1" -D --defined-only "$2" | awk '{ print $NF }' | LC_ALL=C sort)
[ "$wanted" = "$declared" ] && [ "$wanted" = "$exported" ] && exit 0
echo "wanted:  " $wanted
echo "declared:" $declared
echo "exported:" $exported
exit 1

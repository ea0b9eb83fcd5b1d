#include "cli/help.h"

namespace skein::cli {
namespace {

constexpr Topic kTopics[] = {
    {"config", "configuration files and SKEIN_* variables",
     R"(An option's value comes from the first of these that has one:

  1. the command line               --threads 2
  2. a variable                     SKEIN_THREADS=2 (upper case, - becomes _)
  3. ./skein.toml                   the project's file
  4. $XDG_CONFIG_HOME/skein/config.toml, by default ~/.config/skein/config.toml
  5. what the model is known to want
  6. what skein help COMMAND shows

A file holds keys for all commands, then sections for single ones:

  threads = 2

  [run]
  temp = 0.8

  [state.export]
  format = "time_state"

A section or key that nobody knows is an error. endpoint, which says who gets the token of the hub, is
not for ./skein.toml to say. skein doctor shows which files are read.
)"},
    {"environment", "variables that Skein reads",
     R"(SKEIN_ISA          the instruction set to use: scalar; on x86-64 avx2, avx512 or
                   amx; on AArch64 neon, dotprod or i8mm
SKEIN_THREADS      threads, as -t
SKEIN_HOME         one folder for configuration, models, vocabularies and history
SKEIN_<OPTION>     any option: skein help config
XDG_CONFIG_HOME    configuration is in its skein/config.toml (~/.config)
XDG_DATA_HOME      vocabularies are in its skein/vocab, models in its skein/models
                   (~/.local/share)
XDG_STATE_HOME     lines typed in chat are in its skein/history (~/.local/state)
HF_ENDPOINT        the hub that pull and list --remote ask; before it --endpoint
HF_TOKEN           a token of the hub, which no other host hears
https_proxy, all_proxy, no_proxy
                   proxies for connections to other machines
NO_COLOR, CLICOLOR_FORCE, TERM=dumb
                   colour; --color decides before them
)"},
    {"exit-codes", "what the exit code says",
     R"(0    fine
1    failed while running: a file that is not there, a full disk
2    wrong usage
3    a model, vocabulary or state file that is corrupt, unsupported or does not fit
4    device or memory
5    network: another machine cannot be reached, refuses, or sends something else
130  interrupted by Ctrl-C; 143 by SIGTERM, 129 by SIGHUP
)"},
    {"models", "which files are models, and their vocabularies",
     R"(A model is a file, or a folder as Hugging Face publishes them; its content and not its name says
what it is: RWKV-4 to 7, 7a, QRWKV6 or ARWKV.

  .pth                 as PyTorch writes it, new or old; no code in it is ever run
  .safetensors, .st    with official, Hugging Face or web-rwkv names
  .gguf                version 2 or 3
  .bin                 of rwkv.cpp
  .skein               Skein's own, mapped and used in place
  a folder             with one of these, or an index (model.safetensors.index.json) and its shards

skein pull NAME fetches one that can be called by its name then; skein list --remote shows names.
skein inspect FILE says what a file is and what keeps it from running; skein convert and skein
quantize write it as another. --lora FILE,alpha=32 merges a LoRA, PiSSA or Bone while loading.

A GGUF brings its vocabulary, and models of 256 or 257 ids need none. For others it is looked for
beside the model and in $XDG_DATA_HOME/skein/vocab (~/.local/share/skein/vocab):

  65536 ids            rwkv_vocab_v20230424.txt    skein pull vocab fetches it
  50277 ids            20B_tokenizer.json          skein pull vocab-20b
  others               tokenizer.json, beside the model only

--vocab FILE names another.
)"},
    {"states", "what a state is and what it can be used for",
     R"(All that a model remembers of a text is its state: a few megabytes that never grow, however long
the text. A state can be saved, copied, compared and continued, by the model that made it.

  skein run MODEL, then /save FILE and /load FILE
  skein state show FILE        what it belongs to and stands for
  skein state export, import   the layouts of other programs, and tuned initial states

A state is data about its text: treat a file of it as you would treat the text.
)"},
};

}  // namespace

std::span<const Topic> topics() { return kTopics; }

}  // namespace skein::cli

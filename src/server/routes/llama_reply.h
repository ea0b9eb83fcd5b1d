// The answer of llama-server's /completion.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/text_reply.h"

namespace skein::server {

struct LlamaPlan {
  std::string settings;  // how it is generated, a JSON object
  std::vector<std::string>
      fields{};           // that are wanted of the last word: "timings/cache_n"; none: all
  bool timings = false;   // in each piece of a stream
  bool progress = false;  // of reading, in a stream
};

std::shared_ptr<Reply> make_llama_reply(ReplyPlan plan, LlamaPlan wanted);

}  // namespace skein::server

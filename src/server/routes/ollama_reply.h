// The answers of Ollama's /api/chat and /api/generate: an object, or one a line as it comes.
#pragma once

#include <memory>
#include <string>

#include "server/text_reply.h"

namespace skein::server {

// A model's name as Ollama has names, with a tag.
std::string tagged(const std::string& name);
// Of now, or of seconds since 1970: "2026-12-01T08:00:00.123456Z".
std::string time_text();
std::string time_text(int64_t seconds);

struct OllamaPlan {
  bool is_chat = false;
  bool context = false;  // tells the ids of all that was read and said
};
std::shared_ptr<Reply> make_ollama_reply(ReplyPlan plan, OllamaPlan wanted);

}  // namespace skein::server

// Ollama's /api/embed, and /api/embeddings as it was before.
#include <utility>

#include "base/clock.h"
#include "server/routes/embedding.h"
#include "server/routes/ollama_question.h"
#include "server/routes/ollama_reply.h"

namespace skein::server {
namespace {

using Clock = std::chrono::steady_clock;

int64_t ns_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(to - from).count();
}

struct EmbedPlan {
  EmbeddingPlan embedding;
  Clock::time_point began, asked;
  bool is_old = false;
};

std::string embed_text(const EmbedPlan& plan, const std::vector<Findings>& found) {
  JsonWriter json;
  json.begin_object();
  if (plan.is_old) {
    json.key("embedding");
    if (found.empty())
      json.begin_array().end_array();
    else
      write_embedding(json, found[0], plan.embedding);
    return json.end_object().text();
  }
  json.member("model", tagged(plan.embedding.model)).key("embeddings").begin_array();
  for (const Findings& one : found) write_embedding(json, one, plan.embedding);
  json.end_array().member("total_duration", ns_between(plan.began, Clock::now()));
  json.member("load_duration", ns_between(plan.began, plan.asked));
  return json.member("prompt_eval_count", plan.embedding.tokens).end_object().text();
}

void answer(Service& service, const ExchangePtr& exchange, bool is_old) {
  auto body = service.body_of(*exchange);
  if (!body) return answer_error(exchange, body.error());
  const auto asked = ollama_question(service, exchange, std::move(*body));
  if (!asked) return answer_error(exchange, asked.error());
  Fields fields(asked->body());
  const char* const field = is_old ? "prompt" : "input";
  EmbedPlan plan{.embedding = {.model = asked->served().host->name()},
                 .began = exchange->began,
                 .asked = Clock::now(),
                 .is_old = is_old};
  fields.flag("truncate", true);  // nothing is ever too long
  // Nothing to read: it is there to have the model loaded.
  if (is_errand(asked->body(), field) && !fields.error())
    return exchange->answer->send({.body = embed_text(plan, {})});
  ReadingRequest request = read_embeddings(asked->question, fields, field, 13, plan.embedding);
  if (is_old && request.prompts.size() > 1) fields.refuse("prompt", "prompt has to be a string");
  if (fields.error()) return answer_error(exchange, *fields.error());
  request.write = [plan](const std::vector<Findings>& found) { return embed_text(plan, found); };
  start_readings(service, exchange, asked->question, std::move(request));
}

}  // namespace

void answer_ollama_embed(Service& service, const ExchangePtr& exchange) {
  answer(service, exchange, false);
}
void answer_ollama_embeddings(Service& service, const ExchangePtr& exchange) {
  answer(service, exchange, true);
}

}  // namespace skein::server

// What Ollama's routes that ask a model begin with: its name, and how long it is to stay.
#pragma once

#include <optional>

#include "server/question.h"

namespace skein::server {

struct OllamaQuestion {
  Question question;
  size_t model = 0;
  std::optional<double> keep_alive{};  // seconds; negative: for ever

  const Json& body() const { return question.body; }
  const Served& served() const { return *question.served; }
};

// A body with a model that may be called "name:latest", or stand in `name`. With it, the model is
// loaded. Error: also `keep_alive`.
Asked<OllamaQuestion> ollama_question(Service& service, const ExchangePtr& exchange, Json body);

// Whether a body asks nothing, in the field that asks: then all that it wants is the model, or,
// where keep_alive is 0, that it goes.
bool is_errand(const Json& body, std::string_view asks);
void answer_errand(Service& service, const ExchangePtr& exchange, const Json& body, bool is_chat);

}  // namespace skein::server

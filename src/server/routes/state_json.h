// What the routes about states and sessions have in common: their objects, and the reading of what
// somebody wants to know the numbers of.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/history.h"
#include "server/long_answer.h"
#include "server/question.h"

namespace skein::server {

void write_node(JsonWriter& json, Service& service, const store::Node& node);
// What every route answers that makes or changes a state: {"state": {...}}.
std::string state_text(Service& service, const store::Node& node);
void write_session(JsonWriter& json, const store::Session& session);
// The end of a list: "has_more", and "next", which is the `after` of the page behind it.
void write_next(JsonWriter& json, const std::string& next);

// A text's bytes as UTF-8: a character that a token cut is none yet.
std::string readable(std::string_view bytes);
// At most so many of the first bytes, no character of which is cut.
std::string_view first_of(std::string_view text, size_t bytes);
// As the store takes it. Errors: 400.
Asked<store::Query> page_of(const std::string& query);

// The node that the path or a field names, by id or name, and its host. Errors: 404, 409 (no model
// here has it), whose param is `where`.
struct Place {
  store::Node node;
  const Served* served = nullptr;
};
Asked<store::Node> node_of(Service& service, const Exchange& exchange, std::string_view id,
                           std::string where = "id");
Asked<Place> place_of(Service& service, const ExchangePtr& exchange, std::string_view id,
                      std::string where = "id");

// Of a state's own changes: what is wrong is the name, or the state itself.
ApiError change_error(const store::StoreError& error);

// The body, or an object with nothing in it where there is none.
Asked<Json> fields_of(const Service& service, const Exchange& exchange);

// The state at the end of a history, on a worker's thread; what of it nobody kept is read first.
// `body`: where a user may be named.
using Arrived = std::function<void(const StateTree::Kept& kept, size_t cached)>;
void read_state(Service& service, const LongAnswerPtr& answer, Host& host, const Start& start,
                std::vector<int32_t> tokens, Arrived then, const Json& body = {});

}  // namespace skein::server

// What the routes about states and sessions have in common: their objects, and pages.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/history.h"
#include "server/query.h"
#include "server/question.h"

namespace skein::server {

void write_node(JsonWriter& json, const Service& service, const store::Node& node);
std::string node_text(const Service& service, const store::Node& node);
void write_session(JsonWriter& json, const store::Session& session);

// A text's bytes as UTF-8: a character that a token cut is none yet.
std::string readable(std::string_view bytes);
// `limit` and `after`. Error: 400.
Asked<store::Query> page_of(const std::string& query);
std::vector<std::string> split_list(std::string_view text);

// The node that the path names, by id or name, and its host. Errors: 404, 409 (no model here has
// it).
struct Place {
  store::Node node;
  const Served* served = nullptr;
};
Asked<store::Node> node_of(Service& service, const Exchange& exchange, std::string_view id);
Asked<Place> place_of(Service& service, const Exchange& exchange, std::string_view id);

// The body, or an object with nothing in it where there is none.
Asked<Json> fields_of(const Service& service, const Exchange& exchange);

// The state at the end of a history, on a worker's thread; what of it nobody kept is read first.
// `body`: where a user may be named.
using Arrived = std::function<void(const StateTree::Kept& kept, size_t cached)>;
void read_state(Service& service, const ExchangePtr& exchange, Host& host, const Start& start,
                std::vector<int32_t> tokens, Arrived then, const Json& body = {});

}  // namespace skein::server

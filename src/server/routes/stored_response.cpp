#include "server/routes/stored_response.h"

#include <algorithm>
#include <array>
#include <utility>

namespace skein::server {
namespace {

constexpr std::array<std::pair<text::Role, std::string_view>, 4> kRoles = {
    {{text::Role::system, "system"},
     {text::Role::user, "user"},
     {text::Role::assistant, "assistant"},
     {text::Role::tool, "tool"}}};

// An item's JSON stands there as a string: so a document is no deeper than what is in it.
void write_items(JsonWriter& json, const std::vector<ResponseItem>& items) {
  json.begin_array();
  for (const ResponseItem& item : items) {
    json.begin_object().member("id", item.id).member("json", item.json);
    if (item.said) {
      for (const auto& [role, name] : kRoles)
        if (role == item.said->role) json.member("role", name);
      json.member("text", item.said->text).member("call", item.said->call);
    }
    json.end_object();
  }
  json.end_array();
}

std::vector<ResponseItem> read_items(const Json& list) {
  std::vector<ResponseItem> out;
  if (!list.array()) return out;
  for (const Json& each : *list.array()) {
    ResponseItem& item = out.emplace_back();
    item.id = each.find("id").string().value_or("");
    item.json = each.find("json").string().value_or("{}");
    const auto name = each.find("role").string();
    if (!name) continue;
    Said said;
    for (const auto& [role, other] : kRoles)
      if (other == *name) said.role = role;
    said.text = each.find("text").string().value_or("");
    said.call = each.find("call").boolean().value_or(false);
    item.said = std::move(said);
  }
  return out;
}

}  // namespace

std::string to_document(const StoredResponse& response) {
  JsonWriter json;
  json.begin_object().member("id", response.id).member("previous", response.previous);
  json.member("json", response.json).member("goes_on", response.goes_on);
  write_items(json.key("input"), response.input);
  write_items(json.key("output"), response.output);
  if (!response.state.empty())
    json.member("prompt_state", response.prompt_state).member("state", response.state);
  return json.end_object().text();
}

std::optional<StoredResponse> from_document(std::string_view text) {
  const auto json = parse_json(text, text.size());
  if (!json || !json->object()) return std::nullopt;
  StoredResponse out;
  out.id = json->find("id").string().value_or("");
  out.previous = json->find("previous").string().value_or("");
  out.json = json->find("json").string().value_or("");
  out.goes_on = json->find("goes_on").boolean().value_or(false);
  out.input = read_items(json->find("input"));
  out.output = read_items(json->find("output"));
  out.prompt_state = json->find("prompt_state").string().value_or("");
  out.state = json->find("state").string().value_or("");
  return out;
}

std::string item_id(std::string_view beginning, std::string_view response, size_t index,
                    bool input) {
  response.remove_prefix(std::min(response.find('_') + 1, response.size()));
  return fmt::format("{}_{}_{}{}", beginning, response, input ? "i" : "", index);
}

std::string response_of_item(std::string_view item) {
  const size_t first = item.find('_'), last = item.rfind('_');
  if (first == last) return {};
  return fmt::format("resp_{}", item.substr(first + 1, last - first - 1));
}

Asked<std::optional<StoredResponse>> Responses::find(const std::string& id) const {
  auto document = store_->get(tenant_, id);
  if (!document) return tl::unexpected(api_error(document.error()));
  if (!*document) return std::optional<StoredResponse>();
  auto out = from_document(**document);
  if (!out)
    return tl::unexpected(ApiError{.status = 500,
                                   .message = fmt::format("{} is damaged", escaped(id, 80)),
                                   .may_retry = false});
  return out;
}

Asked<bool> Responses::remove(const std::string& id) const {
  const auto removed = store_->remove(tenant_, id);
  if (!removed) return tl::unexpected(api_error(removed.error()));
  return *removed;
}

bool Responses::keep(const StoredResponse& response) const {
  return store_->put(tenant_, response.id, to_document(response)).has_value();
}

}  // namespace skein::server

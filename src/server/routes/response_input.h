// What a response is asked: the items of its input, and the conversation that they and the
// responses before make.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "server/routes/stored_response.h"

namespace skein::server {

class ResponseInput {
 public:
  // `id`: of the response that is asked for.
  ResponseInput(const text::Profile& profile, const Responses& responses, std::string id)
      : profile_(profile), responses_(responses), id_(std::move(id)) {}

  // All that led to a response and what it said, but for instructions. Error: 400 with the code
  // previous_response_not_found.
  Asked<void> add_history(const std::string& previous);
  // A string, or a list of items. Errors name the item, "input[2].content"; a reference to an item
  // that is not there is a 404.
  Asked<void> add(const Json& input);

  std::vector<ResponseItem> take_items() { return std::move(items_); }
  // With instructions before them, unless those are empty.
  std::vector<text::Message> messages(const std::string& instructions) const;

 private:
  Asked<ResponseItem> read_item(const Json& json, const std::string& where);
  Asked<ResponseItem> read_message(const Json& json, const std::string& where) const;
  Asked<ResponseItem> read_call(const Json& json, const std::string& where) const;
  Asked<ResponseItem> read_output(const Json& json, const std::string& where) const;
  Asked<ResponseItem> find_item(const Json& json, const std::string& where);
  Asked<const StoredResponse*> refer_to(const std::string& id, const std::string& where);
  Asked<void> count_referred(uint64_t bytes, const std::string& where);
  std::string next_id(std::string_view beginning) const {
    return item_id(beginning, id_, items_.size(), true);
  }
  void say(const Said& said, bool goes_on);
  void know_call(const ResponseItem& item);

  const text::Profile& profile_;
  const Responses& responses_;
  const std::string id_;
  std::vector<ResponseItem> items_;
  std::vector<text::Message> messages_;
  std::set<std::string, std::less<>> calls_;  // ids of those that may have an output
  // Responses whose items are referred to, each read once.
  std::map<std::string, std::optional<StoredResponse>> referred_;
  uint64_t referred_bytes_ = 0;  // of them, and of the items, which may be the same again and again
};

}  // namespace skein::server

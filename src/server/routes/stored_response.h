// A response as it is kept: what it said, what it was asked, and what of both is history for the
// responses that go on from it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/api_error.h"
#include "server/routes/response_store.h"
#include "text/template.h"

namespace skein::server {

// What an item adds to a conversation.
struct Said {
  text::Role role = text::Role::user;
  std::string text;
  bool call = false;  // of a function: it belongs to the answer's turn before it
};

struct ResponseItem {
  std::string id;
  std::string json;          // all of it
  std::optional<Said> said;  // nothing: the model is not told of it
  uint64_t bytes() const { return id.size() + json.size() + (said ? said->text.size() : 0); }
};

struct StoredResponse {
  std::string id, previous;
  std::string json;      // as it was answered
  bool goes_on = false;  // its answer is the rest of the last input item
  std::vector<ResponseItem> input, output;
  // Nodes of the prompt and the answer, where a store has them; empty: there are none.
  std::string prompt_state, state;
};

std::string to_document(const StoredResponse& response);
// Nothing: it is none.
std::optional<StoredResponse> from_document(std::string_view text);

// The id of an item leads to its response: "resp_12ab" has "msg_12ab_0" in its output and
// "msg_12ab_i0" in its input.
std::string item_id(std::string_view beginning, std::string_view response, size_t index,
                    bool input);
// Empty: no item that was made here is called so.
std::string response_of_item(std::string_view item);

// A store with its tenant.
class Responses {
 public:
  Responses(ResponseStore& store, const Digest& tenant) : store_(&store), tenant_(tenant) {}

  Asked<std::optional<StoredResponse>> find(const std::string& id) const;
  Asked<bool> remove(const std::string& id) const;
  // False: it could not be kept.
  bool keep(const StoredResponse& response) const;

 private:
  ResponseStore* store_;
  Digest tenant_;
};

}  // namespace skein::server

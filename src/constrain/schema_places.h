// Where a schema's references lead: identifiers, anchors and JSON pointers, within the one text.
// Nothing is fetched.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "constrain/schema_text.h"

namespace skein::constrain {

// Drafts differ in what a `$ref` does to its neighbours and how an identifier is called.
enum class SchemaDraft { draft4, draft7, latest };

class SchemaPlaces {
 public:
  explicit SchemaPlaces(const SchemaText& text);

  SchemaDraft draft() const { return draft_; }
  // What `reference`, which stands at `from`, means. Nothing if that is outside of the text, or
  // nowhere.
  std::optional<JsonNode> resolve(JsonNode from, std::string_view reference) const;

 private:
  void mark_children(JsonNode n);
  void identify(JsonNode n);

  const SchemaText& text_;
  SchemaDraft draft_ = SchemaDraft::latest;
  std::vector<bool> schema_;
  std::vector<JsonNode> resource_;  // by node: the root of the document part that it belongs to
  std::map<JsonNode, std::string> base_;                    // of a resource
  std::map<std::string, JsonNode, std::less<>> resources_;  // by identifier
  std::map<std::pair<JsonNode, std::string>, JsonNode> anchors_;
};

// RFC 3986, 5.2, without fragments.
std::string resolve_uri(std::string_view base, std::string_view reference);

}  // namespace skein::constrain

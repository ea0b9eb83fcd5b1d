// A schema's JSON as it was written: numbers keep their digits, members their order, and every
// value knows where it stands. parse_json() is not it: there numbers end in doubles, and 1e400 is
// none.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "constrain/grammar.h"

namespace skein::constrain {

// A value of a SchemaText, by number. Those of an object or array have larger numbers than it has.
using JsonNode = uint32_t;

class SchemaText {
 public:
  static constexpr size_t kMostBytes = 1024 * 1024;
  static constexpr size_t kMostDepth = 64;
  static constexpr JsonNode kRoot = 0;

  // The text must live as long as this. Problems: invalid_schema with line:column,
  // constraint_too_large.
  static Checked<SchemaText> parse(std::string_view json, size_t most_bytes = kMostBytes);

  enum class Kind : uint8_t { null, boolean, number, string, array, object };

  Kind kind(JsonNode n) const { return values_[n].kind; }
  bool is(JsonNode n, Kind kind) const { return values_[n].kind == kind; }
  bool truth(JsonNode n) const { return values_[n].truth; }
  // Of a number as it was written, of a string decoded.
  std::string_view text(JsonNode n) const { return values_[n].text; }
  // Of a member of an object, decoded.
  std::string_view key(JsonNode n) const { return values_[n].key; }
  JsonNode parent(JsonNode n) const { return values_[n].parent; }
  std::span<const JsonNode> children(JsonNode n) const {
    return {children_.data() + values_[n].first, values_[n].count};
  }
  // The member of that name, if n is an object that has one.
  std::optional<JsonNode> find(JsonNode n, std::string_view key) const;
  // "#/properties/a~1b/items"
  std::string pointer(JsonNode n) const;
  size_t size() const { return values_.size(); }
  // As JSON without blanks, numbers as they were written.
  std::string json(JsonNode n) const;

 private:
  friend class SchemaTextParser;
  struct Value {
    Kind kind = Kind::null;
    bool truth = false;
    JsonNode parent = kRoot;
    uint32_t place = 0;  // among its parent's children
    uint32_t first = 0;  // of its children, in children_ and by_key_
    uint32_t count = 0;
    std::string_view text;
    std::string_view key;
  };

  std::vector<Value> values_;
  std::vector<JsonNode> children_;
  std::vector<JsonNode> by_key_;     // the same, those of an object sorted by key
  std::deque<std::string> decoded_;  // strings that had escapes
};

}  // namespace skein::constrain

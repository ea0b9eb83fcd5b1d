#include "constrain/schema_text.h"

#include <algorithm>

#include "base/utf8.h"
#include "constrain/schema_strings.h"

namespace skein::constrain {

// Goes over the text once, with the open arrays and objects on a stack of its own.
class SchemaTextParser {
 public:
  SchemaTextParser(std::string_view text, size_t most_bytes) : text_(text), most_(most_bytes) {}

  Checked<SchemaText> parse() {
    if (text_.size() > most_)
      return refuse("constraint_too_large",
                    fmt::format("the schema has {} bytes, more than {}", text_.size(), most_));
    while (!failed()) {
      if (!begin_value()) break;
      if (!end_values()) continue;
      blanks();
      if (at_ != text_.size()) say("there is more after the end of the value");
      break;
    }
    if (failed()) return refuse(code_, message_);
    return std::move(out_);
  }

 private:
  using Kind = SchemaText::Kind;
  struct Open {
    JsonNode node;
    std::vector<JsonNode> children;
  };

  bool failed() const { return !message_.empty(); }

  void say(std::string message, const char* code = "invalid_schema") {
    if (failed()) return;
    message_ = std::move(message);
    code_ = code;
  }

  tl::unexpected<Problems> refuse(const std::string& code, const std::string& message) const {
    size_t line = 1;
    size_t column = 1;
    for (size_t i = 0; i < std::min(at_, text_.size()); ++i) {
      const auto byte = static_cast<unsigned char>(text_[i]);
      if (byte == '\n') {
        ++line;
        column = 1;
      } else if (byte < 0x80 || byte >= 0xc0) {
        ++column;
      }
    }
    return tl::unexpected<Problems>(Problems{{code, fmt::format("{}:{}", line, column), message}});
  }

  void blanks() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r'))
      ++at_;
  }

  bool skip(char c) {
    blanks();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  // Reads a value, or the beginning of one, in which case the next value is read next.
  bool begin_value() {
    std::string_view key;
    if (!open_.empty() && out_.is(open_.back().node, Kind::object)) {
      blanks();
      if (!string(key)) return false;
      if (!skip(':')) return say("a ':' is missing after a name"), false;
    }
    blanks();
    const auto node = static_cast<JsonNode>(out_.values_.size());
    SchemaText::Value& value = out_.values_.emplace_back();
    value.key = key;
    if (!open_.empty()) {
      value.parent = open_.back().node;
      value.place = static_cast<uint32_t>(open_.back().children.size());
      open_.back().children.push_back(node);
    }
    const char c = at_ < text_.size() ? text_[at_] : '\0';
    if (c == '{' || c == '[') {
      value.kind = c == '{' ? Kind::object : Kind::array;
      if (open_.size() >= SchemaText::kMostDepth)
        return say(fmt::format("the schema nests deeper than {}", SchemaText::kMostDepth),
                   "constraint_too_large"),
               false;
      ++at_;
      open_.push_back({node, {}});
      return true;
    }
    if (c == '"') {
      value.kind = Kind::string;
      return string(value.text);
    }
    if (c == '-' || (c >= '0' && c <= '9')) {
      value.kind = Kind::number;
      return number(value.text);
    }
    if (word("true") || word("false")) {
      value.kind = Kind::boolean;
      value.truth = c == 't';
      return true;
    }
    if (word("null")) return true;
    return say(at_ < text_.size() ? "no JSON value begins here" : "the text ends too early"), false;
  }

  // Goes past commas and closing brackets; whether the whole text's value is done.
  bool end_values() {
    bool just_opened = !open_.empty() && out_.values_.size() - 1 == open_.back().node;
    while (!failed() && !open_.empty()) {
      const bool object = out_.is(open_.back().node, Kind::object);
      if (skip(object ? '}' : ']')) {
        close();
        just_opened = false;
        continue;
      }
      if (just_opened) return false;
      if (skip(',')) return false;
      say(at_ < text_.size() ? fmt::format("a ',' or '{}' is missing", object ? '}' : ']')
                             : std::string("the text ends too early"));
    }
    return true;
  }

  void close() {
    Open done = std::move(open_.back());
    open_.pop_back();
    SchemaText::Value& value = out_.values_[done.node];
    value.first = static_cast<uint32_t>(out_.children_.size());
    value.count = static_cast<uint32_t>(done.children.size());
    out_.children_.insert(out_.children_.end(), done.children.begin(), done.children.end());
    if (value.kind == Kind::object) {
      const auto key = [&](JsonNode n) { return out_.key(n); };
      std::sort(done.children.begin(), done.children.end(),
                [&](JsonNode a, JsonNode b) { return key(a) < key(b); });
      const auto twice =
          std::adjacent_find(done.children.begin(), done.children.end(),
                             [&](JsonNode a, JsonNode b) { return key(a) == key(b); });
      if (twice != done.children.end())
        say(fmt::format("the name \"{}\" stands twice in one object", escaped(key(*twice))));
    }
    out_.by_key_.insert(out_.by_key_.end(), done.children.begin(), done.children.end());
  }

  bool word(std::string_view expected) {
    if (text_.substr(at_, expected.size()) != expected) return false;
    at_ += expected.size();
    return true;
  }

  bool digits() {
    const size_t from = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    return at_ > from;
  }

  bool number(std::string_view& out) {
    const size_t from = at_;
    word("-");
    bool good = word("0") || digits();
    if (good && word(".")) good = digits();
    if (good && (word("e") || word("E"))) {
      if (!word("+")) word("-");
      good = digits();
    }
    if (!good) return say("this is no number as JSON writes them"), false;
    out = text_.substr(from, at_ - from);
    return true;
  }

  bool string(std::string_view& out) {
    if (!word("\"")) return say("a name in quotation marks is missing"), false;
    const size_t from = at_;
    bool plain = true;
    while (at_ < text_.size() && text_[at_] != '"') {
      const auto byte = static_cast<unsigned char>(text_[at_]);
      if (byte < 0x20) return say("a control character stands in a string"), false;
      if (byte == '\\') {
        plain = false;
        ++at_;
        if (at_ < text_.size()) ++at_;
        continue;
      }
      const size_t length = utf8_length(text_.substr(at_, 4));
      if (length == 0) return say("a string is not UTF-8"), false;
      at_ += length;
    }
    if (at_ >= text_.size()) return say("the text ends within a string"), false;
    out = text_.substr(from, at_ - from);
    ++at_;
    if (plain) return true;
    std::string& decoded = out_.decoded_.emplace_back();
    if (!decode(out, decoded)) return false;
    out = decoded;
    return true;
  }

  bool decode(std::string_view from, std::string& out) {
    for (size_t i = 0; i < from.size(); ++i) {
      if (from[i] != '\\') {
        out += from[i];
        continue;
      }
      static constexpr std::string_view kNames = "\"\\/bfnrt";
      static constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
      const char c = from[++i];
      if (const size_t known = kNames.find(c); known != std::string_view::npos) {
        out += kMeant[known];
        continue;
      }
      uint32_t unit = 0;
      if (c != 'u' || !hex(from, i + 1, unit)) return say("an escape that JSON has not"), false;
      i += 4;
      if (unit >= 0xdc00 && unit < 0xe000) return say("half a surrogate pair in a string"), false;
      if (unit >= 0xd800 && unit < 0xdc00) {
        uint32_t low = 0;
        if (from.substr(i + 1, 2) != "\\u" || !hex(from, i + 3, low) || low < 0xdc00 ||
            low >= 0xe000)
          return say("half a surrogate pair in a string"), false;
        i += 6;
        unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
      }
      put(unit, out);
    }
    return true;
  }

  static bool hex(std::string_view from, size_t at, uint32_t& out) {
    if (at + 4 > from.size()) return false;
    out = 0;
    for (const char c : from.substr(at, 4)) {
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) return false;
      out = out << 4 | static_cast<uint32_t>(digit);
    }
    return true;
  }

  static void put(uint32_t c, std::string& out) {
    if (c < 0x80) {
      out += static_cast<char>(c);
    } else if (c < 0x800) {
      out += static_cast<char>(0xc0 | c >> 6);
      out += static_cast<char>(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
      out += static_cast<char>(0xe0 | c >> 12);
      out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
      out += static_cast<char>(0x80 | (c & 0x3f));
    } else {
      out += static_cast<char>(0xf0 | c >> 18);
      out += static_cast<char>(0x80 | (c >> 12 & 0x3f));
      out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
      out += static_cast<char>(0x80 | (c & 0x3f));
    }
  }

  std::string_view text_;
  size_t most_;
  size_t at_ = 0;
  std::vector<Open> open_;
  SchemaText out_;
  std::string message_;
  std::string code_;
};

Checked<SchemaText> SchemaText::parse(std::string_view json, size_t most_bytes) {
  return SchemaTextParser(json, most_bytes).parse();
}

std::optional<JsonNode> SchemaText::find(JsonNode n, std::string_view key) const {
  if (!is(n, Kind::object)) return std::nullopt;
  const auto begin = by_key_.begin() + values_[n].first;
  const auto end = begin + values_[n].count;
  const auto found = std::lower_bound(begin, end, key, [&](JsonNode child, std::string_view name) {
    return this->key(child) < name;
  });
  if (found == end || this->key(*found) != key) return std::nullopt;
  return *found;
}

// Nothing in a text nests deeper than kMostDepth.
std::string SchemaText::json(JsonNode n) const {
  switch (kind(n)) {
    case Kind::null: return "null";
    case Kind::boolean: return truth(n) ? "true" : "false";
    case Kind::number: return std::string(text(n));
    case Kind::string: return '"' + StringTerms::spelled(text(n)) + '"';
    default: break;
  }
  const bool object = is(n, Kind::object);
  std::string out;
  for (const JsonNode each : children(n)) {
    if (!out.empty()) out += ',';
    if (object) out += '"' + StringTerms::spelled(key(each)) + "\":";
    out += json(each);
  }
  return object ? '{' + out + '}' : '[' + out + ']';
}

std::string SchemaText::pointer(JsonNode n) const {
  std::vector<JsonNode> way;
  for (; n != kRoot; n = parent(n)) way.push_back(n);
  std::string out = "#";
  for (auto each = way.rbegin(); each != way.rend(); ++each) {
    out += '/';
    if (is(parent(*each), Kind::array)) {
      out += std::to_string(values_[*each].place);
      continue;
    }
    for (const char c : key(*each)) {
      if (c == '~')
        out += "~0";
      else if (c == '/')
        out += "~1";
      else
        out += c;
    }
  }
  return out;
}

}  // namespace skein::constrain

#include "base/json.h"

#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "base/limits.h"
#include "base/utf8.h"

namespace skein {

namespace dom = simdjson::dom;
using simdjson::internal::tape_ref;
using simdjson::internal::tape_type;

// simdjson's tape: a word for a bracket or a string, two for a number; a bracket knows its partner.
struct Json::Text {
  dom::document document;

  tape_ref at(size_t index) const { return {&document, index}; }
};

namespace {

constexpr char kArray = static_cast<char>(tape_type::START_ARRAY);
constexpr char kObject = static_cast<char>(tape_type::START_OBJECT);

bool opens_or_separates(char c) { return c == ',' || c == ':' || c == '[' || c == '{'; }

// At least as many as there are keys and values outside of strings.
uint64_t most_values(std::string_view text) {
  return 1 + static_cast<uint64_t>(std::count_if(text.begin(), text.end(), opens_or_separates));
}

// As exactly as matters. A text that is no JSON may be counted wrongly, and is refused anyway.
uint64_t count_values(std::string_view text) {
  uint64_t count = 1;
  bool inside = false;  // a string
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"')
      inside = !inside;
    else if (inside && text[i] == '\\')
      ++i;
    else if (!inside && opens_or_separates(text[i]))
      ++count;
  }
  return count;
}

// Not by dom::parser: that chooses an implementation for the processor, and when memory runs out on
// the way simdjson ends the process. This one is always there; a text of 2.5 MB takes it 6 ms.
simdjson::error_code parse(std::string_view text, dom::document& document) {
  const size_t capacity = std::max<size_t>(text.size(), 32);
  const auto padded =
      std::make_unique_for_overwrite<uint8_t[]>(capacity + simdjson::SIMDJSON_PADDING);
  std::fill(std::copy(text.begin(), text.end(), padded.get()),
            padded.get() + capacity + simdjson::SIMDJSON_PADDING, uint8_t{0});
  simdjson::SIMDJSON_BUILTIN_IMPLEMENTATION::dom_parser_implementation parser;
  if (const auto error = parser.set_capacity(capacity)) return error;
  if (const auto error = parser.set_max_depth(limits::kJsonDepth)) return error;
  if (const auto error = document.allocate(capacity)) return error;
  return parser.parse(padded.get(), text.size(), document);
}

// A key with its first eight bytes as a number, which nearly always tell it from others.
struct Key {
  uint64_t head = 0;
  std::string_view text;

  explicit Key(std::string_view whole) : text(whole) {
    const std::string_view first = whole.substr(0, sizeof head);
    for (const char c : first) head = head << 8 | static_cast<unsigned char>(c);
    if (!first.empty()) head <<= 8 * (sizeof head - first.size());
  }
  bool operator<(const Key& other) const {
    return head != other.head ? head < other.head : text < other.text;
  }
  bool operator==(const Key& other) const { return head == other.head && text == other.text; }
};

// Whether a key stands twice in an object. Sorted rather than hashed: no text makes that slow, and
// it is 24 bytes a key.
Status check_keys(const tape_ref& object, std::vector<Key>& keys) {
  keys.clear();
  keys.reserve(object.scope_count());
  const size_t end = object.after_element() - 1;
  for (size_t at = object.json_index + 1; at < end;) {
    keys.emplace_back(tape_ref(object.doc, at).get_string_view());
    at = tape_ref(object.doc, at + 1).after_element();
  }
  std::sort(keys.begin(), keys.end());
  const auto twice = std::adjacent_find(keys.begin(), keys.end());
  if (twice == keys.end()) return {};
  return fail(Code::corrupt, "the key \"{}\" stands twice", escaped(twice->text));
}

// Along the tape, on which objects stand as they begin in the text.
Status check_keys_everywhere(const dom::document& document) {
  std::vector<Key> keys;
  const size_t end = tape_ref(&document, 1).after_element();
  for (size_t at = 1; at < end;) {
    const tape_ref here(&document, at);
    switch (here.tape_ref_type()) {
      case tape_type::START_OBJECT: SK_TRY_STATUS(check_keys(here, keys)); break;
      case tape_type::INT64:
      case tape_type::UINT64:
      case tape_type::DOUBLE: ++at; break;
      default: break;
    }
    ++at;
  }
  return {};
}

}  // namespace

char Json::kind() const { return at_ ? static_cast<char>(text_->at(at_).tape_ref_type()) : '\0'; }

size_t Json::begin_of(char wanted) const { return kind() == wanted ? at_ + 1 : 0; }
size_t Json::end() const { return text_->at(at_).after_element() - 1; }
size_t Json::next() const { return text_->at(at_).after_element(); }
size_t Json::count() const { return text_->at(at_).scope_count(); }

std::optional<std::string_view> Json::string() const {
  if (kind() != static_cast<char>(tape_type::STRING)) return std::nullopt;
  return text_->at(at_).get_string_view();
}

std::optional<bool> Json::boolean() const {
  if (kind() == static_cast<char>(tape_type::TRUE_VALUE)) return true;
  if (kind() == static_cast<char>(tape_type::FALSE_VALUE)) return false;
  return std::nullopt;
}

bool Json::is_null() const { return kind() == static_cast<char>(tape_type::NULL_VALUE); }

bool Json::integer(int64_t& out) const {
  if (kind() != static_cast<char>(tape_type::INT64)) return false;
  out = text_->at(at_).next_tape_value<int64_t>();
  return true;
}

bool Json::number(double& out) const {
  switch (kind()) {
    case static_cast<char>(tape_type::DOUBLE):
      out = text_->at(at_).next_tape_value<double>();
      return true;
    case static_cast<char>(tape_type::INT64):
      out = static_cast<double>(text_->at(at_).next_tape_value<int64_t>());
      return true;
    case static_cast<char>(tape_type::UINT64):
      out = static_cast<double>(text_->at(at_).next_tape_value<uint64_t>());
      return true;
    default: return false;
  }
}

Json::Array Json::array() const {
  Array out;
  if (const size_t begin = begin_of(kArray)) {
    out.first_ = Json(text_, begin);
    out.end_ = end();
    out.size_ = count();
  }
  return out;
}

Json::Object Json::object() const {
  Object out;
  if (const size_t begin = begin_of(kObject)) {
    out.first_ = Json(text_, begin);
    out.end_ = end();
    out.size_ = count();
  }
  return out;
}

Json Json::Array::operator[](size_t index) const {
  Iterator at = begin();
  while (index-- > 0) ++at;
  return *at;
}

std::pair<std::string_view, Json> Json::Object::Iterator::operator*() const {
  return {at_.text_->at(at_.at_).get_string_view(), Json(at_.text_, at_.next())};
}

Json::Object::Iterator& Json::Object::Iterator::operator++() {
  at_.at_ = Json(at_.text_, at_.next()).next();
  return *this;
}

Json Json::find(std::string_view key) const {
  for (const auto& [name, value] : object())
    if (name == key) return value;
  return {};
}

Result<Json> parse_json(std::string_view text, uint64_t limit_bytes) {
  if (text.size() > limit_bytes)
    return fail(Code::corrupt, "{} bytes of JSON, more than the limit of {}", text.size(),
                limit_bytes);
  if (most_values(text) > limits::kArrayElements && count_values(text) > limits::kArrayElements)
    return fail(Code::unsupported, "more than {} values in one JSON text", limits::kArrayElements);
  const auto parsed = std::make_shared<Json::Text>();
  if (const auto error = parse(text, parsed->document); error == simdjson::MEMALLOC)
    return fail(Code::memory, "not enough memory for {} bytes of JSON", text.size());
  else if (error)
    return fail(Code::corrupt, "not valid JSON: {}", simdjson::error_message(error));
  Json root(parsed, 1);
  SK_TRY_STATUS(check_keys_everywhere(parsed->document));
  return root;
}

void JsonWriter::before_value() {
  if (comma_) out_ += ',';
  comma_ = true;
}

void JsonWriter::quoted(std::string_view text) {
  out_ += '"';
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    const auto byte = static_cast<unsigned char>(text[0]);
    if (length == 0) {
      out_ += "\xef\xbf\xbd";
      text.remove_prefix(1);
      continue;
    }
    if (byte == '"' || byte == '\\') {
      out_ += '\\';
      out_ += text[0];
    } else if (byte == '\n') {
      out_ += "\\n";
    } else if (byte < 0x20) {
      out_ += fmt::format("\\u{:04x}", byte);
    } else {
      out_ += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  out_ += '"';
}

JsonWriter& JsonWriter::begin_object() {
  before_value();
  out_ += '{';
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::end_object() {
  out_ += '}';
  comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::begin_array() {
  before_value();
  out_ += '[';
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::end_array() {
  out_ += ']';
  comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  before_value();
  quoted(name);
  out_ += ':';
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::value(std::string_view text) {
  before_value();
  quoted(text);
  return *this;
}

JsonWriter& JsonWriter::value(double number) {
  if (!std::isfinite(number)) return null();
  before_value();
  out_ += fmt::format("{}", number);
  return *this;
}

JsonWriter& JsonWriter::value(float number) {
  if (!std::isfinite(number)) return null();
  before_value();
  out_ += fmt::format("{}", number);
  return *this;
}

JsonWriter& JsonWriter::value(bool flag) {
  before_value();
  out_ += flag ? "true" : "false";
  return *this;
}

JsonWriter& JsonWriter::value(int64_t number) {
  before_value();
  out_ += fmt::format("{}", number);
  return *this;
}

JsonWriter& JsonWriter::value(uint64_t number) {
  before_value();
  out_ += fmt::format("{}", number);
  return *this;
}

JsonWriter& JsonWriter::raw(std::string_view json) {
  before_value();
  out_ += json;
  comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::value(const Json& other) {
  if (const auto text = other.string()) return value(*text);
  if (const auto flag = other.boolean()) return value(*flag);
  int64_t whole = 0;
  double number = 0;
  if (other.integer(whole)) return value(whole);
  if (other.number(number)) return value(number);
  if (const auto array = other.array()) {
    begin_array();
    for (const Json& each : *array) value(each);
    return end_array();
  }
  if (const auto object = other.object()) {
    begin_object();
    for (const auto& [name, each] : *object) member(name, each);
    return end_object();
  }
  return null();
}

JsonWriter& JsonWriter::null() {
  before_value();
  out_ += "null";
  return *this;
}

}  // namespace skein

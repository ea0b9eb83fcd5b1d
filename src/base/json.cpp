#include "base/json.h"

#include <simdjson.h>

#include <cmath>
#include <unordered_set>

#include "base/limits.h"
#include "base/utf8.h"

namespace skein {
namespace {

namespace dom = simdjson::dom;

// Recursion is bounded: the parser was told kJsonDepth and refuses deeper texts before this runs.
Result<Json> convert(dom::element element) {
  switch (element.type()) {
    case dom::element_type::NULL_VALUE: return Json();
    case dom::element_type::BOOL: return Json(Json::Value(bool(element)));
    case dom::element_type::INT64: return Json(Json::Value(int64_t(element)));
    case dom::element_type::UINT64: return Json(Json::Value(uint64_t(element)));
    case dom::element_type::DOUBLE: return Json(Json::Value(double(element)));
    case dom::element_type::STRING:
      return Json(Json::Value(std::string(std::string_view(element))));
    case dom::element_type::ARRAY: {
      Json::Array array;
      for (dom::element child : dom::array(element)) {
        SK_TRY(Json value, convert(child));
        array.push_back(std::move(value));
      }
      return Json(Json::Value(std::move(array)));
    }
    case dom::element_type::OBJECT: {
      Json::Object object;
      std::unordered_set<std::string_view> seen;
      for (dom::key_value_pair member : dom::object(element)) {
        if (!seen.insert(member.key).second)
          return fail(Code::corrupt, "the key \"{}\" stands twice", escaped(member.key));
        SK_TRY(Json value, convert(member.value));
        object.emplace_back(std::string(member.key), std::move(value));
      }
      return Json(Json::Value(std::move(object)));
    }
  }
  return fail(Code::internal, "a JSON value of an unknown kind");
}

}  // namespace

bool Json::integer(int64_t& out) const {
  if (const auto* number = std::get_if<int64_t>(&value_)) {
    out = *number;
    return true;
  }
  return false;
}

bool Json::number(double& out) const {
  if (const auto* real = std::get_if<double>(&value_)) {
    out = *real;
  } else if (const auto* whole = std::get_if<int64_t>(&value_)) {
    out = static_cast<double>(*whole);
  } else if (const auto* large = std::get_if<uint64_t>(&value_)) {
    out = static_cast<double>(*large);
  } else {
    return false;
  }
  return true;
}

const Json* Json::find(std::string_view key) const {
  const Object* members = object();
  if (!members) return nullptr;
  for (const auto& [name, value] : *members)
    if (name == key) return &value;
  return nullptr;
}

Result<Json> parse_json(std::string_view text, uint64_t limit_bytes) {
  if (text.size() > limit_bytes)
    return fail(Code::corrupt, "{} bytes of JSON, more than the limit of {}", text.size(),
                limit_bytes);
  try {
    dom::parser parser;
    if (const auto error = parser.allocate(text.size() + 1, limits::kJsonDepth))
      return fail(Code::memory, "no memory for {} bytes of JSON: {}", text.size(),
                  simdjson::error_message(error));
    dom::element root;
    if (const auto error = parser.parse(text.data(), text.size()).get(root))
      return fail(Code::corrupt, "not valid JSON: {}", simdjson::error_message(error));
    return convert(root);
  } catch (const std::exception& error) {
    return fail(Code::corrupt, "not valid JSON: {}", error.what());
  }
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

JsonWriter& JsonWriter::null() {
  before_value();
  out_ += "null";
  return *this;
}

}  // namespace skein

// JSON in and out. simdjson reads; only json.cpp knows it. The writer is ours because it is small.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"

namespace skein {

// A parsed JSON value. Objects keep their order; a key that stands twice was refused.
class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::vector<std::pair<std::string, Json>>;
  using Value =
      std::variant<std::nullptr_t, bool, int64_t, uint64_t, double, std::string, Array, Object>;

  Json() : value_(nullptr) {}
  explicit Json(Value value) : value_(std::move(value)) {}

  // nullptr when the value is of another kind.
  const std::string* string() const { return std::get_if<std::string>(&value_); }
  const Array* array() const { return std::get_if<Array>(&value_); }
  const Object* object() const { return std::get_if<Object>(&value_); }
  const bool* boolean() const { return std::get_if<bool>(&value_); }
  // False when the value is no whole number that fits.
  bool integer(int64_t& out) const;
  bool number(double& out) const;
  // The member `key` of an object, or nullptr.
  const Json* find(std::string_view key) const;

 private:
  Value value_;
};

// Parses one JSON text: valid UTF-8, at most limits::kJsonDepth deep, no key twice in an object, no
// more than `limit_bytes`. Error: corrupt, with what is wrong (simdjson gives no byte offset).
Result<Json> parse_json(std::string_view text, uint64_t limit_bytes);

// Writes JSON into a string: begin, members or elements, end. Strings that are not UTF-8 get U+FFFD
// for what is wrong in them; numbers that are not finite become null.
class JsonWriter {
 public:
  JsonWriter& begin_object();
  JsonWriter& end_object();
  JsonWriter& begin_array();
  JsonWriter& end_array();
  JsonWriter& key(std::string_view name);
  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(const std::string& text) { return value(std::string_view(text)); }
  JsonWriter& value(double number);
  JsonWriter& value(float number);
  JsonWriter& value(bool flag);
  JsonWriter& value(int64_t number);
  JsonWriter& value(uint64_t number);
  JsonWriter& value(int number) { return value(static_cast<int64_t>(number)); }
  JsonWriter& null();

  template <typename T>
  JsonWriter& member(std::string_view name, T&& v) {
    key(name);
    return value(std::forward<T>(v));
  }

  const std::string& text() const { return out_; }

 private:
  void before_value();
  void quoted(std::string_view text);

  std::string out_;
  bool comma_ = false;  // whether the next element needs one before it
};

}  // namespace skein

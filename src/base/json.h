// JSON in and out. simdjson reads; only json.cpp knows it. The writer is ours because it is small.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace skein {

// A place in a parsed text, which lives as long as one of them points into it. A value takes some
// twenty bytes there and none here: untrusted texts are mostly values, and few of them are wanted.
// One that is false stands for nothing: a member that is not there.
class Json {
 public:
  class Array;
  class Object;

  Json() = default;
  explicit operator bool() const { return at_ != 0; }
  const Json* operator->() const { return this; }
  Json operator*() const { return *this; }

  // Nothing, or false, when the value is of another kind.
  std::optional<std::string_view> string() const;  // lives as long as the text
  std::optional<bool> boolean() const;
  bool is_null() const;
  Array array() const;
  Object object() const;
  // False when the value is no whole number that fits.
  bool integer(int64_t& out) const;
  bool number(double& out) const;
  // The member `key` of an object.
  Json find(std::string_view key) const;

 private:
  struct Text;
  friend Result<Json> parse_json(std::string_view text, uint64_t limit_bytes);
  Json(std::shared_ptr<const Text> text, size_t at) : text_(std::move(text)), at_(at) {}
  char kind() const;
  size_t begin_of(char kind) const;  // of what it holds, if it is of this kind; else 0, as end()
  size_t end() const;
  size_t next() const;
  size_t count() const;

  std::shared_ptr<const Text> text_;
  size_t at_ = 0;
};

class Json::Array {
 public:
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Json;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = Json;

    explicit Iterator(Json at) : at_(std::move(at)) {}
    Json operator*() const { return at_; }
    Iterator& operator++() {
      at_.at_ = at_.next();
      return *this;
    }
    bool operator==(const Iterator& other) const { return at_.at_ == other.at_.at_; }

   private:
    Json at_;
  };

  explicit operator bool() const { return static_cast<bool>(first_); }
  const Array* operator->() const { return this; }
  Array operator*() const { return *this; }

  Iterator begin() const { return Iterator(first_); }
  Iterator end() const { return Iterator(Json(first_.text_, end_)); }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  Json front() const { return first_; }
  Json operator[](size_t index) const;  // walks there

 private:
  friend class Json;
  Json first_;  // or the end
  size_t end_ = 0;
  size_t size_ = 0;
};

// Members keep their order; a key that stands twice was refused.
class Json::Object {
 public:
  class Iterator {
   public:
    explicit Iterator(Json at) : at_(std::move(at)) {}
    std::pair<std::string_view, Json> operator*() const;
    Iterator& operator++();
    bool operator==(const Iterator& other) const { return at_.at_ == other.at_.at_; }

   private:
    Json at_;  // the key
  };

  explicit operator bool() const { return static_cast<bool>(first_); }
  const Object* operator->() const { return this; }
  Object operator*() const { return *this; }

  Iterator begin() const { return Iterator(first_); }
  Iterator end() const { return Iterator(Json(first_.text_, end_)); }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  friend class Json;
  Json first_;
  size_t end_ = 0;
  size_t size_ = 0;
};

// Parses one JSON text: valid UTF-8, at most limits::kJsonDepth deep, no key twice in an object, no
// more than `limit_bytes` and limits::kArrayElements keys and values, which bound its memory: 64
// MiB and four times the text. Errors: corrupt, with what is wrong (simdjson gives no byte offset),
// unsupported (too many values), memory.
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

  // As it stands in another text.
  JsonWriter& value(const Json& other);
  // A value that another writer wrote.
  JsonWriter& raw(std::string_view json);

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

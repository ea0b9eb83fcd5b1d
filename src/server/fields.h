// The fields of a request's body, read strictly: of the wrong type or out of range is refused, and
// the first refusal counts. Fields that nobody asks for are ignored, and null is absent.
//
// They are asked for by the names that OpenAI's API has for them. An API that calls some of them
// otherwise, or has them inside an object, brings a table, and refusals then name its own.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "server/api_error.h"

namespace skein::server {

// A value as a text of its own.
inline std::string json_text(const Json& value) { return JsonWriter().value(value).text(); }

struct FieldName {
  std::string_view name;    // as it is asked for
  std::string_view theirs;  // as the body has it; "options.seed" is inside an object
};
struct FieldNames {
  std::span<const FieldName> list{};
  bool only_these = false;  // others are not there
};

class Fields {
 public:
  explicit Fields(Json object, FieldNames names = {}) : object_(std::move(object)), names_(names) {}

  // Nothing where it is absent or null.
  Json find(std::string_view key) const;
  bool is_null(std::string_view key) const { return object_.find(key).is_null(); }
  // As the body calls it.
  std::string_view theirs(std::string_view name) const;
  std::optional<int64_t> integer(std::string_view key, int64_t least, int64_t most);
  std::optional<double> number(std::string_view key, double least, double most);
  std::optional<bool> boolean(std::string_view key);
  std::optional<std::string> string(std::string_view key);
  // One that names something: "" is not taken for absent, since whoever sends it means something.
  std::optional<std::string> reference(std::string_view key);
  bool flag(std::string_view key, bool otherwise) { return boolean(key).value_or(otherwise); }

  void refuse(std::string_view param, std::string message);
  void refuse(ApiError error);
  // What is well formed and not offered.
  void decline(std::string_view param, std::string message);
  const std::optional<ApiError>& error() const { return error_; }

 private:
  Json object_;
  FieldNames names_;
  std::optional<ApiError> error_;
};

}  // namespace skein::server

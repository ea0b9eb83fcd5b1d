// The fields of a request's body, read strictly: of the wrong type or out of range is refused, and
// the first refusal counts. Fields that nobody asks for are ignored, and null is absent.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "server/api_error.h"

namespace skein::server {

class Fields {
 public:
  explicit Fields(Json object) : object_(std::move(object)) {}

  // Nothing where it is absent or null.
  Json find(std::string_view key) const;
  bool is_null(std::string_view key) const { return object_.find(key).is_null(); }
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
  std::optional<ApiError> error_;
};

}  // namespace skein::server

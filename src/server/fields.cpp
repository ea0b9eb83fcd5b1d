#include "server/fields.h"

#include <utility>

namespace skein::server {

Json Fields::find(std::string_view key) const {
  const Json found = object_.find(key);
  return found && !found.is_null() ? found : Json();
}

std::optional<int64_t> Fields::integer(std::string_view key, int64_t least, int64_t most) {
  const Json found = find(key);
  if (!found) return std::nullopt;
  int64_t value = 0;
  if (found.integer(value) && value >= least && value <= most) return value;
  refuse(key, fmt::format("{} has to be a whole number from {} to {}", key, least, most));
  return std::nullopt;
}

std::optional<double> Fields::number(std::string_view key, double least, double most) {
  const Json found = find(key);
  if (!found) return std::nullopt;
  double value = 0;
  if (found.number(value) && value >= least && value <= most) return value;
  refuse(key, fmt::format("{} has to be a number from {} to {}", key, least, most));
  return std::nullopt;
}

std::optional<bool> Fields::boolean(std::string_view key) {
  const Json found = find(key);
  if (!found) return std::nullopt;
  if (const auto value = found.boolean()) return value;
  refuse(key, fmt::format("{} has to be true or false", key));
  return std::nullopt;
}

std::optional<std::string> Fields::string(std::string_view key) {
  const Json found = find(key);
  if (!found) return std::nullopt;
  if (const auto value = found.string()) return std::string(*value);
  refuse(key, fmt::format("{} has to be a string", key));
  return std::nullopt;
}

std::optional<std::string> Fields::reference(std::string_view key) {
  auto out = string(key);
  if (out && out->empty()) {
    refuse(key, fmt::format("{} is empty: leave it out where nothing is meant", key));
    return std::nullopt;
  }
  return out;
}

void Fields::refuse(std::string_view param, std::string message) {
  refuse({.message = std::move(message), .param = std::string(param)});
}

void Fields::decline(std::string_view param, std::string message) {
  refuse({.status = 501, .message = std::move(message), .param = std::string(param)});
}

void Fields::refuse(ApiError error) {
  if (!error_) error_ = std::move(error);
}

}  // namespace skein::server

#include "server/fields.h"

#include <algorithm>
#include <utility>

namespace skein::server {

std::string_view Fields::theirs(std::string_view name) const {
  for (const FieldName& one : names_.list)
    if (one.name == name) return one.theirs;
  return name;
}

Json Fields::find(std::string_view key) const {
  const auto named = std::find_if(names_.list.begin(), names_.list.end(),
                                  [&](const FieldName& one) { return one.name == key; });
  if (named == names_.list.end() && names_.only_these) return {};
  std::string_view place = named == names_.list.end() ? key : named->theirs;
  Json inside = object_;
  if (const size_t dot = place.find('.'); dot != std::string_view::npos) {
    inside = object_.find(place.substr(0, dot));
    place.remove_prefix(dot + 1);
  }
  const Json found = inside.find(place);
  return found && !found.is_null() ? found : Json();
}

std::optional<int64_t> Fields::integer(std::string_view key, int64_t least, int64_t most) {
  const Json found = find(key);
  if (!found) return std::nullopt;
  int64_t value = 0;
  if (found.integer(value) && value >= least && value <= most) return value;
  refuse(key, fmt::format("{} has to be a whole number from {} to {}", theirs(key), least, most));
  return std::nullopt;
}

std::optional<double> Fields::number(std::string_view key, double least, double most) {
  const Json found = find(key);
  if (!found) return std::nullopt;
  double value = 0;
  if (found.number(value) && value >= least && value <= most) return value;
  refuse(key, fmt::format("{} has to be a number from {} to {}", theirs(key), least, most));
  return std::nullopt;
}

std::optional<bool> Fields::boolean(std::string_view key) {
  const Json found = find(key);
  if (!found) return std::nullopt;
  if (const auto value = found.boolean()) return value;
  refuse(key, fmt::format("{} has to be true or false", theirs(key)));
  return std::nullopt;
}

std::optional<std::string> Fields::string(std::string_view key) {
  const Json found = find(key);
  if (!found) return std::nullopt;
  if (const auto value = found.string()) return std::string(*value);
  refuse(key, fmt::format("{} has to be a string", theirs(key)));
  return std::nullopt;
}

std::optional<std::string> Fields::reference(std::string_view key) {
  auto out = string(key);
  if (out && out->empty()) {
    refuse(key, fmt::format("{} is empty: leave it out where nothing is meant", theirs(key)));
    return std::nullopt;
  }
  return out;
}

void Fields::refuse(std::string_view param, std::string message) {
  refuse({.message = std::move(message), .param = std::string(theirs(param))});
}

void Fields::decline(std::string_view param, std::string message) {
  refuse({.status = 501, .message = std::move(message), .param = std::string(theirs(param))});
}

void Fields::refuse(ApiError error) {
  if (!error_) error_ = std::move(error);
}

}  // namespace skein::server

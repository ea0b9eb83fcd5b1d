#include "server/routes/state_fields.h"

#include <algorithm>
#include <charconv>

#include "server/query.h"
#include "store/names.h"

namespace skein::server {
namespace {

constexpr int64_t kMostSeconds = int64_t{1} << 32;

// Of all routes about states and sessions.
constexpr std::string_view kFields[] = {
    "model",    "input", "messages", "parent", "state",  "session", "session_ttl", "return_state",
    "no_cache", "name",  "kind",     "pin",    "pinned", "ttl",     "stream",
};

std::optional<std::string> wrong_name(std::string_view name) {
  if (store::is_name(name)) return std::nullopt;
  return fmt::format("a state cannot be called {}", escaped(name, 64));
}

std::optional<std::string> wrong_kind(std::string_view kind) {
  if (store::is_kind(kind)) return std::nullopt;
  return fmt::format("kind has to be a word of a-z, 0-9 and _, not {}", escaped(kind, 64));
}

}  // namespace

Wishes read_wishes(Fields& fields) {
  Wishes out;
  out.unnamed = fields.is_null("name");
  if (const auto name = fields.reference("name")) {
    if (const auto wrong = wrong_name(*name)) fields.refuse("name", *wrong);
    out.name = *name;
  }
  for (const char* key : {"pin", "pinned"})
    if (const auto pinned = fields.boolean(key)) {
      if (out.pinned && *out.pinned != *pinned) fields.refuse(key, "pin and pinned differ");
      out.pinned = pinned;
    }
  if (const auto ttl = fields.integer("ttl", 0, kMostSeconds)) out.ttl_ms = *ttl * 1000;
  if (const auto kind = fields.reference("kind")) {
    if (const auto wrong = wrong_kind(*kind)) fields.refuse("kind", *wrong);
    out.kind = *kind;
  }
  return out;
}

Asked<Wishes> read_wishes(std::string_view query) {
  Wishes out;
  if (const auto name = query_value(query, "name")) {
    if (const auto wrong = wrong_name(*name)) return refused(*wrong, "name");
    out.name = *name;
  }
  for (const char* key : {"pin", "pinned"})
    if (const auto text = query_value(query, key)) {
      const bool pinned = *text == "true" || *text == "1";
      if (!pinned && *text != "false" && *text != "0")
        return refused(fmt::format("{} has to be true or false", key), key);
      if (out.pinned && *out.pinned != pinned) return refused("pin and pinned differ", key);
      out.pinned = pinned;
    }
  if (const auto text = query_value(query, "ttl")) {
    int64_t ttl = -1;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), ttl);
    if (error != std::errc() || end != text->data() + text->size() || ttl < 0 || ttl > kMostSeconds)
      return refused(fmt::format("ttl has to be a whole number from 0 to {}", kMostSeconds), "ttl");
    out.ttl_ms = ttl * 1000;
  }
  if (const auto kind = query_value(query, "kind")) {
    if (const auto wrong = wrong_kind(*kind)) return refused(*wrong, "kind");
    out.kind = *kind;
  }
  return out;
}

void refuse_unmeant(Fields& fields, std::string_view route,
                    std::initializer_list<std::string_view> meant) {
  for (const std::string_view name : kFields) {
    if (std::find(meant.begin(), meant.end(), name) != meant.end()) continue;
    const Json given = fields.find(name);
    if (given && given.boolean() != false)
      fields.refuse(name, fmt::format("{} means nothing to {}", name, route));
  }
}

}  // namespace skein::server

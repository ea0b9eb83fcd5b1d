#include "server/paging.h"

#include <charconv>

#include "server/query.h"

namespace skein::server {

Asked<size_t> read_count(std::string_view query, std::string_view name, size_t usual, size_t least,
                         size_t most) {
  const auto text = query_value(query, name);
  if (!text) return usual;
  size_t out = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), out);
  if (error != std::errc() || end != text->data() + text->size() || out < least || out > most)
    return refused(fmt::format("{} has to be a whole number from {} to {}", name, least, most),
                   std::string(name));
  return out;
}

Asked<Paging> read_paging(std::string_view query, size_t usual, size_t most) {
  const auto limit = read_count(query, "limit", usual, 1, most);
  if (!limit) return tl::unexpected(limit.error());
  return Paging{*limit, query_value(query, "after").value_or("")};
}

}  // namespace skein::server

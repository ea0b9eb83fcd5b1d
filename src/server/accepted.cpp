#include "server/accepted.h"

#include <algorithm>
#include <string>

namespace skein::server {
namespace {

std::string_view trim(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

// The part before `mark`, and `text` becomes what is behind it.
std::string_view cut(std::string_view& text, char mark) {
  const std::string_view out = text.substr(0, text.find(mark));
  text.remove_prefix(std::min(out.size() + 1, text.size()));
  return trim(out);
}

bool equal(std::string_view a, std::string_view b) {
  const auto small = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return small(x) == small(y); });
}

// "q=0", "q=0.000".
bool is_refusal(std::string_view parameter) {
  if (!parameter.starts_with("q=") && !parameter.starts_with("Q=")) return false;
  const std::string_view value = parameter.substr(2);
  return !value.empty() && value.find_first_not_of("0.") == std::string_view::npos;
}

}  // namespace

bool accepts(const Head& head, std::string_view field, std::string_view what) {
  for (const Field& each : head.fields) {
    if (each.name != field) continue;
    std::string_view rest = each.value;
    while (!rest.empty()) {
      std::string_view one = cut(rest, ',');
      if (!equal(cut(one, ';'), what)) continue;
      while (!one.empty())
        if (is_refusal(cut(one, ';'))) return false;
      return true;
    }
  }
  return false;
}

bool names(const Head& head, std::string_view tag) {
  const std::string* const given = head.find("if-none-match");
  if (!given) return false;
  std::string_view rest = *given;
  while (!rest.empty()) {
    std::string_view one = cut(rest, ',');
    if (one.starts_with("W/")) one.remove_prefix(2);
    if (one == "*") return true;
    if (one.size() == tag.size() + 2 && one.front() == '"' && one.back() == '"' &&
        one.substr(1, tag.size()) == tag)
      return true;
  }
  return false;
}

}  // namespace skein::server

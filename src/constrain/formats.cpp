#include "constrain/formats.h"

#include <algorithm>
#include <array>
#include <string>

#include "constrain/regex.h"

namespace skein::constrain {
namespace {

// Each is a pattern that the whole string matches.

// Days of each month, and the 29th of February in years that have one.
std::string date() {
  return "(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|"
         "[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])"
         "|(?:[02468][048]|[13579][26])00)-02-29)";
}

// No leap seconds.
std::string time() {
  return "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,9})?(?:Z|[+-](?:[01][0-9]|2[0-3])"
         ":[0-5][0-9])";
}

std::string date_time() { return date() + "T" + time(); }

std::string duration() {
  const std::string n = "[0-9]{1,9}";
  const std::string clock =
      "T(?:" + n + "H(?:" + n + "M(?:" + n + "S)?)?|" + n + "M(?:" + n + "S)?|" + n + "S)";
  return "P(?:" + n + "W|(?:" + n + "Y(?:" + n + "M(?:" + n + "D)?)?|" + n + "M(?:" + n + "D)?|" +
         n + "D)(?:" + clock + ")?|" + clock + ")";
}

std::string label() { return "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"; }
std::string hostname() { return label() + "(?:\\." + label() + ")*"; }

std::string email() {
  const std::string word = "[A-Za-z0-9_+-]+";
  return word + "(?:\\." + word + ")*@" + label() + "(?:\\." + label() + ")+";
}

std::string ipv4() {
  const std::string byte = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
  return byte + "(?:\\." + byte + "){3}";
}

std::string ipv6() {
  const std::string hex = "[0-9A-Fa-f]{1,4}";
  const std::string last = "(?:" + hex + ":" + hex + "|" + ipv4() + ")";
  const auto before = [&](int most) {  // what may stand before a "::"
    return "(?:(?:" + hex + ":){0," + std::to_string(most) + "}" + hex + ")?::";
  };
  const auto after = [&](int count) { return "(?:" + hex + ":){" + std::to_string(count) + "}"; };
  std::string out =
      after(6) + last + "|::" + after(5) + last + "|(?:" + hex + ")?::" + after(4) + last;
  for (int n = 1; n <= 3; ++n) out += "|" + before(n) + after(4 - n) + last;
  return "(?:" + out + "|" + before(4) + last + "|" + before(5) + hex + "|" + before(6) + ")";
}

std::string uuid() {
  return "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}";
}

// RFC 3986, with hosts as DNS has them.
std::string uri_character() { return "(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})"; }

std::string uri_end() {
  const std::string any = "(?:" + uri_character() + "|[/?])*";
  return "(?:\\?" + any + ")?(?:#" + any + ")?";
}

std::string uri() {
  const std::string segment = uri_character() + "*";
  const std::string path = uri_character() + "+(?:/" + segment + ")*";
  const std::string user = "(?:(?:[A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})*@)?";
  const std::string host = "(?:" + hostname() + "|\\[" + ipv6() + "\\])";
  return "[A-Za-z][A-Za-z0-9+.-]*:(?://" + user + host + "(?::[0-9]{1,5})?(?:/" + segment +
         ")*|(?://)?/(?:" + path + ")?|" + path + ")" + uri_end();
}

std::string uri_reference() {
  const std::string segment = uri_character() + "*";
  const std::string first = "(?:[A-Za-z0-9._~!$&'()*+,;=@-]|%[0-9A-Fa-f]{2})+";  // has no colon
  return "(?:" + uri() + "|(?:/(?:" + uri_character() + "+(?:/" + segment + ")*)?|" + first +
         "(?:/" + segment + ")*)?" + uri_end() + ")";
}

std::string json_pointer() { return "(?:/(?:[^~/]|~[01])*)*"; }
std::string relative_json_pointer() { return "(?:0|[1-9][0-9]{0,8})(?:#|" + json_pointer() + ")"; }

// Patterns that every engine takes: groups three deep, ranges that are in order in any alphabet,
// counts that are in order, and no escape that needs none.
std::string safe_pattern() {
  const std::string escape =
      "\\\\(?:[dDwWsSnrtfv\\\\^$.*+?()[\\]{}|/]|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4})";
  const std::string range = "(?:a-z|A-Z|0-9|a-f|A-F|1-9|0-7)";
  const std::string set = "\\[\\^?-?(?:" + range + "|" + escape + "|[^\\\\\\]\\[\\n\\r-])*-?\\]";
  std::string count =
      "[*+?]|\\{(?:0|[1-9][0-9]{0,2}),?\\}|\\{[0-9],[1-9][0-9]{1,2}\\}|\\{[1-9][0-9],"
      "[1-9][0-9]{2}\\}";
  for (char low = '0'; low <= '9'; ++low)
    count += std::string("|\\{") + low + ",[" + low + "-9]\\}";
  count = "(?:" + count + ")\\??";
  std::string group;
  for (int depth = 0; depth < 4; ++depth) {
    const std::string atom = "(?:[^\\\\^$.*+?()[\\]{}|/\\n\\r]|\\.|" + escape + "|" + set +
                             (group.empty() ? "" : "|\\((?:\\?:)?" + group + "\\)") + ")";
    const std::string line = "(?:\\^|\\$|\\\\[bB]|" + atom + "(?:" + count + ")?)*";
    group = line + "(?:\\|" + line + ")*";
  }
  return group;
}

std::string any_text() { return "[\\s\\S]*"; }
std::string like_date_time() { return "[0-9]{4}-[0-9]{2}-[0-9]{2}[^0-9][\\s\\S]+"; }
std::string like_time() { return "[0-9]{2}:[\\s\\S]+"; }
std::string like_duration() { return "P[\\s\\S]+"; }
std::string like_email() { return "[\\s\\S]+@[\\s\\S]+"; }
std::string like_uri() { return "[A-Za-z][\\s\\S]*:[\\s\\S]*"; }

struct Format {
  std::string_view name;
  std::string (*written)();
  std::string (*all)();  // what some reader may take as well
};

constexpr std::array<Format, 22> kFormats = {{
    {"date-time", date_time, like_date_time},
    {"date", date, date},
    {"time", time, like_time},
    {"duration", duration, like_duration},
    {"email", email, like_email},
    {"idn-email", email, like_email},
    {"hostname", hostname, any_text},
    {"idn-hostname", hostname, any_text},
    {"ipv4", ipv4, ipv4},
    {"ipv6", ipv6, ipv6},
    {"uuid", uuid, uuid},
    {"uri", uri, like_uri},
    {"url", uri, any_text},
    {"iri", uri, any_text},
    {"uri-reference", uri_reference, any_text},
    {"iri-reference", uri_reference, any_text},
    {"uri-template", uri_reference, any_text},
    {"json-pointer", json_pointer, json_pointer},
    {"relative-json-pointer", relative_json_pointer, relative_json_pointer},
    {"regex", safe_pattern, any_text},
    {"password", any_text, any_text},
    {"binary", any_text, any_text},
}};

constexpr std::array<std::string_view, 8> kNumberFormats = {"int32", "int64",  "uint32", "uint64",
                                                            "float", "double", "int",    "integer"};

Term matching(Grammar& grammar, const std::string& pattern, const StringTerms& strings) {
  RegexOptions options;
  options.spelling = strings.spelling();
  options.most_bytes = pattern.size();
  return add_regex(grammar, pattern, RegexDialect::ecma, options).value_or(Term::none);
}

}  // namespace

std::optional<TextForm> format_texts(Grammar& grammar, std::string_view name,
                                     const StringTerms& strings) {
  const auto format = std::find_if(kFormats.begin(), kFormats.end(),
                                   [&](const Format& each) { return each.name == name; });
  if (format == kFormats.end()) return std::nullopt;
  const auto term = [&](std::string (*pattern)()) {
    return pattern == any_text ? strings.all() : matching(grammar, pattern(), strings);
  };
  const Term written = term(format->written);
  return TextForm{format->all == format->written ? written : term(format->all), written};
}

bool is_number_format(std::string_view name) {
  return std::find(kNumberFormats.begin(), kNumberFormats.end(), name) != kNumberFormats.end();
}

}  // namespace skein::constrain

#include "constrain/formats.h"

#include <array>
#include <string>

#include "constrain/regex.h"

namespace skein::constrain {
namespace {

// Days of each month, and the 29th of February in years that have one. No leap seconds, and only
// capital T and Z.
#define SK_DATE                                                                             \
  "(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|"   \
  "[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])" \
  "|(?:[02468][048]|[13579][26])00)-02-29)"
#define SK_TIME                                                                               \
  "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,9})?(?:Z|[+-](?:[01][0-9]|2[0-3])" \
  ":[0-5][0-9])"
#define SK_TIME_PARTS "T(?:[0-9]+H(?:[0-9]+M(?:[0-9]+S)?)?|[0-9]+M(?:[0-9]+S)?|[0-9]+S)"
#define SK_LABEL "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
#define SK_HOST SK_LABEL "(?:\\." SK_LABEL ")*"
#define SK_BYTE "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
#define SK_IPV4 SK_BYTE "(?:\\." SK_BYTE "){3}"
#define SK_HEX "[0-9A-Fa-f]{1,4}"
#define SK_LAST32 "(?:" SK_HEX ":" SK_HEX "|" SK_IPV4 ")"
#define SK_IPV6                                                                                   \
  "(?:(?:" SK_HEX ":){6}" SK_LAST32 "|::(?:" SK_HEX ":){5}" SK_LAST32 "|(?:" SK_HEX               \
  ")?::(?:" SK_HEX ":){4}" SK_LAST32 "|(?:(?:" SK_HEX ":){0,1}" SK_HEX ")?::(?:" SK_HEX           \
  ":){3}" SK_LAST32 "|(?:(?:" SK_HEX ":){0,2}" SK_HEX ")?::(?:" SK_HEX ":){2}" SK_LAST32          \
  "|(?:(?:" SK_HEX ":){0,3}" SK_HEX ")?::" SK_HEX ":" SK_LAST32 "|(?:(?:" SK_HEX ":){0,4}" SK_HEX \
  ")?::" SK_LAST32 "|(?:(?:" SK_HEX ":){0,5}" SK_HEX ")?::" SK_HEX "|(?:(?:" SK_HEX               \
  ":){0,6}" SK_HEX ")?::)"
// Characters of RFC 3986.
#define SK_PCHAR "(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})"
#define SK_USER "(?:(?:[A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})*@)?"
#define SK_AUTHORITY "//" SK_USER "(?:" SK_HOST "|\\[" SK_IPV6 "\\])(?::[0-9]{1,5})?"
#define SK_QUERY "(?:\\?(?:" SK_PCHAR "|[/?])*)?"
#define SK_FRAGMENT "(?:#(?:" SK_PCHAR "|[/?])*)?"
#define SK_URI                                                                                    \
  "[A-Za-z][A-Za-z0-9+.-]*:(?:" SK_AUTHORITY "(?:/" SK_PCHAR "*)*|/(?:" SK_PCHAR "+(?:/" SK_PCHAR \
  "*)*)?|" SK_PCHAR "+(?:/" SK_PCHAR "*)*)" SK_QUERY SK_FRAGMENT

struct Format {
  std::string_view name;
  // The whole string matches. An empty pattern: any string.
  std::string_view written;
  // What some reader may take as well: the same, if this is empty.
  std::string_view all = {};
};

constexpr std::string_view kAnyText = "[\\s\\S]*";

constexpr std::array<Format, 22> kFormats = {{
    {"date-time", SK_DATE "T" SK_TIME, "[0-9]{4}-[0-9]{2}-[0-9]{2}[^0-9][\\s\\S]+"},
    {"date", SK_DATE},
    {"time", SK_TIME, "[0-9]{2}:[\\s\\S]+"},
    {"duration",
     "P(?:[0-9]+W|(?:[0-9]+Y(?:[0-9]+M(?:[0-9]+D)?)?|[0-9]+M(?:[0-9]+D)?|[0-9]+D)"
     "(?:" SK_TIME_PARTS ")?|" SK_TIME_PARTS ")",
     "P[\\s\\S]+"},
    {"email", "[A-Za-z0-9_+-]+(?:\\.[A-Za-z0-9_+-]+)*@" SK_LABEL "(?:\\." SK_LABEL ")+",
     "[\\s\\S]+@[\\s\\S]+"},
    {"idn-email", "[A-Za-z0-9_+-]+(?:\\.[A-Za-z0-9_+-]+)*@" SK_LABEL "(?:\\." SK_LABEL ")+",
     "[\\s\\S]+@[\\s\\S]+"},
    {"hostname", SK_HOST, kAnyText},
    {"idn-hostname", SK_HOST, kAnyText},
    {"ipv4", SK_IPV4},
    {"ipv6", SK_IPV6},
    {"uuid", "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}"},
    {"uri", SK_URI, "[A-Za-z][\\s\\S]*:[\\s\\S]*"},
    {"url", SK_URI, kAnyText},
    {"iri", SK_URI, kAnyText},
    {"uri-reference", ""},
    {"iri-reference", ""},
    {"uri-template", ""},
    {"json-pointer", "(?:/(?:[^~/]|~[01])*)*"},
    {"relative-json-pointer", "(?:0|[1-9][0-9]*)(?:#|(?:/(?:[^~/]|~[01])*)*)"},
    {"regex", ""},
    {"password", ""},
    {"binary", ""},
}};

constexpr std::array<std::string_view, 8> kNumberFormats = {"int32", "int64",  "uint32", "uint64",
                                                            "float", "double", "int",    "integer"};

Term matching(Grammar& grammar, std::string_view pattern, const StringTerms& strings) {
  if (pattern.empty() || pattern == kAnyText) return strings.all();
  RegexOptions options;
  options.spelling = strings.spelling();
  options.most_bytes = pattern.size();
  return add_regex(grammar, pattern, RegexDialect::ecma, options).value_or(Term::none);
}

}  // namespace

std::optional<TextForm> format_texts(Grammar& grammar, std::string_view name,
                                     const StringTerms& strings) {
  for (const Format& format : kFormats) {
    if (format.name != name) continue;
    const Term written = matching(grammar, format.written, strings);
    // A name of a host has 253 characters at most; its parts are not counted together above.
    return TextForm{format.all.empty() ? written : matching(grammar, format.all, strings), written};
  }
  return std::nullopt;
}

bool is_number_format(std::string_view name) {
  for (const std::string_view known : kNumberFormats)
    if (known == name) return true;
  return false;
}

}  // namespace skein::constrain

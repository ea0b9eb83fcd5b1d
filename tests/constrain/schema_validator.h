// A validator of JSON Schema that knows nothing of ours: what random_schema.h writes, by the letter
// of the specification, with formats asserted.
#pragma once

#include <cmath>
#include <functional>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"

namespace skein::constrain::test {

class Validator {
 public:
  explicit Validator(Json root) : root_(std::move(root)) {}
  bool valid(const Json& value) { return valid(root_, value); }

 private:
  static bool is_number(const Json& v) {
    double number = 0;
    return v.number(number);
  }
  static double number(const Json& v) {
    double out = 0;
    v.number(out);
    return out;
  }
  static bool is(const Json& v, std::string_view type) {
    if (type == "null") return v.is_null();
    if (type == "boolean") return v.boolean().has_value();
    if (type == "string") return v.string().has_value();
    if (type == "array") return static_cast<bool>(v.array());
    if (type == "object") return static_cast<bool>(v.object());
    return is_number(v) && (type == "number" || std::floor(number(v)) == number(v));
  }
  static bool equal(const Json& a, const Json& b) {
    if (is_number(a) && is_number(b)) return number(a) == number(b);
    if (a.string() && b.string()) return *a.string() == *b.string();
    if (a.boolean() && b.boolean()) return *a.boolean() == *b.boolean();
    if (a.is_null() && b.is_null()) return true;
    if (a.array() && b.array()) {
      const auto one = items(a), other = items(b);
      if (one.size() != other.size()) return false;
      for (size_t i = 0; i < one.size(); ++i)
        if (!equal(one[i], other[i])) return false;
      return true;
    }
    if (a.object() && b.object()) {
      if (a.object().size() != b.object().size()) return false;
      for (const auto& [name, each] : a.object())
        if (!b.find(name) || !equal(each, b.find(name))) return false;
      return true;
    }
    return false;
  }
  static std::vector<Json> items(const Json& v) {
    std::vector<Json> out;
    for (const Json& each : v.array()) out.push_back(each);
    return out;
  }
  static size_t length(std::string_view text) {
    size_t out = 0;
    for (const char c : text) out += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    return out;
  }
  // The patterns of random_schema.h, each by hand.
  static bool finds(std::string_view pattern, std::string_view text) {
    const auto only = [&](std::string_view of) { return text.find_first_not_of(of) == text.npos; };
    if (pattern == "^a") return text.substr(0, 1) == "a";
    if (pattern == "b$") return !text.empty() && text.back() == 'b';
    if (pattern == "^[a-c]*$") return only("abc");
    if (pattern == "ab|é") return text.find("ab") != text.npos || text.find("é") != text.npos;
    if (pattern == "^.{2,4}$")
      return length(text) >= 2 && length(text) <= 4 && text.find_first_of("\n\r") == text.npos &&
             text.find("\u2028") == text.npos && text.find("\u2029") == text.npos;
    if (pattern == "^[b-d]") return !text.empty() && text[0] >= 'b' && text[0] <= 'd';
    return true;  // x?
  }
  static bool formatted(std::string_view format, const std::string& text) {
    static const std::map<std::string, std::regex, std::less<>> known = {
        {"date", std::regex("\\d{4}-\\d\\d-\\d\\d")},
        {"ipv4", std::regex("(\\d{1,3}\\.){3}\\d{1,3}")},
        {"uuid", std::regex("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")},
        {"email", std::regex("[^@\\s]+@[^@\\s]+\\.[^@\\s]+")}};
    return std::regex_match(text, known.find(format)->second);
  }

  bool valid(const Json& schema, const Json& v) {
    if (const auto flag = schema.boolean()) return *flag;
    const auto at = [&](const char* name) { return schema.find(name); };
    if (const Json type = at("type")) {
      bool some = type.string() && is(v, *type.string());
      for (const Json& each : type.array()) some = some || is(v, *each.string());
      if (!some) return false;
    }
    if (at("const") && !equal(at("const"), v)) return false;
    if (at("enum")) {
      bool some = false;
      for (const Json& each : at("enum").array()) some = some || equal(each, v);
      if (!some) return false;
    }
    return strings(schema, v) && numbers(schema, v) && arrays(schema, v) && objects(schema, v) &&
           combined(schema, v);
  }

  bool strings(const Json& schema, const Json& v) {
    if (!v.string()) return true;
    const std::string_view text = *v.string();
    if (const Json n = schema.find("minLength"); n && static_cast<double>(length(text)) < number(n))
      return false;
    if (const Json n = schema.find("maxLength"); n && static_cast<double>(length(text)) > number(n))
      return false;
    if (const Json p = schema.find("pattern"); p && !finds(*p.string(), text)) return false;
    const Json format = schema.find("format");
    return !format || formatted(*format.string(), std::string(text));
  }

  bool numbers(const Json& schema, const Json& v) {
    if (!is_number(v)) return true;
    const double x = number(v);
    if (const Json n = schema.find("minimum"); n && x < number(n)) return false;
    if (const Json n = schema.find("maximum"); n && x > number(n)) return false;
    if (const Json n = schema.find("exclusiveMinimum"); n && x <= number(n)) return false;
    if (const Json n = schema.find("exclusiveMaximum"); n && x >= number(n)) return false;
    const Json n = schema.find("multipleOf");  // all of them are exact in binary
    return !n || std::fmod(x, number(n)) == 0;
  }

  bool arrays(const Json& schema, const Json& v) {
    if (!v.array()) return true;
    const auto all = items(v);
    const auto first = items(schema.find("prefixItems"));
    for (size_t i = 0; i < all.size(); ++i) {
      if (i < first.size() && !valid(first[i], all[i])) return false;
      if (i >= first.size() && schema.find("items") && !valid(schema.find("items"), all[i]))
        return false;
    }
    if (const Json n = schema.find("minItems"); n && static_cast<double>(all.size()) < number(n))
      return false;
    if (const Json n = schema.find("maxItems"); n && static_cast<double>(all.size()) > number(n))
      return false;
    if (schema.find("uniqueItems"))
      for (size_t i = 0; i < all.size(); ++i)
        for (size_t j = 0; j < i; ++j)
          if (equal(all[i], all[j])) return false;
    if (const Json contains = schema.find("contains")) {
      bool some = false;
      for (const Json& each : all) some = some || valid(contains, each);
      if (!some) return false;
    }
    return true;
  }

  bool objects(const Json& schema, const Json& v) {
    if (!v.object()) return true;
    const auto count = static_cast<double>(v.object().size());
    if (const Json n = schema.find("minProperties"); n && count < number(n)) return false;
    if (const Json n = schema.find("maxProperties"); n && count > number(n)) return false;
    for (const Json& name : schema.find("required").array())
      if (!v.find(*name.string())) return false;
    for (const auto& [name, list] : schema.find("dependentRequired").object())
      if (v.find(name))
        for (const Json& other : list.array())
          if (!v.find(*other.string())) return false;
    for (const auto& [name, value] : v.object()) {
      bool known = false;
      if (const Json own = schema.find("properties").find(name)) {
        known = true;
        if (!valid(own, value)) return false;
      }
      for (const auto& [pattern, own] : schema.find("patternProperties").object())
        if (finds(pattern, name)) {
          known = true;
          if (!valid(own, value)) return false;
        }
      if (!known && schema.find("additionalProperties") &&
          !valid(schema.find("additionalProperties"), value))
        return false;
      if (const Json names = schema.find("propertyNames");
          names && static_cast<double>(length(name)) > number(names.find("maxLength")))
        return false;
    }
    return true;
  }

  bool combined(const Json& schema, const Json& v) {
    if (const Json ref = schema.find("$ref"))
      if (!valid(root_.find("$defs").find(ref.string()->substr(8)), v)) return false;
    for (const Json& part : schema.find("allOf").array())
      if (!valid(part, v)) return false;
    const auto matching = [&](const char* name) {
      size_t out = 0;
      for (const Json& part : schema.find(name).array()) out += valid(part, v);
      return out;
    };
    if (schema.find("anyOf") && matching("anyOf") == 0) return false;
    if (schema.find("oneOf") && matching("oneOf") != 1) return false;
    if (schema.find("not") && valid(schema.find("not"), v)) return false;
    if (const Json test = schema.find("if")) {
      const Json then = schema.find(valid(test, v) ? "then" : "else");
      if (then && !valid(then, v)) return false;
    }
    return true;
  }

  Json root_;
};

}  // namespace skein::constrain::test

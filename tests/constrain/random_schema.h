// Random schemas of nearly all keywords, small enough that they meet each other.
#pragma once

#include <fmt/format.h>

#include <random>
#include <string>
#include <vector>

namespace skein::constrain::test {

class RandomSchema {
 public:
  explicit RandomSchema(uint32_t seed) : random_(seed) {}

  std::string text() {
    std::string out =
        R"({"$schema":"https://json-schema.org/draft/2020-12/schema","$defs":{"one":)" + schema(2) +
        R"(,"two":)" + schema(1) + "}";
    for (const std::string& each : keywords(3)) out += "," + each;
    return out + "}";
  }

 private:
  uint32_t below(uint32_t bound) { return static_cast<uint32_t>(random_() % bound); }
  bool one_in(uint32_t n) { return below(n) == 0; }
  std::string name() { return std::string(1, static_cast<char>('a' + below(4))); }
  std::string pick(const std::vector<const char*>& of) {
    return of[below(static_cast<uint32_t>(of.size()))];
  }

  std::string schema(int depth) {
    if (one_in(20)) return "true";
    if (one_in(40)) return "false";
    std::string out;
    for (const std::string& each : keywords(depth)) out += (out.empty() ? "" : ",") + each;
    return "{" + out + "}";
  }

  std::vector<std::string> keywords(int depth) {
    std::vector<std::string> out;
    const uint32_t kind = below(depth > 0 ? 14 : 7);
    switch (kind) {
      case 0: out = string(); break;
      case 1: out = number("integer"); break;
      case 2: out = number("number"); break;
      case 3: out = {R"("enum":[)" + value(2) + "," + value(2) + "," + value(1) + "]"}; break;
      case 4: out = {R"("const":)" + value(2)}; break;
      case 5:
        out = {R"("type":[")" + pick({"null", "boolean"}) + R"(","string"])", R"("maxLength":3)"};
        break;
      case 6:
        out = {depth > 0 && one_in(2) ? R"("$ref":"#/$defs/)" + pick({"one", "two"}) + "\""
                                      : std::string(R"("type":"boolean")")};
        break;
      case 7:
      case 8: out = array(depth - 1); break;
      case 9:
      case 10:
      case 11: out = object(depth - 1); break;
      default: break;
    }
    if (depth > 0 && (kind >= 12 || one_in(4))) out.push_back(combined(depth - 1));
    if (depth > 0 && one_in(12)) out.push_back(R"("not":)" + schema(depth - 1));
    return out;
  }

  std::string combined(int depth) {
    const uint32_t kind = below(4);
    if (kind == 3)
      return R"("if":)" + schema(depth) + R"(,"then":)" + schema(depth) +
             (one_in(2) ? R"(,"else":)" + schema(depth) : "");
    return pick({R"("anyOf":[)", R"("oneOf":[)", R"("allOf":[)"}) + schema(depth) + "," +
           schema(depth) + (one_in(3) ? "," + schema(depth) : "") + "]";
  }

  std::vector<std::string> string() {
    std::vector<std::string> out{R"("type":"string")"};
    if (one_in(2)) out.push_back(fmt::format(R"("minLength":{})", below(4)));
    if (one_in(2)) out.push_back(fmt::format(R"("maxLength":{})", 1 + below(6)));
    if (one_in(3))
      out.push_back(R"("pattern":")" + pick({"^a", "b$", "^[a-c]*$", "ab|é", "^.{2,4}$", "x?"}) +
                    "\"");
    if (one_in(8)) out.push_back(R"("format":")" + pick({"date", "ipv4", "uuid", "email"}) + "\"");
    return out;
  }

  std::vector<std::string> number(const std::string& type) {
    std::vector<std::string> out{R"("type":")" + type + "\""};
    if (one_in(3)) {
      const int low = static_cast<int>(below(400)) - 200;
      out.push_back(fmt::format(R"("{}":{}{})", one_in(2) ? "minimum" : "exclusiveMinimum", low,
                                one_in(3) ? ".25" : ""));
      out.push_back(fmt::format(R"("{}":{}{})", one_in(2) ? "maximum" : "exclusiveMaximum",
                                low + static_cast<int>(below(300)), one_in(3) ? ".5" : ""));
      if (one_in(3))
        out.push_back(R"("multipleOf":)" + pick({"1", "2", "3", "7", "0.5", "0.25", "12"}));
    } else if (one_in(2)) {
      out.push_back(fmt::format(R"("{}":{})", one_in(2) ? "minimum" : "exclusiveMaximum",
                                static_cast<int>(below(20)) - 10));
    }
    return out;
  }

  std::vector<std::string> array(int depth) {
    std::vector<std::string> out{R"("type":"array")"};
    if (one_in(3)) out.push_back(R"("prefixItems":[)" + schema(depth) + "," + schema(depth) + "]");
    if (!one_in(3)) out.push_back(R"("items":)" + schema(depth));
    if (one_in(3)) out.push_back(fmt::format(R"("minItems":{})", below(3)));
    if (one_in(2)) out.push_back(fmt::format(R"("maxItems":{})", 1 + below(4)));
    if (one_in(6)) out.push_back(R"("contains":)" + schema(depth));
    if (one_in(8)) out.push_back(R"("uniqueItems":true)");
    return out;
  }

  std::vector<std::string> object(int depth) {
    std::vector<std::string> out{R"("type":"object")"};
    std::string properties;
    for (const char* each : {"a", "b", "c"})
      if (!one_in(3))
        properties +=
            fmt::format(R"({}"{}":{})", properties.empty() ? "" : ",", each, schema(depth));
    if (!one_in(5)) out.push_back(R"("properties":{)" + properties + "}");
    if (one_in(2)) out.push_back(R"("required":[")" + name() + "\"]");
    if (one_in(3))
      out.push_back(R"("additionalProperties":)" + (one_in(2) ? "false" : schema(depth)));
    if (one_in(5))
      out.push_back(R"("patternProperties":{")" + pick({"^a", "b$", "^[b-d]"}) +
                    "\":" + schema(depth) + "}");
    if (one_in(8)) out.push_back(fmt::format(R"("minProperties":{})", below(3)));
    if (one_in(8)) out.push_back(fmt::format(R"("maxProperties":{})", 1 + below(3)));
    if (one_in(8)) out.push_back(R"("propertyNames":{"maxLength":2})");
    if (one_in(8))
      out.push_back(fmt::format(R"("dependentRequired":{{"{}":["{}"]}})", name(), name()));
    return out;
  }

  std::string value(int depth) {
    switch (below(depth > 0 ? 8 : 6)) {
      case 0: return "null";
      case 1: return one_in(2) ? "true" : "false";
      case 2: return fmt::format("{}", static_cast<int>(below(20)) - 10);
      case 3: return fmt::format("{}.5", below(4));
      case 4: return "\"" + name() + "\"";
      case 5: return R"("a\"\n")";
      case 6: return "[" + value(depth - 1) + "," + value(depth - 1) + "]";
      default: return "{\"" + name() + "\":" + value(depth - 1) + "}";
    }
  }

  std::mt19937 random_;
};

}  // namespace skein::constrain::test

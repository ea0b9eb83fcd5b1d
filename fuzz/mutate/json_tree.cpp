#include "fuzz/mutate/json_tree.h"

#include <fmt/format.h>

#include "fuzz/mutate/values.h"

namespace skein::mutate {
namespace {

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  JsonTree value() {
    JsonTree out;
    const char first = next();
    if (first == '{' || first == '[') {
      out.kind = first == '{' ? JsonTree::Kind::object : JsonTree::Kind::array;
      ++at_;
      while (next() != '}' && next() != ']' && at_ < text_.size()) {
        if (first == '{') {
          out.names.push_back(scalar());
          if (next() == ':') ++at_;
        }
        const size_t before = at_;
        out.items.push_back(value());
        if (next() == ',') ++at_;
        if (at_ == before) ++at_;  // what a change before has made of it begins no value
      }
      ++at_;
    } else {
      out.text = scalar();
    }
    return out;
  }

 private:
  char next() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != text_.npos) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  std::string scalar() {
    const size_t begin = at_;
    if (next() == '"') {
      for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_)
        if (text_[at_] == '\\') ++at_;
      ++at_;
    } else {
      while (at_ < text_.size() && std::string_view(",:]}").find(text_[at_]) == text_.npos) ++at_;
    }
    at_ = std::min(at_, text_.size());
    // Never empty: what is changed has something to change.
    return at_ > begin ? std::string(text_.substr(begin, at_ - begin)) : "null";
  }

  std::string_view text_;
  size_t at_ = 0;
};

void collect(JsonTree& tree, std::vector<JsonTree*>& containers, std::vector<JsonTree*>& scalars) {
  (tree.kind == JsonTree::Kind::scalar ? scalars : containers).push_back(&tree);
  for (JsonTree& item : tree.items) collect(item, containers, scalars);
}

std::string deep(test::Random& random) {
  const size_t depth = pick(random, {2, 63, 64, 65, 200, 5000});
  const bool array = random.below(2) == 0;
  std::string out;
  for (size_t i = 0; i < depth; ++i) out += array ? "[" : "{\"a\":";
  out += "1";
  return out + std::string(depth, array ? ']' : '}');
}

constexpr const char* kWords[] = {"null",
                                  "true",
                                  "false",
                                  "{}",
                                  "[]",
                                  "\"\"",
                                  "\"x\"",
                                  "-1",
                                  "0",
                                  "1",
                                  "-0",
                                  "1.5",
                                  "1e3",
                                  "1e400",
                                  "-1e400",
                                  "1e-400",
                                  "2147483648",
                                  "4294967296",
                                  "9223372036854775807",
                                  "9223372036854775808",
                                  "18446744073709551616",
                                  "123456789012345678901234567890",
                                  "NaN",
                                  "Infinity",
                                  "01",
                                  "+1",
                                  "0x10",
                                  "\"\\u0000\"",
                                  "\"\\ud800\"",
                                  "\"\\uD83D\\uDE00\"",
                                  "\"\xff\"",
                                  "\"\\x41\"",
                                  "'x'",
                                  "\"\n\"",
                                  "[1,]",
                                  "[0,0]",
                                  "[-1]",
                                  "[1e9]",
                                  "{\"a\":1,\"a\":2}",
                                  ""};

std::string random_word(test::Random& random) {
  return random.below(12) == 0 ? deep(random) : pick(random, kWords);
}

// A number close to what it was, of which a reader may think that it is right.
std::string near(const std::string& number, test::Random& random) {
  int64_t value = 0;
  for (const char c : number.substr(0, 18))
    if (c >= '0' && c <= '9') value = 10 * value + (c - '0');
  return std::to_string(near_number(value, random));
}

}  // namespace

JsonTree JsonTree::parse(std::string_view text) { return Parser(text).value(); }

std::string JsonTree::written() const {
  if (kind == Kind::scalar) return text;
  std::string out(1, kind == Kind::object ? '{' : '[');
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += ',';
    if (kind == Kind::object) out += names[i] + ':';
    out += items[i].written();
  }
  return out + (kind == Kind::object ? '}' : ']');
}

std::string change_json(JsonTree& tree, test::Random& random) {
  std::vector<JsonTree*> containers, scalars;
  collect(tree, containers, scalars);
  if (!scalars.empty() && (containers.empty() || random.below(2) == 0)) {
    JsonTree& scalar = *scalars[random.below(scalars.size())];
    const std::string before = scalar.text;
    const bool number = !before.empty() && before[0] >= '0' && before[0] <= '9';
    scalar.text = number && random.below(2) == 0 ? near(before, random) : random_word(random);
    return fmt::format("json {} becomes {}", before.substr(0, 40), scalar.text.substr(0, 40));
  }
  JsonTree& container = *containers[random.below(containers.size())];
  const bool object = container.kind == JsonTree::Kind::object;
  const size_t count = container.items.size();
  if (count == 0 || random.below(8) == 0) {
    if (object) container.names.push_back(count > 0 ? pick(random, container.names) : "\"new\"");
    container.items.push_back({.text = random_word(random)});
    return "json member added";
  }
  const size_t one = random.below(count), other = random.below(count);
  const std::string name = object ? container.names[one].substr(0, 60) : std::to_string(one);
  switch (random.below(object ? 6 : 4)) {
    case 0: {
      if (object) container.names.push_back(container.names[one]);
      const JsonTree twice = container.items[one];
      container.items.push_back(twice);
      return fmt::format("json {} twice", name);
    }
    case 1:
      container.items.erase(container.items.begin() + static_cast<ptrdiff_t>(one));
      if (object) container.names.erase(container.names.begin() + static_cast<ptrdiff_t>(one));
      return fmt::format("json {} dropped", name);
    case 2:
      std::swap(container.items[one], container.items[other]);
      return fmt::format("json {} and {} swapped", name, other);
    case 3:
      container.items[one] = {.text = random_word(random)};
      return fmt::format("json {} becomes {}", name, container.items[one].text.substr(0, 40));
    case 4:
      container.names[one] = container.names[other];
      return fmt::format("json {} named as another", name);
    default: {
      std::string text = name.substr(1, name.size() - std::min<size_t>(name.size(), 2));
      change_name(text, random);
      container.names[one] = '"' + text + '"';
      return fmt::format("json {} renamed {}", name, text);
    }
  }
}

std::string change_json_text(std::string& text, test::Random& random) {
  switch (random.below(16)) {
    case 0: text.insert(0, "\xef\xbb\xbf"); return "json with a byte order mark";
    case 1: text.insert(0, "  \n\t"); return "json behind blanks";
    case 2: text.resize(random.below(text.size() + 1)); return "json cut";
    case 3: text += pick(random, {"x", " ", "\n", "{}", ",", "\0"}); return "json with a tail";
    default: break;
  }
  JsonTree tree = JsonTree::parse(text);
  std::string said = change_json(tree, random);
  text = tree.written();
  return said;
}

}  // namespace skein::mutate

#include "constrain/schema_places.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>

namespace skein::constrain {
namespace {

using Kind = SchemaText::Kind;

// Keywords whose value is a schema, a list of them, or an object of them.
constexpr std::array<std::string_view, 14> kHoldsSchema = {"additionalItems",
                                                           "additionalProperties",
                                                           "contains",
                                                           "contentSchema",
                                                           "else",
                                                           "if",
                                                           "items",
                                                           "not",
                                                           "propertyNames",
                                                           "then",
                                                           "unevaluatedItems",
                                                           "unevaluatedProperties",
                                                           "extends",
                                                           "disallow"};
constexpr std::array<std::string_view, 5> kHoldsList = {"allOf", "anyOf", "items", "oneOf",
                                                        "prefixItems"};
constexpr std::array<std::string_view, 6> kHoldsObject = {
    "$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"};

bool is_one_of(std::string_view name, std::span<const std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// The length of "scheme:", or 0.
size_t scheme_length(std::string_view uri) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (uri.empty() || !letter(uri[0])) return 0;
  for (size_t i = 1; i < uri.size(); ++i) {
    const char c = uri[i];
    if (c == ':') return i + 1;
    if (!letter(c) && !(c >= '0' && c <= '9') && c != '+' && c != '-' && c != '.') return 0;
  }
  return 0;
}

std::string without_dots(std::string_view path) {
  std::vector<std::string_view> parts;
  const bool rooted = path.substr(0, 1) == "/";
  bool folder = false;  // whether it ends in a slash
  while (!path.empty()) {
    if (path[0] == '/') path.remove_prefix(1);
    const std::string_view part = path.substr(0, path.find('/'));
    path.remove_prefix(part.size());
    folder = part.empty() || part == "." || part == "..";
    if (part == ".." && !parts.empty()) parts.pop_back();
    if (!folder) parts.push_back(part);
  }
  std::string out;
  for (const std::string_view part : parts) {
    if (!out.empty() || rooted) out += '/';
    out += part;
  }
  if (folder && (out.empty() ? rooted : true)) out += '/';
  return out;
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    const std::string_view two = text.substr(std::min(i + 1, text.size()), 2);
    if (text[i] == '%' && two.size() == 2 &&
        std::from_chars(two.data(), two.data() + 2, value, 16).ptr == two.data() + 2) {
      out += static_cast<char>(value);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string pointer_name(std::string_view token) {
  std::string out;
  for (size_t i = 0; i < token.size(); ++i) {
    if (token[i] == '~' && i + 1 < token.size() && (token[i + 1] == '0' || token[i + 1] == '1'))
      out += token[++i] == '0' ? '~' : '/';
    else
      out += token[i];
  }
  return out;
}

std::optional<JsonNode> follow(const SchemaText& text, JsonNode at, std::string_view pointer) {
  while (!pointer.empty()) {
    pointer.remove_prefix(1);  // its slash
    const std::string_view token = pointer.substr(0, pointer.find('/'));
    pointer.remove_prefix(token.size());
    if (text.is(at, Kind::array)) {
      size_t index = 0;
      const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), index);
      if (error != std::errc() || end != token.data() + token.size() ||
          index >= text.children(at).size())
        return std::nullopt;
      at = text.children(at)[index];
      continue;
    }
    const auto next = text.find(at, pointer_name(token));
    if (!next) return std::nullopt;
    at = *next;
  }
  return at;
}

}  // namespace

std::string resolve_uri(std::string_view base, std::string_view reference) {
  if (reference.empty()) return std::string(base);
  if (scheme_length(reference) > 0) return std::string(reference);
  const size_t scheme = scheme_length(base);
  if (reference.substr(0, 2) == "//")
    return std::string(base.substr(0, scheme)) + std::string(reference);
  size_t path = scheme;
  if (base.substr(scheme, 2) == "//") path = std::min(base.find('/', scheme + 2), base.size());
  const std::string_view query = reference.substr(std::min(reference.find('?'), reference.size()));
  std::string_view target = reference.substr(0, reference.size() - query.size());
  std::string merged(target);
  if (target.substr(0, 1) != "/") {
    const std::string_view old = base.substr(path, base.find('?') - path);
    const size_t slash = old.rfind('/');
    merged = slash == std::string_view::npos ? std::string(path > scheme ? "/" : "")
                                             : std::string(old.substr(0, slash + 1));
    merged += target;
  }
  return std::string(base.substr(0, path)) + without_dots(merged) + std::string(query);
}

SchemaPlaces::SchemaPlaces(const SchemaText& text)
    : text_(text), schema_(text.size()), resource_(text.size(), SchemaText::kRoot) {
  if (const auto said = text.find(SchemaText::kRoot, "$schema");
      said && text.is(*said, Kind::string)) {
    const std::string_view name = text.text(*said);
    const auto has = [&](std::string_view part) {
      return name.find(part) != std::string_view::npos;
    };
    if (has("draft-03") || has("draft-04"))
      draft_ = SchemaDraft::draft4;
    else if (has("draft-06") || has("draft-07"))
      draft_ = SchemaDraft::draft7;
  }
  schema_[SchemaText::kRoot] = true;
  base_[SchemaText::kRoot] = "";
  resources_[""] = SchemaText::kRoot;
  for (JsonNode n = 0; n < text.size(); ++n) {
    resource_[n] = n == SchemaText::kRoot ? n : resource_[text.parent(n)];
    if (!schema_[n] || !text.is(n, Kind::object)) continue;
    identify(n);
    mark_children(n);
  }
}

void SchemaPlaces::mark_children(JsonNode n) {
  for (const JsonNode child : text_.children(n)) {
    const std::string_view name = text_.key(child);
    if (is_one_of(name, kHoldsSchema)) schema_[child] = true;
    const bool list = text_.is(child, Kind::array) && is_one_of(name, kHoldsList);
    const bool object = text_.is(child, Kind::object) && is_one_of(name, kHoldsObject);
    if (list || object)
      for (const JsonNode each : text_.children(child)) schema_[each] = true;
  }
}

void SchemaPlaces::identify(JsonNode n) {
  const bool old = draft_ != SchemaDraft::latest;
  const auto id = text_.find(n, draft_ == SchemaDraft::draft4 ? "id" : "$id");
  const bool ignored = old && n != SchemaText::kRoot && text_.find(n, "$ref");
  if (id && text_.is(*id, Kind::string) && !ignored) {
    const std::string_view whole = text_.text(*id);
    const std::string_view name = whole.substr(0, whole.find('#'));
    if (!name.empty()) {
      std::string uri = resolve_uri(base_[resource_[n]], name);
      resource_[n] = n;
      resources_.emplace(uri, n);
      base_[n] = std::move(uri);
    }
    if (old && name.size() + 1 < whole.size())
      anchors_.emplace(std::pair(resource_[n], std::string(whole.substr(name.size() + 1))), n);
  }
  for (const char* keyword : {"$anchor", "$dynamicAnchor"})
    if (const auto anchor = text_.find(n, keyword); anchor && text_.is(*anchor, Kind::string))
      anchors_.emplace(std::pair(resource_[n], std::string(text_.text(*anchor))), n);
}

std::optional<JsonNode> SchemaPlaces::resolve(JsonNode from, std::string_view reference) const {
  const size_t hash = std::min(reference.find('#'), reference.size());
  JsonNode at = resource_[from];
  if (hash > 0) {
    const auto found = resources_.find(resolve_uri(base_.at(at), reference.substr(0, hash)));
    if (found == resources_.end()) return std::nullopt;
    at = found->second;
  }
  const std::string fragment =
      percent_decoded(reference.substr(std::min(hash + 1, reference.size())));
  if (fragment.empty()) return at;
  if (fragment[0] == '/') return follow(text_, at, fragment);
  const auto anchor = anchors_.find({at, fragment});
  if (anchor == anchors_.end()) return std::nullopt;
  return anchor->second;
}

}  // namespace skein::constrain

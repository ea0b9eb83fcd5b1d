// Keywords that make a schema of others.
#include <algorithm>

#include "constrain/schema_read.h"

namespace skein::constrain {
namespace {

using Kind = SchemaText::Kind;

constexpr size_t kMostTriggers = 8;  // of dependencies in one schema

}  // namespace

// In the order in which they stand, which becomes the order of members.
std::vector<SchemaId> SchemaReader::combined() const {
  std::vector<SchemaId> out;
  for (const JsonNode member : text_.children(n_)) combine(member, out);
  return out;
}

void SchemaReader::combine(JsonNode member, std::vector<SchemaId>& out) const {
  const std::string_view name = text_.key(member);
  const bool dropped = set_.dropped(member);
  if (name == "oneOf") {
    const std::vector<SchemaId> parts = branches(member);
    out.push_back(dropped || parts.size() == 1 ? set_.some(parts) : set_.one(parts, member));
    return;
  }
  if (dropped) return;
  if (name == "$ref") {
    out.push_back(reference(member));
  } else if (name == "$dynamicRef" || name == "$recursiveRef") {
    unsupported(member, fmt::format("\"{}\" is not supported; write \"$ref\"", name));
  } else if (name == "allOf") {
    for (const SchemaId part : branches(member)) out.push_back(part);
  } else if (name == "anyOf") {
    out.push_back(set_.some(branches(member)));
  } else if (name == "not") {
    out.push_back(set_.negation(set_.node(member), member));
  } else if (name == "if") {
    out.push_back(condition(member));
  } else if (name == "dependencies" || name == "dependentRequired" || name == "dependentSchemas") {
    dependencies(member, out);
  }
}

std::vector<SchemaId> SchemaReader::branches(JsonNode list) const {
  std::vector<SchemaId> out;
  if (!text_.is(list, Kind::array) || text_.children(list).empty())
    invalid(list, fmt::format("\"{}\" must be a list of schemas", text_.key(list)));
  else
    for (const JsonNode each : text_.children(list)) out.push_back(set_.node(each));
  return out;
}

SchemaId SchemaReader::reference(JsonNode member) const {
  if (!text_.is(member, Kind::string)) {
    invalid(member, "a reference must be a string");
    return kNothing;
  }
  const std::string_view to = text_.text(member);
  if (const auto target = set_.places().resolve(n_, to)) return set_.node(*target);
  if (to.empty() || to[0] == '#')
    invalid(member, fmt::format("\"{}\" leads nowhere", escaped(to)));
  else
    unsupported(
        member,
        fmt::format(
            "\"{}\" stands in no schema here, and nothing is fetched; put it into \"$defs\"",
            escaped(to)));
  return kNothing;
}

SchemaId SchemaReader::condition(JsonNode test) const {
  const auto then = keyword("then");
  const auto otherwise = keyword("else");
  if (!then && !otherwise) return kAnything;
  const SchemaId met = set_.node(test);
  return set_.some(
      {set_.all({met, then ? set_.node(*then) : kAnything}),
       set_.all({set_.negation(met, test), otherwise ? set_.node(*otherwise) : kAnything})});
}

void SchemaReader::dependencies(JsonNode member, std::vector<SchemaId>& out) const {
  if (!text_.is(member, Kind::object))
    return invalid(member, fmt::format("\"{}\" must be an object", text_.key(member)));
  if (text_.children(member).size() > kMostTriggers)
    return unsupported(member, fmt::format("more than {} dependencies", kMostTriggers));
  const bool names_only = text_.key(member) == "dependentRequired";
  const bool schemas_only = text_.key(member) == "dependentSchemas";
  for (const JsonNode each : text_.children(member)) {
    SchemaId then = kNothing;
    if (text_.is(each, Kind::array) && !schemas_only) {
      if (!is_text_list(each)) continue;
      if (text_.children(each).empty()) continue;
      then = set_.has_list(each);
    } else if (text_.is(each, Kind::string) && !schemas_only && !names_only) {
      then = set_.has_name(each);  // draft 3
    } else if (names_only) {
      invalid(each, "this must be a list of names");
    } else {
      then = set_.node(each);
    }
    out.push_back(set_.some({set_.lacks_key(each), set_.all({set_.has_key(each), then})}));
  }
}

// What no neighbour has evaluated. Where there are alternatives, each counts its own neighbours
// only, which can be fewer than what holds of a value and so allows less.
void SchemaReader::unevaluated(Form& form) const {
  bool partial = false;
  for (const char* neighbour :
       {"$ref", "allOf", "anyOf", "oneOf", "if", "dependencies", "dependentSchemas"})
    partial = partial || keyword(neighbour);
  if (const auto members = keyword("unevaluatedProperties")) {
    const SchemaId value = set_.node(*members);
    for (ObjectForm& object : form.objects) {
      for (MemberForm& member : object.members)
        if (!member.evaluated) {
          member.value = set_.all({member.value, value});
          member.evaluated = true;
        }
      for (RegionForm& region : object.regions)
        if (!region.evaluated)
          region = {region.names, set_.all({region.value, value}), RegionForm::Said::allowed, true};
      std::erase_if(object.regions,
                    [](const RegionForm& region) { return region.value == kNothing; });
      object.partial = object.partial || partial;
    }
    std::erase_if(form.objects, [&](ObjectForm& object) { return !set_.settle(object); });
  }
  if (const auto items = keyword("unevaluatedItems")) {
    const SchemaId value = set_.node(*items);
    for (ArrayForm& array : form.arrays) {
      for (size_t i = array.evaluated; i < array.first.size(); ++i)
        array.first[i] = set_.all({array.first[i], value});
      if (array.evaluated != kNoMost) {
        while (array.first.size() < array.evaluated) array.first.push_back(array.rest);
        array.rest = set_.all({array.rest, value});
      }
      array.evaluated = kNoMost;
      // Items that `contains` finds are evaluated too, but which those are is not known here.
      array.partial = array.partial || partial || !array.counts.empty();
    }
    std::erase_if(form.arrays, [&](ArrayForm& array) { return !set_.settle(array); });
  }
}

}  // namespace skein::constrain

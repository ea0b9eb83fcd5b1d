// Keywords about strings, arrays and objects.
#include <algorithm>

#include "constrain/formats.h"
#include "constrain/regex.h"
#include "constrain/schema_read.h"

namespace skein::constrain {
namespace {

using Kind = SchemaText::Kind;

constexpr size_t kMostRegions = 64;  // that patterns may cut the names into

}  // namespace

void SchemaReader::strings(Form& form) const {
  const auto min = count("minLength");
  const auto max = count("maxLength");
  const auto pattern = keyword("pattern", Kind::string);
  const auto format = keyword("format", Kind::string);
  if (format) NumberReader(set_).format(text_.text(*format), form);
  if (form.strings.all == Term::none) return;
  StringTerms& strings = set_.strings();
  const auto keep = [&](const TextForm& texts) {
    form.strings = set_.meet_strings(form.strings, texts);
  };
  if (min.value_or(0) > 0 || max) {
    const Term term = strings.length(min.value_or(0), max.value_or(kNoMost));
    keep({term, term});
  }
  if (pattern) {
    if (const auto term = set_.pattern(text_.text(*pattern), *pattern)) keep({*term, *term});
  }
  if (!format) return;
  if (const auto texts = set_.format(text_.text(*format)))
    keep(*texts);
  else if (is_number_format(text_.text(*format)))
    return;
  else if (set_.options().strict)
    unsupported(*format,
                fmt::format("the format \"{}\" is not known", escaped(text_.text(*format))));
  else
    set_.report().warn(*format, fmt::format("the format \"{}\" is not known and was ignored",
                                            escaped(text_.text(*format))));
}

void SchemaReader::arrays(Form& form) const {
  const auto min = count("minItems");
  const auto max = count("maxItems");
  const auto unique = keyword("uniqueItems", Kind::boolean);
  const auto prefix = keyword("prefixItems", Kind::array);
  const auto items = keyword("items");
  ArrayForm array;
  array.min = min.value_or(0);
  array.max = max.value_or(kNoMost);
  if (unique && text_.truth(*unique)) {
    array.unique = true;
    array.unique_from = *unique;
  }
  // Before 2020 `items` could be the list, and then `additionalItems` was what `items` is now.
  const bool old = items && text_.is(*items, Kind::array);
  const auto list = old ? items : prefix;
  const auto rest = old ? keyword("additionalItems") : items;
  if (list)
    for (const JsonNode each : text_.children(*list)) array.first.push_back(set_.node(each));
  if (rest) array.rest = set_.node(*rest);
  array.evaluated = rest ? kNoMost : array.first.size();
  counts(array);
  static const ArrayForm kAny;
  if (array == kAny || form.arrays.empty()) return;
  Form own = set_.anything();
  own.arrays.clear();
  if (set_.settle(array)) own.arrays.push_back(std::move(array));
  form = set_.meet(std::move(form), own);
}

void SchemaReader::counts(ArrayForm& array) const {
  const auto contains = keyword("contains");
  const auto least = count("minContains");
  const auto most = count("maxContains");
  if (!contains) return;
  CountForm count{set_.node(*contains), least.value_or(1), most.value_or(kNoMost), *contains};
  if (count.min == 0 && count.max == kNoMost) return;
  if (count.items != kAnything) {
    array.counts.push_back(count);
    return;
  }
  array.min = std::max(array.min, count.min);
  array.max = std::min(array.max, count.max);
}

// The names, cut into what one pattern or several of them find.
std::vector<RegionForm> SchemaReader::pattern_regions() const {
  std::vector<RegionForm> regions{{set_.strings().all()}};
  const auto patterns = keyword("patternProperties", Kind::object);
  if (!patterns) return regions;
  for (const JsonNode member : text_.children(*patterns)) {
    const auto pattern = set_.pattern(text_.key(member), member);
    if (!pattern) continue;
    const SchemaId value = set_.node(member);
    std::vector<RegionForm> cut;
    for (const RegionForm& region : regions) {
      const bool rest = region.said == RegionForm::Said::nothing;
      const Term inside = set_.strings_of_both(region.names, *pattern);
      if (set_.none(inside)) {
        cut.push_back(region);
        continue;
      }
      cut.push_back({inside, set_.all({region.value, value}), RegionForm::Said::allowed, true});
      const Term outside = set_.terms().without(region.names, *pattern);
      if (rest || !set_.none(outside))
        cut.push_back({outside, region.value, region.said, region.evaluated});
    }
    regions = std::move(cut);
    if (regions.size() <= kMostRegions) continue;
    set_.report().problem("constraint_too_large", *patterns,
                          "too many patterns match the same names");
    break;
  }
  return regions;
}

void SchemaReader::objects(Form& form) const {
  const auto properties = keyword("properties", Kind::object);
  const auto required = keyword("required");
  const auto additional = keyword("additionalProperties");
  const auto names = keyword("propertyNames");
  const auto min = count("minProperties");
  const auto max = count("maxProperties");
  if (form.objects.empty()) return;
  ObjectForm object;
  object.regions = pattern_regions();
  // The value of a name that no property lists; what `additionalProperties` says is not for those.
  const auto by_pattern = [&](std::string_view name) {
    for (const RegionForm& region : object.regions)
      if (region.said != RegionForm::Said::nothing &&
          set_.terms().matches(region.names, StringTerms::spelled(name)))
        return region.value;
    return kAnything;
  };
  const bool patterns = object.regions.size() > 1;
  if (properties)
    for (const JsonNode member : text_.children(*properties)) {
      const std::string_view name = text_.key(member);
      const SchemaId value = set_.node(member);
      // Draft 3 said it at the property.
      const auto flag = text_.find(member, "required");
      object.members.push_back({name, patterns ? set_.all({value, by_pattern(name)}) : value,
                                flag && text_.is(*flag, Kind::boolean) && text_.truth(*flag),
                                true});
    }
  for (RegionForm& region : object.regions) {
    if (region.said != RegionForm::Said::nothing) continue;
    if (additional)
      region = {region.names, set_.node(*additional), RegionForm::Said::allowed, true};
    else if (properties && !set_.options().open_objects && !keyword("unevaluatedProperties"))
      region.said = RegionForm::Said::absent;
  }
  std::erase_if(object.regions, [](const RegionForm& region) { return region.value == kNothing; });
  object.min = min.value_or(0);
  object.max = max.value_or(kNoMost);

  Form own = set_.anything();
  own.objects.clear();
  if (set_.settle(object)) own.objects.push_back(std::move(object));
  form = set_.meet(std::move(form), own);
  if (required && !text_.is(*required, Kind::boolean) && is_text_list(*required))
    form = set_.meet(std::move(form), set_.form(set_.has_list(*required)));
  if (names) form = set_.meet(std::move(form), names_of(*names));
}

// Objects whose names are strings that this allows.
Form SchemaReader::names_of(JsonNode names) const {
  const TextForm texts = set_.form(set_.node(names)).strings;
  Form out = set_.anything();
  ObjectForm object;
  if (texts.written != Term::none) object.regions.push_back({texts.written});
  object.partial = texts.written != texts.all;
  out.objects = {object};
  return out;
}

}  // namespace skein::constrain

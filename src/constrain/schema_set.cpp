#include "constrain/schema_set.h"

#include <algorithm>

#include "constrain/formats.h"
#include "constrain/regex.h"
#include "constrain/schema_ahead.h"
#include "constrain/schema_read.h"

namespace skein::constrain {
namespace {

using JsonKind = SchemaText::Kind;

// Digits that numbers may have: as many as any integer of 64 bits can have, and more than the
// numbers that the schema names.
constexpr uint32_t kWholeDigits = 18;
constexpr uint32_t kFractionDigits = 16;

constexpr size_t kMostPatternBytes = 4096;
constexpr size_t kMostAhead =
    40;  // schemas within each other, until what is within is not looked at

struct Digits {
  uint32_t whole = kWholeDigits;
  uint32_t fraction = kFractionDigits;
};

Digits digits_of(const SchemaText& text) {
  Digits out;
  for (JsonNode n = 0; n < text.size(); ++n) {
    if (!text.is(n, JsonKind::number)) continue;
    const Decimal value = Decimal::of(text.text(n));
    const auto size = static_cast<int64_t>(value.digits.size());
    const int64_t whole = std::clamp<int64_t>(value.point, 0, NumberReader::kMostDigits);
    const int64_t fraction = std::clamp<int64_t>(size - value.point, 0, NumberReader::kMostDigits);
    out.whole = std::max(out.whole, static_cast<uint32_t>(whole) + 1);
    if (fraction > 0)
      out.fraction = std::max(out.fraction, static_cast<uint32_t>(whole + fraction) + 2);
  }
  return out;
}

}  // namespace

const MemberForm* ObjectForm::find(std::string_view name) const {
  const auto found = std::find_if(members.begin(), members.end(),
                                  [&](const MemberForm& member) { return member.name == name; });
  return found == members.end() ? nullptr : &*found;
}

SchemaSet::SchemaSet(Grammar& grammar, const SchemaText& text, const SchemaOptions& options,
                     SchemaReport& report, const std::set<JsonNode>& dropped)
    : grammar_(grammar),
      text_(text),
      options_(options),
      report_(report),
      dropped_(dropped),
      places_(text),
      numbers_(grammar.terms, digits_of(text).whole, digits_of(text).fraction),
      strings_(grammar.terms, options.unicode_escapes) {
  intern(Kind::anything, 0);
  intern(Kind::nothing, 0);
}

SchemaId SchemaSet::intern(Kind kind, JsonNode from, std::vector<SchemaId> parts) {
  std::vector<uint32_t> key{static_cast<uint32_t>(kind), from};
  key.insert(key.end(), parts.begin(), parts.end());
  const auto [known, added] =
      known_.emplace(std::move(key), static_cast<SchemaId>(schemas_.size()));
  if (!added) return known->second;
  if (schemas_.size() >= kMostSchemas) {
    known_.erase(known);
    report_.problem("constraint_too_large", from,
                    "too many schemas come of combining keywords here");
    return kNothing;
  }
  schemas_.push_back({kind, from, std::move(parts), nullptr, false});
  return static_cast<SchemaId>(schemas_.size() - 1);
}

SchemaId SchemaSet::node(JsonNode n) {
  if (text_.is(n, JsonKind::boolean)) return text_.truth(n) ? kAnything : kNothing;
  if (text_.is(n, JsonKind::object) && text_.children(n).empty()) return kAnything;
  return intern(Kind::node, n);
}

SchemaId SchemaSet::all(const std::vector<SchemaId>& parts) {
  std::vector<SchemaId> flat;
  const auto put = [&](SchemaId id) {
    if (id != kAnything && std::find(flat.begin(), flat.end(), id) == flat.end())
      flat.push_back(id);
  };
  for (const SchemaId part : parts) {
    if (schemas_[part].kind == Kind::all)
      for (const SchemaId each : schemas_[part].parts) put(each);
    else
      put(part);
  }
  for (const SchemaId id : flat) {
    const Schema& schema = schemas_[id];
    const bool contradicts = schema.kind == Kind::negation &&
                             std::find(flat.begin(), flat.end(), schema.parts[0]) != flat.end();
    if (id == kNothing || contradicts) return kNothing;
  }
  if (flat.empty()) return kAnything;
  return flat.size() == 1 ? flat[0] : intern(Kind::all, 0, std::move(flat));
}

SchemaId SchemaSet::some(const std::vector<SchemaId>& parts) {
  std::vector<SchemaId> flat;
  for (const SchemaId part : parts) {
    if (part == kAnything) return kAnything;
    if (part != kNothing && std::find(flat.begin(), flat.end(), part) == flat.end())
      flat.push_back(part);
  }
  if (flat.empty()) return kNothing;
  return flat.size() == 1 ? flat[0] : intern(Kind::some, 0, std::move(flat));
}

SchemaId SchemaSet::one(const std::vector<SchemaId>& parts, JsonNode from) {
  return intern(Kind::one, from, parts);
}

SchemaId SchemaSet::negation(SchemaId part, JsonNode from) {
  if (part == kAnything) return kNothing;
  if (part == kNothing) return kAnything;
  if (schemas_[part].kind == Kind::negation) return schemas_[part].parts[0];
  return intern(Kind::negation, from, {part});
}

SchemaId SchemaSet::constant(JsonNode value) { return intern(Kind::constant, value); }
SchemaId SchemaSet::has_key(JsonNode member) { return intern(Kind::has_key, member); }
SchemaId SchemaSet::lacks_key(JsonNode member) { return intern(Kind::lacks_key, member); }
SchemaId SchemaSet::has_list(JsonNode names) { return intern(Kind::has_list, names); }
SchemaId SchemaSet::has_name(JsonNode name) { return intern(Kind::has_name, name); }

JsonNode SchemaSet::place(SchemaId id) const {
  for (;;) {
    const Schema& schema = schemas_[id];
    if (schema.kind != Kind::all && schema.kind != Kind::some) return schema.from;
    id = schema.parts[0];
  }
}

const Form& SchemaSet::form(SchemaId id) {
  static const Form kEmpty;
  if (schemas_[id].form) return *schemas_[id].form;
  if (schemas_[id].busy && ahead_ > 0) {
    unknown_ = true;
    return kEmpty;
  }
  if (schemas_[id].busy) {
    report_.problem("invalid_schema", place(id),
                    "this schema refers to itself as a whole, so that it says nothing");
    return kEmpty;
  }
  if (depth_ >= kMostHops) {
    report_.problem("constraint_too_large", place(id),
                    fmt::format("more than {} references and combinations in a row", kMostHops));
    return kEmpty;
  }
  schemas_[id].busy = true;
  ++depth_;
  ++work_;
  const JsonNode outer = std::exchange(reading_, place(id));
  auto made = std::make_unique<Form>(make(id));
  reading_ = outer;
  --depth_;
  schemas_[id].busy = false;
  if (unknown_ && ahead_ > 0) {
    passing_.push_back(std::move(made));
    return *passing_.back();
  }
  schemas_[id].form = std::move(made);
  return *schemas_[id].form;
}

Form SchemaSet::make(SchemaId id) {
  const Kind kind = schemas_[id].kind;
  const JsonNode from = schemas_[id].from;
  const std::vector<SchemaId> parts = schemas_[id].parts;
  switch (kind) {
    case Kind::anything: return anything();
    case Kind::nothing: return nothing();
    case Kind::node: return SchemaReader(*this).read(from);
    case Kind::all: {
      Form out = form(parts[0]);
      for (size_t i = 1; i < parts.size(); ++i) out = meet(std::move(out), form(parts[i]));
      return out;
    }
    case Kind::some: {
      Form out;
      for (const SchemaId part : parts) unite(out, form(part));
      return out;
    }
    case Kind::one: return make_one(parts, from);
    case Kind::negation: {
      auto out = complement(form(parts[0]), from);
      if (out) return std::move(*out);
      report_.problem(
          "unsupported_keyword", from,
          "what this excludes cannot be told exactly; leave it out, or list what is allowed");
      return {};
    }
    case Kind::constant: return constant_form(from);
    case Kind::has_key: return names_form({text_.key(from)}, false);
    case Kind::lacks_key: {
      Form out = anything();
      out.objects = names_form({text_.key(from)}, true).objects;
      return out;
    }
    case Kind::has_name: {
      Form out = anything();
      out.objects = names_form({text_.text(from)}, false).objects;
      return out;
    }
    case Kind::has_list: {
      std::vector<std::string_view> names;
      for (const JsonNode each : text_.children(from)) names.push_back(text_.text(each));
      Form out = anything();
      out.objects = names_form(names, false).objects;
      return out;
    }
  }
  return {};
}

// Each branch without what the branches have that it may share values with.
Form SchemaSet::make_one(const std::vector<SchemaId>& parts, JsonNode from) {
  Form out;
  for (size_t i = 0; i < parts.size(); ++i) {
    std::vector<SchemaId> only{parts[i]};
    for (size_t j = 0; j < parts.size(); ++j)
      if (j != i && !disjoint(parts[i], parts[j])) only.push_back(negation(parts[j], from));
    const SchemaId id = std::count(parts.begin(), parts.end(), parts[i]) > 1 ? kNothing : all(only);
    if (impossible(id) && !impossible(parts[i]))
      report_.problem("unsupported_keyword", from,
                      fmt::format("branch {} allows nothing that no other branch allows, so it can "
                                  "never be the one; write anyOf, or make the branches exclusive",
                                  i));
    unite(out, form(id));
    if (too_many(std::max(out.arrays.size(), out.objects.size()))) return out;
  }
  return out;
}

bool SchemaSet::impossible(SchemaId id) {
  if (id == kNothing) return true;
  if (id == kAnything || depth_ > kMostAhead || looked_at_.count(id) != 0) return false;
  Ahead ahead(*this);
  const Form& form = this->form(id);
  const bool out = !unknown_ && !form.null && !form.no && !form.yes && form.arrays.empty() &&
                   form.objects.empty() && none(form.numbers.texts.all) && none(form.strings.all);
  // Looked at once: what is unknown now would be looked at again and again.
  if (!out) looked_at_.insert(id);
  return out;
}

std::optional<TextForm> SchemaSet::format(std::string_view name) {
  const auto [known, added] = formats_.emplace(name, std::nullopt);
  if (added) known->second = format_texts(grammar_, name, strings_);
  return known->second;
}

std::optional<Term> SchemaSet::pattern(std::string_view regex, JsonNode from) {
  if (const auto known = patterns_.find(regex); known != patterns_.end()) return known->second;
  RegexOptions options;
  options.search = true;
  options.spelling = strings_.spelling();
  options.most_bytes = kMostPatternBytes;
  const auto term = add_regex(grammar_, regex, RegexDialect::ecma, options);
  if (term) return patterns_[regex] = *term;
  const Problem& first = term.error().front();
  report_.problem(first.code == "constraint_too_large" ? "constraint_too_large" : "invalid_regex",
                  from, fmt::format("{} (at {} of the pattern)", first.message, first.where));
  return std::nullopt;
}

bool SchemaSet::none(Term regular) {
  if (regular == Term::none) return true;
  if (!terms().fragile(regular) || listed_.count(regular) != 0) return false;
  const size_t before = terms().size();
  const bool out = terms().is_none(regular, kMostSteps).value_or(false);
  work_ += 1 + (terms().size() - before) / 4;
  return out;
}

Form SchemaSet::anything() const {
  Form out;
  out.null = out.no = out.yes = true;
  out.numbers.texts = {numbers_.all(), numbers_.all()};
  out.strings = {strings_.all(), strings_.all()};
  out.arrays.emplace_back();
  out.objects.emplace_back().regions.push_back({strings_.all()});
  return out;
}

Form SchemaSet::constant_form(JsonNode value) {
  Form out;
  switch (text_.kind(value)) {
    case JsonKind::null: out.null = true; break;
    case JsonKind::boolean: (text_.truth(value) ? out.yes : out.no) = true; break;
    case JsonKind::number: out.numbers = NumberReader(*this).any_of({value}); break;
    case JsonKind::string: {
      const Term term = listed({text_.text(value)});
      out.strings = {term, term};
      break;
    }
    case JsonKind::array: {
      ArrayForm& array = out.arrays.emplace_back();
      for (const JsonNode each : text_.children(value)) array.first.push_back(constant(each));
      array.rest = kNothing;
      array.min = array.max = array.first.size();
      break;
    }
    case JsonKind::object: {
      ObjectForm& object = out.objects.emplace_back();
      for (const JsonNode each : text_.children(value))
        object.members.push_back({text_.key(each), constant(each), true, false});
      break;
    }
  }
  return out;
}

Form SchemaSet::names_form(const std::vector<std::string_view>& names, bool lacking) {
  Form out;
  ObjectForm& object = out.objects.emplace_back();
  for (const std::string_view name : names)
    if (!object.find(name))
      object.members.push_back({name, lacking ? kNothing : kAnything, !lacking});
  object.regions.push_back({strings_.all()});
  return out;
}

}  // namespace skein::constrain

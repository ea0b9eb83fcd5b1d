// Keywords about numbers.
#include <limits>

#include "constrain/schema_read.h"

namespace skein::constrain {
namespace {

using Kind = SchemaText::Kind;

}  // namespace

bool NumberReader::too_long(const Decimal& value) const {
  return value.point > kMostDigits ||
         static_cast<int64_t>(value.digits.size()) - value.point > kMostDigits;
}

std::optional<Decimal> NumberReader::bound(JsonNode n, std::string_view name) {
  const SchemaText& text = set_.text();
  const auto at = text.find(n, name);
  if (!at || set_.dropped(*at)) return std::nullopt;
  if (!text.is(*at, Kind::number)) {
    set_.report().problem("invalid_schema", *at, fmt::format("\"{}\" must be a number", name));
    return std::nullopt;
  }
  Decimal out = Decimal::of(text.text(*at));
  if (!too_long(out)) return out;
  set_.report().problem("constraint_too_large", *at,
                        fmt::format("this number has more than {} digits", kMostDigits));
  return std::nullopt;
}

void NumberReader::keep(Form& form, Term term) {
  TextForm& texts = form.numbers.texts;
  texts = {set_.terms().both(texts.all, term), set_.terms().both(texts.written, term)};
}

void NumberReader::bounds(JsonNode n, Form& form) {
  NumberTerms& numbers = set_.numbers();
  const SchemaText& text = set_.text();
  // Until draft 4 the exclusive bounds were flags.
  const auto flag = [&](std::string_view name) {
    const auto at = text.find(n, name);
    return at && text.is(*at, Kind::boolean) && text.truth(*at);
  };
  const auto is_flag = [&](std::string_view name) {
    const auto at = text.find(n, name);
    return at && text.is(*at, Kind::boolean);
  };
  const auto low = [&](std::string_view name, bool strictly) {
    if (const auto value = bound(n, name)) {
      keep(form, numbers.at_least(*value, strictly));
      form.numbers.bounded = true;
    }
  };
  const auto high = [&](std::string_view name, bool strictly) {
    if (const auto value = bound(n, name)) {
      keep(form, numbers.at_most(*value, strictly));
      form.numbers.bounded = true;
    }
  };
  low("minimum", flag("exclusiveMinimum"));
  high("maximum", flag("exclusiveMaximum"));
  if (!is_flag("exclusiveMinimum")) low("exclusiveMinimum", true);
  if (!is_flag("exclusiveMaximum")) high("exclusiveMaximum", true);

  const auto multiple = bound(n, "multipleOf");
  if (!multiple) return;
  const JsonNode at = *text.find(n, "multipleOf");
  if (multiple->negative || multiple->zero()) {
    set_.report().problem("invalid_schema", at, "\"multipleOf\" must be above 0");
    return;
  }
  const Term term = numbers.multiples(*multiple);
  if (term == Term::none)
    set_.report().problem(
        "unsupported_keyword", at,
        fmt::format("\"multipleOf\" may be up to {}, and more only with zeros at its end",
                    NumberTerms::kMostRemainders));
  else
    keep(form, term);
  form.numbers.bounded = true;
}

void NumberReader::format(std::string_view name, Form& form) {
  const auto range = [&](std::string_view low, std::string_view high) {
    const Term term = set_.terms().both(set_.numbers().at_least(Decimal::of(low), false),
                                        set_.numbers().at_most(Decimal::of(high), false));
    form.numbers.texts.written = set_.terms().both(form.numbers.texts.written, term);
    form.numbers.covers = false;
    form.numbers.bounded = true;
  };
  if (form.numbers.texts.all == Term::none) return;
  if (name == "int32") range("-2147483648", "2147483647");
  if (name == "int64") range("-9223372036854775808", "9223372036854775807");
  if (name == "uint32") range("0", "4294967295");
  if (name == "uint64") range("0", "18446744073709551615");
}

NumberForm NumberReader::any_of(const std::vector<JsonNode>& values) {
  std::vector<Decimal> decimals;
  for (const JsonNode value : values) {
    decimals.push_back(Decimal::of(set_.text().text(value)));
    if (!too_long(decimals.back())) continue;
    decimals.pop_back();
    set_.report().problem("constraint_too_large", value,
                          fmt::format("this number has more than {} digits", kMostDigits));
  }
  NumberTerms& numbers = set_.numbers();
  return {
      {set_.terms().both(numbers.any_of(decimals), numbers.all()), numbers.any_of_plain(decimals)}};
}

}  // namespace skein::constrain

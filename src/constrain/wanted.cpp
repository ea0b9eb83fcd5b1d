#include "constrain/wanted.h"

#include <algorithm>
#include <utility>

#include "base/json.h"
#include "constrain/choices.h"
#include "constrain/kbnf.h"
#include "constrain/regex.h"

namespace skein::constrain {
namespace {

constexpr std::string_view kAnyObject = R"({"type":"object"})";

// All that changes what the text means.
std::string options_of(const Wanted& wanted) {
  JsonWriter json;
  json.begin_array();
  for (const std::string& choice : wanted.choices) json.value(choice);
  json.value(static_cast<int64_t>(wanted.schema.blanks)).value(wanted.schema.unicode_escapes);
  json.value(wanted.schema.open_objects).value(wanted.schema.strict);
  json.begin_array();
  for (const std::string& keyword : wanted.schema.relax) json.value(keyword);
  json.end_array();
  json.value(wanted.beginning.opening).value(wanted.beginning.may_think);
  json.value(wanted.beginning.blank).value(wanted.beginning.lines);
  if (wanted.calls) {
    const Calls& calls = *wanted.calls;
    json.value(calls.form->trigger).value(static_cast<int64_t>(calls.calling));
    json.value(calls.parallel);
    for (const text::Tool& tool : calls.tools) {
      json.value(tool.name);
      tool.parameters ? json.value(tool.parameters) : json.null();
    }
  }
  return json.end_array().text();
}

GrammarOptions grammar_options(const Wanted& wanted, const Words& words) {
  GrammarOptions out;
  out.token_named = [&words](std::string_view name) -> std::optional<int32_t> {
    const int32_t id = words.tokenizer().special_id(name);
    return id < 0 ? std::nullopt : std::optional(id);
  };
  out.schema = wanted.schema;
  return out;
}

Checked<Term> add_language(Grammar& grammar, const Wanted& wanted, const Words& words,
                           SchemaNotes* notes) {
  switch (wanted.language) {
    case Language::any_text: return grammar.terms.any_bytes();
    case Language::any_object: return add_schema(grammar, kAnyObject, wanted.schema, notes);
    case Language::schema: return add_schema(grammar, wanted.text, wanted.schema, notes);
    case Language::regex: return add_regex(grammar, wanted.text, RegexDialect::re2);
    case Language::choices: return add_choices(grammar, wanted.choices);
    case Language::grammar:
      return add_grammar(grammar, wanted.text, grammar_options(wanted, words));
    case Language::kbnf: return add_kbnf(grammar, wanted.text, grammar_options(wanted, words));
  }
  return Term::none;
}

Checked<Term> add_answer(Grammar& grammar, const Wanted& wanted, const Words& words,
                         SchemaNotes* notes) {
  if (!wanted.calls) return add_language(grammar, wanted, words, notes);
  Calls calls = *wanted.calls;
  const bool either = calls.calling == Calling::optional && wanted.language != Language::any_text;
  if (either) calls.calling = Calling::required;
  auto called = add_calls(grammar, calls, notes);
  if (!called || !either) return called;
  auto answered = add_language(grammar, wanted, words, notes);
  if (!answered) return answered;
  return grammar.terms.either(*answered, *called);
}

}  // namespace

bool Wanted::has_own_blanks() const {
  constexpr std::string_view kBlanks = " \t\r\n";
  switch (language) {
    case Language::any_text:
    case Language::any_object:
    case Language::schema: return false;
    case Language::choices:
      return std::any_of(choices.begin(), choices.end(), [&](const std::string& one) {
        return one.empty() || one.front() == '<' || kBlanks.find(one.front()) != one.npos ||
               kBlanks.find(one.back()) != one.npos;
      });
    case Language::regex:
    case Language::grammar:
    case Language::kbnf: break;
  }
  return true;
}

Digest key_of(const Wanted& wanted, const Words& words) {
  return Compiled::key(std::to_string(static_cast<int>(wanted.language)), wanted.text,
                       options_of(wanted), words);
}

Checked<Made> made_for(const Wanted& wanted, const std::shared_ptr<const Words>& words) {
  return Compiled::shared().get(key_of(wanted, *words), [&]() -> Checked<Made> {
    Grammar grammar;
    Made out;
    auto answer = add_answer(grammar, wanted, *words, &out.notes);
    if (!answer) return tl::unexpected(std::move(answer).error());
    grammar.root = after(grammar, wanted.beginning, *answer);
    auto made = Constraint::make(std::move(grammar), words);
    if (!made) return tl::unexpected(std::move(made).error());
    out.constraint = std::move(*made);
    return out;
  });
}

Checked<ConstraintPtr> constraint_of(const Wanted& wanted,
                                     const std::shared_ptr<const Words>& words,
                                     SchemaNotes* notes) {
  auto made = made_for(wanted, words);
  if (!made) return tl::unexpected(std::move(made).error());
  if (notes) *notes = std::move(made->notes);
  return std::move(made->constraint);
}

std::string sentence(const Problems& problems) {
  std::string out;
  for (const Problem& problem : problems) {
    if (!out.empty()) out += "; ";
    if (!problem.where.empty()) out += problem.where + ": ";
    out += problem.message;
  }
  return out;
}

}  // namespace skein::constrain

#include "constrain/answer.h"

#include <utility>
#include <vector>

namespace skein::constrain {
namespace {

constexpr std::string_view kThought = "<think";
constexpr std::string_view kThoughtEnd = "</think>";

// Any text up to the first place where `end` is complete.
Term up_to(Terms& terms, std::string_view end) {
  const Term ends = terms.sequence(terms.any_bytes(), terms.literal(end));
  const Term goes_on = terms.sequence(ends, terms.repeat(terms.any_byte(), 1, kUnbounded));
  return terms.without(ends, goes_on);
}

// Of one that begins with `has`. One that has begun to close is closed: who opened it wants none.
Term rest_of_thought(Terms& terms, std::string_view has) {
  for (size_t begun = kThoughtEnd.size() - 1; begun > 1; --begun)
    if (has.ends_with(kThoughtEnd.substr(0, begun)))
      return terms.literal(kThoughtEnd.substr(begun));
  Term thought = up_to(terms, kThoughtEnd);
  for (const char c : has) thought = terms.next(thought, static_cast<uint8_t>(c));
  return thought;
}

Term text_without(Terms& terms, std::string_view words) {
  const Term parts[] = {terms.any_bytes(), terms.literal(words), terms.any_bytes()};
  return terms.except(terms.sequence(parts));
}

Term add_one_call(Terms& terms, const Calls& calls, std::span<const Term> arguments) {
  std::vector<Term> choices;
  for (size_t i = 0; i < calls.tools.size(); ++i) {
    JsonWriter name;
    name.value(calls.tools[i].name);
    const Term parts[] = {terms.literal(name.text()), terms.literal(calls.form->before_arguments),
                          arguments[i]};
    choices.push_back(terms.sequence(parts));
  }
  const Term parts[] = {terms.literal(calls.form->before_name), terms.either(choices),
                        terms.literal(calls.form->end)};
  return terms.sequence(parts);
}

}  // namespace

Term after(Grammar& grammar, const Beginning& beginning, Term answer) {
  Terms& terms = grammar.terms;
  if (beginning.blank) answer = terms.sequence(terms.optional(terms.literal(" ")), answer);
  const size_t open = beginning.opening.rfind(kThought);
  if (open == std::string_view::npos && !beginning.may_think) return answer;
  const std::string_view opening = beginning.opening;
  const std::string_view has = open == std::string_view::npos ? kThought : opening.substr(open);
  const Term thought = rest_of_thought(terms, has);
  const Term lines = beginning.lines ? terms.repeat(terms.literal("\n"), 0, 2) : Term::empty;
  // Nothing is left of one that the opening has closed.
  if (thought == Term::none) return answer;
  const Term parts[] = {thought, lines, answer};
  const Term thinking = terms.sequence(parts);
  if (open != std::string_view::npos) return thinking;
  return terms.either(answer, terms.sequence(terms.literal(kThought), thinking));
}

Checked<Term> add_calls(Grammar& grammar, const Calls& calls, SchemaNotes* notes) {
  Terms& terms = grammar.terms;
  const text::CallForm& form = *calls.form;
  if (calls.calling == Calling::none) return text_without(terms, form.trigger);
  Problems problems;
  std::vector<Term> arguments;
  for (size_t i = 0; i < calls.tools.size() && problems.size() < kMostProblems; ++i) {
    const Json& parameters = calls.tools[i].parameters;
    JsonWriter schema;
    if (parameters)
      schema.value(parameters);
    else
      schema.begin_object()
          .member("type", "object")
          .key("properties")
          .begin_object()
          .end_object()
          .member("additionalProperties", false)
          .end_object();
    auto added = add_schema(grammar, schema.text(), calls.schema, notes);
    if (added) {
      // Only the rules of functions that are called are ever walked.
      const uint32_t rule = grammar.add_rule();
      grammar.rules[rule] = *added;
      arguments.push_back(terms.call(rule));
      continue;
    }
    for (Problem& problem : added.error()) {
      if (problems.size() == kMostProblems) break;
      problem.where = fmt::format("tools[{}].parameters{}", i, problem.where);
      problems.push_back(std::move(problem));
    }
  }
  if (!problems.empty()) return tl::unexpected(std::move(problems));
  // From behind the trigger on.
  const Term call = add_one_call(terms, calls, arguments);
  const Term more_parts[] = {terms.literal(form.between), terms.literal(form.trigger), call};
  const uint32_t most = calls.parallel ? kMostCalls - 1 : 0;
  const Term first = terms.sequence(call, terms.repeat(terms.sequence(more_parts), 0, most));
  if (calls.calling == Calling::required) return terms.sequence(terms.literal(form.trigger), first);
  return terms.either(text_without(terms, form.trigger),
                      terms.sequence(up_to(terms, form.trigger), first));
}

}  // namespace skein::constrain

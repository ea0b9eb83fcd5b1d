#include "constrain/schema_write.h"

#include <algorithm>

namespace skein::constrain {
namespace {

// Deeper ones become rules, however small, so that this does not recurse with the schema.
constexpr size_t kMostDepth = 24;
constexpr size_t kMostInline = 256;
constexpr size_t kAlike = 4;           // shapes of one object, beyond which their members are rules
constexpr size_t kMostProof = 50'000;  // derivatives until strings are too much to combine

// Whether its members are all there.
bool fixed(const ObjectForm& object) {
  return object.regions.empty() &&
         std::all_of(object.members.begin(), object.members.end(),
                     [](const MemberForm& member) { return member.required; });
}

Term blanks(Terms& terms, JsonBlanks blanks) {
  if (blanks == JsonBlanks::compact) return Term::empty;
  const auto of = [&](std::string_view characters) {
    ByteSet set;
    for (const char c : characters) set.set(static_cast<unsigned char>(c));
    return terms.bytes(set);
  };
  if (blanks == JsonBlanks::any) return terms.repeat(of(" \t\r\n"), 0, 8);
  const Term indent = terms.repeat(of(" \t"), 0, 20);
  return terms.optional(
      terms.either(terms.literal(" "), terms.sequence(terms.literal("\n"), indent)));
}

}  // namespace

SchemaWriter::SchemaWriter(SchemaSet& set)
    : set_(set), terms_(set.terms()), blank_(blanks(terms_, set.options().blanks)) {
  quote_ = text("\"");
  comma_ = sequence({blank_, text(","), blank_});
  colon_ = sequence({blank_, text(":"), blank_});
}

Term SchemaWriter::write(SchemaId id) {
  const Term out = value(id);
  while (!waiting_.empty()) {
    const SchemaId next = waiting_.front();
    waiting_.pop_front();
    value(next);
  }
  return out;
}

Term SchemaWriter::call(SchemaId id) {
  Written& written = written_[id];
  if (!written.rule) written.rule = set_.grammar().add_rule();
  return terms_.call(*written.rule);
}

Term SchemaWriter::value(SchemaId id) {
  if (id == kNothing) return Term::none;
  Written& written = written_[id];
  if (written.term) {
    weight_ += written.weight;
    return *written.term;
  }
  if (written.busy) return call(id);
  if (depth_ >= kMostDepth) {
    if (!written.rule) waiting_.push_back(id);
    return call(id);
  }
  written.busy = true;
  ++depth_;
  const size_t outer = std::exchange(weight_, 1);
  const JsonNode at = set_.place(id);
  Term term = form(set_.form(id), at);
  --depth_;
  written.busy = false;
  written.weight = weight_;
  // A rule of its own for what is large or holds calls: it is then one state wherever it stands,
  // and is not made anew before each thing that may follow it.
  const bool apart = depth_ > 0 && (weight_ > kMostInline || !terms_.regular(term));
  if (written.rule || (apart && term != Term::none)) {
    const Term called = call(id);
    if (set_.grammar().rules.size() > Grammar::kMostRules)
      set_.report().problem("constraint_too_large", at, "the schema gives too many rules");
    set_.grammar().rules[*written.rule] = term;
    if (term != Term::none) term = called;
    written.weight = 1;
  }
  weight_ = outer + written.weight;
  written.term = term;
  return term;
}

Term SchemaWriter::form(const Form& form, JsonNode at) {
  std::vector<Term> choices;
  if (form.null) choices.push_back(text("null"));
  if (form.no) choices.push_back(text("false"));
  if (form.yes) choices.push_back(text("true"));
  choices.push_back(numbers(form.numbers));
  if (form.strings.written != Term::none) {
    if (terms_.fragile(form.strings.written) && !terms_.is_none(form.strings.written, kMostProof))
      set_.report().problem("constraint_too_large", at,
                            "the patterns and lengths here are too much to combine");
    if (!set_.none(form.strings.written))
      choices.push_back(sequence({quote_, form.strings.written, quote_}));
  }
  for (const ArrayForm& array : form.arrays) choices.push_back(this->array(array, at));
  // Choices that begin alike are read side by side, not multiplied.
  for (const ObjectForm& object : form.objects) {
    const bool outer = std::exchange(alike_, form.objects.size() > kAlike);
    const Term term = this->object(object, at);
    alike_ = outer;
    const bool many = form.objects.size() > 1 && !fixed(object);
    choices.push_back(many ? in_rule(term) : term);
  }
  return terms_.either(choices);
}

Term SchemaWriter::numbers(const NumberForm& numbers) {
  Term out = numbers.texts.written;
  if (numbers.bounded && !numbers.integral) out = terms_.both(out, set_.numbers().precise());
  return set_.none(out) ? Term::none : out;
}

// A call of a rule that has this body, where that is shorter.
Term SchemaWriter::in_rule(Term term) {
  if (term == Term::none || terms_.kind(term) == Terms::Kind::call) return term;
  const auto [known, added] = rules_.emplace(term, 0);
  if (added) {
    known->second = set_.grammar().add_rule();
    set_.grammar().rules[known->second] = term;
  }
  return terms_.call(known->second);
}

// Counts that nobody reaches are as good as none.
Term SchemaWriter::repeated(Term what, uint64_t min, uint64_t max) {
  constexpr uint64_t kReached = uint64_t{1} << 31;
  if (min >= kReached) return Term::none;
  return terms_.repeat(what, static_cast<uint32_t>(min),
                       max >= kReached ? kUnbounded : static_cast<uint32_t>(max));
}

}  // namespace skein::constrain

// Constraints, and matchers of who draws by himself.
#include "api/constraint.h"

#include "api/border.h"
#include "api/first_version.h"
#include "api/sized.h"
#include "base/log.h"

using namespace skein;
using namespace skein::api;

struct sk_matcher {
  constrain::Matcher matcher;
};

namespace {

using constrain::Language;

Result<Language> parse_language(int32_t language) {
  switch (language) {
    case SK_LANGUAGE_SCHEMA: return Language::schema;
    case SK_LANGUAGE_OBJECT: return Language::any_object;
    case SK_LANGUAGE_REGEX: return Language::regex;
    case SK_LANGUAGE_CHOICES: return Language::choices;
    case SK_LANGUAGE_GRAMMAR: return Language::grammar;
    case SK_LANGUAGE_KBNF: return Language::kbnf;
    default: return fail(Code::argument, "language is {}, it has to be 0 to 5", language);
  }
}

Result<constrain::JsonBlanks> parse_whitespace(int32_t whitespace) {
  switch (whitespace) {
    case SK_WHITESPACE_BOUNDED: return constrain::JsonBlanks::bounded;
    case SK_WHITESPACE_COMPACT: return constrain::JsonBlanks::compact;
    case SK_WHITESPACE_ANY: return constrain::JsonBlanks::any;
    default: return fail(Code::argument, "whitespace is {}, it has to be 0 to 2", whitespace);
  }
}

Result<constrain::Wanted> parse_params(const sk_constraint_params& given) {
  constexpr uint32_t kKnown =
      SK_CONSTRAINT_UNICODE_ESCAPES | SK_CONSTRAINT_OPEN_OBJECTS | SK_CONSTRAINT_STRICT;
  if ((given.flags & ~kKnown) != 0)
    return fail(Code::argument,
                "sk_constraint_params.flags is {}, which has flags that this version of the "
                "library does not know",
                given.flags);
  constrain::Wanted out;
  SK_TRY(out.language, parse_language(given.language));
  SK_TRY(out.schema.blanks, parse_whitespace(given.whitespace));
  out.schema.unicode_escapes = (given.flags & SK_CONSTRAINT_UNICODE_ESCAPES) != 0;
  out.schema.open_objects = (given.flags & SK_CONSTRAINT_OPEN_OBJECTS) != 0;
  out.schema.strict = (given.flags & SK_CONSTRAINT_STRICT) != 0;
  const bool chooses = out.language == Language::choices;
  const bool has_text = !chooses && out.language != Language::any_object;
  if (has_text != (given.text_size > 0))
    return fail(
        Code::argument, "{}",
        has_text ? "the constraint has no text" : "a text is for another language of constraints");
  if (chooses != (given.choice_count > 0))
    return fail(
        Code::argument, "{}",
        chooses ? "there is nothing to choose from" : "choices are for SK_LANGUAGE_CHOICES");
  if (has_text) {
    SK_TRY_STATUS(require(given.text, "text"));
    out.text.assign(given.text, given.text_size);
  }
  if (chooses) SK_TRY_STATUS(require(given.choices, "choices"));
  for (const char* choice : std::span(given.choices, given.choice_count)) {
    SK_TRY_STATUS(require(choice, "choice"));
    out.choices.emplace_back(choice);
  }
  return out;
}

tl::unexpected<Error> refused(const constrain::Problems& problems) {
  bool supported = false;  // some of it is wrong, wherever it is read
  for (const constrain::Problem& problem : problems)
    supported = supported ||
                (problem.code != "unsupported_keyword" && problem.code != "constraint_too_large");
  return fail(supported ? Code::argument : Code::unsupported, "{}", sentence(problems));
}

// A call that asks the matcher something.
template <typename What>
int32_t asked(sk_matcher* matcher, const What& what) noexcept {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(matcher, "matcher"));
    return what(matcher->matcher);
  });
}

}  // namespace

Result<std::shared_ptr<const constrain::Words>> Lexicon::words() {
  SK_TRY(const Turn::Held turn, turn_.take("the vocabulary's words"));
  if (!words_) words_ = std::make_shared<const constrain::Words>(tokenizer_);
  return words_;
}

Result<constrain::Matcher> api::matcher_of(const sk_constraint& constraint,
                                           const Vocabulary& vocabulary,
                                           const constrain::Beginning& beginning) {
  SK_TRY(const auto words, vocabulary.lexicon->words());
  if (words->identity() != constraint.words->identity())
    return fail(Code::mismatch, "the constraint was made for another vocabulary");
  constrain::Wanted wanted = constraint.wanted;
  wanted.beginning = beginning;
  auto made = constraint_of(wanted, constraint.words);
  if (!made) return refused(made.error());
  return constrain::Matcher(std::move(*made));
}

int32_t sk_constraint_new(const sk_vocab* vocab, const sk_constraint_params* params,
                          sk_constraint** out) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(vocab, "vocab"));
    SK_TRY_STATUS(require(params, "params"));
    SK_TRY_STATUS(require(out, "out"));
    sk_constraint_params given = {};
    SK_TRY_STATUS(
        read_sized(params, first_version::kConstraintParams, "sk_constraint_params", given));
    auto made = std::make_unique<sk_constraint>();
    SK_TRY(made->wanted, parse_params(given));
    SK_TRY(made->words, vocab->lexicon->words());
    constrain::SchemaNotes notes;
    auto compiled = constraint_of(made->wanted, made->words, &notes);
    if (!compiled) return refused(compiled.error());
    made->compiled = std::move(*compiled);
    for (const constrain::SchemaNote& note : notes.warnings)
      log_line(LogLevel::warning, fmt::format("{}: {}", escaped(note.where), note.message));
    *out = made.release();
    return {};
  });
}

void sk_constraint_free(sk_constraint* constraint) { delete constraint; }

int32_t sk_matcher_new(const sk_constraint* constraint, sk_matcher** out) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(constraint, "constraint"));
    SK_TRY_STATUS(require(out, "out"));
    *out = new sk_matcher{constrain::Matcher(constraint->compiled)};
    return {};
  });
}

int32_t sk_matcher_clone(const sk_matcher* matcher, sk_matcher** out) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(matcher, "matcher"));
    SK_TRY_STATUS(require(out, "out"));
    *out = new sk_matcher(*matcher);
    return {};
  });
}

void sk_matcher_free(sk_matcher* matcher) { delete matcher; }

int32_t sk_matcher_mask(sk_matcher* matcher, uint64_t* bits, size_t capacity, size_t* count) {
  return asked(matcher, [&](constrain::Matcher& text) -> Status {
    SK_TRY_STATUS(require(count, "count"));
    SK_TRY(const constrain::MaskPtr mask, text.mask());
    return hand_over(mask->ids.bits(), bits, capacity, count, "elements");
  });
}

int32_t sk_matcher_accept(sk_matcher* matcher, int32_t id, int32_t* accepted) {
  return asked(matcher, [&](constrain::Matcher& text) -> Status {
    SK_TRY_STATUS(require(accepted, "accepted"));
    SK_TRY(const bool fits, text.accept(id));
    *accepted = fits ? 1 : 0;
    return {};
  });
}

int32_t sk_matcher_read(sk_matcher* matcher, const char* bytes, size_t size, int32_t* accepted) {
  return asked(matcher, [&](constrain::Matcher& text) -> Status {
    if (size > 0) SK_TRY_STATUS(require(bytes, "text"));
    SK_TRY_STATUS(require(accepted, "accepted"));
    SK_TRY(const bool fits, text.accept_bytes(std::string_view(size > 0 ? bytes : "", size)));
    *accepted = fits ? 1 : 0;
    return {};
  });
}

int32_t sk_matcher_end(sk_matcher* matcher, int32_t* can, int32_t* must) {
  return asked(matcher, [&](constrain::Matcher& text) -> Status {
    SK_TRY(const bool may, text.can_end());
    SK_TRY(const bool has_to, text.must_end());
    if (can) *can = may ? 1 : 0;
    if (must) *must = has_to ? 1 : 0;
    return {};
  });
}

int32_t sk_matcher_forced(sk_matcher* matcher, int32_t* ids, size_t capacity, size_t* count) {
  return asked(matcher, [&](constrain::Matcher& text) -> Status {
    SK_TRY_STATUS(require(count, "count"));
    SK_TRY(const std::vector<int32_t> forced, text.forced());
    return hand_over(std::span(forced), ids, capacity, count, "ids");
  });
}

int32_t sk_matcher_text(const sk_matcher* matcher, const char** text, size_t* size) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(matcher, "matcher"));
    SK_TRY_STATUS(require(text, "text"));
    SK_TRY_STATUS(require(size, "size"));
    const std::string_view read = matcher->matcher.text();
    *text = read.data();
    *size = read.size();
    return {};
  });
}

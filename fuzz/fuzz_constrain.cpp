// F10: the bytes of a constraint, in each of its languages. Whatever is accepted leads 64 random
// words far: one can always go on or end, what the mask allows is read, what it does not is not,
// and a fork stands where its original does.
#include <string>
#include <string_view>
#include <vector>

#include "constrain/choices.h"
#include "constrain/grammar_text.h"
#include "constrain/kbnf.h"
#include "constrain/matcher.h"
#include "constrain/regex.h"
#include "fuzz/oracle.h"
#include "fuzz/vocabularies.h"

namespace {

using skein::fuzz::require;
using namespace skein::constrain;

const std::shared_ptr<const Words>& words() {
  static const auto kWords = std::make_shared<const Words>([] {
    std::string lines = skein::fuzz::world_lines();
    int id = 257;
    for (std::string_view word :
         {"aa", "ab", "abc", "\": ", "{\"", "}, ", "true", "12", "\n  ", "aaaaaaaa"}) {
      std::string bytes;
      for (char c : word) bytes += skein::fuzz::world_escape(static_cast<unsigned char>(c));
      lines += fmt::format("{} b'{}' {}\n", id++, bytes, word.size());
    }
    auto tokenizer = skein::text::world_from_vocab_file(std::as_bytes(std::span(lines)), "words");
    require(tokenizer.has_value());
    return *std::move(tokenizer);
  }());
  return kWords;
}

Checked<Term> read(Grammar& grammar, uint8_t language, std::string_view text) {
  GrammarOptions options;
  options.token_named = [](std::string_view name) -> std::optional<int32_t> {
    if (name.size() > 4) return std::nullopt;
    return static_cast<int32_t>(name.size());
  };
  RegexOptions regex;
  switch (language % 7) {
    case 0: return add_regex(grammar, text, RegexDialect::re2);
    case 1:
      regex.search = true;
      regex.spelling = json_spelling;
      regex.most_bytes = 4096;
      return add_regex(grammar, text, RegexDialect::ecma, regex);
    case 2: return add_grammar(grammar, text, options);
    case 3: return add_grammar(grammar, text, options);
    case 4: return add_kbnf(grammar, text, options);
    case 5: return add_schema(grammar, text);
    default: break;
  }
  std::vector<std::string> choices(1);
  for (char c : text) {
    if (c == '\n')
      choices.emplace_back();
    else
      choices.back() += c;
  }
  return add_choices(grammar, choices);
}

void check(const Problems& problems) {
  require(!problems.empty() && problems.size() <= kMostProblems);
  for (const Problem& problem : problems) {
    require(!problem.code.empty() && !problem.message.empty());
    require(skein::text::first_invalid_utf8(problem.message) == std::string::npos);
  }
}

// The nth id that is allowed.
int32_t nth(const IdSet& ids, uint64_t n) {
  int32_t id = 0;
  while (!ids[id] || n-- > 0) ++id;
  return id;
}

void answer(const ConstraintPtr& constraint, uint64_t seed) {
  Matcher matcher(constraint);
  for (int step = 0; step < 64; ++step) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    const auto mask = matcher.mask();
    if (!mask) return;  // a budget
    const auto can_end = matcher.can_end();
    if (!can_end) return;
    require((*mask)->allowed > 0 || *can_end);
    if (step % 16 == 0) {
      const auto walked = matcher.walked_mask();
      if (walked) require((*walked)->ids == (*mask)->ids);
    }
    const auto other = static_cast<int32_t>(seed >> 40) % words()->size();
    Matcher fork = matcher;
    const auto read_other = fork.accept(other);
    if (!read_other) return;
    require(*read_other == (*mask)->ids[other]);
    if ((*mask)->allowed == 0) return;
    const auto read =
        matcher.accept(nth((*mask)->ids, (seed >> 33) % static_cast<uint64_t>((*mask)->allowed)));
    if (!read) return;
    require(*read);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  Grammar grammar;
  const auto term = read(grammar, data[0], text);
  if (!term) {
    check(term.error());
    return 0;
  }
  grammar.root = *term;
  ConstraintOptions options;
  options.table_bytes = options.mask_bytes = 4 << 20;
  const auto constraint = Constraint::make(std::move(grammar), words(), options);
  if (!constraint) {
    check(constraint.error());
    return 0;
  }
  answer(*constraint, size * 7919 + text.size());
  return 0;
}

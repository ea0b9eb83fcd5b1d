#include "constrain/grammar_text.h"

#include "constrain/gbnf.h"
#include "constrain/lark.h"
#include "constrain/text_reader.h"

namespace skein::constrain {

GrammarLanguage language_of(std::string_view text) {
  TextReader reader(text);
  const auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  const auto in_line = [](char c) { return c != '\n'; };
  reader.take_while(is_blank);
  while (reader.peek() == '#') {
    reader.take_while(in_line);
    reader.take_while(is_blank);
  }
  reader.take_while([](char c) { return is_word_letter(c) || c == '-' || c == '.'; });
  reader.take_while(is_blank);
  return reader.starts_with("::=") ? GrammarLanguage::gbnf : GrammarLanguage::lark;
}

Checked<Term> add_grammar(Grammar& grammar, std::string_view text, const GrammarOptions& options) {
  return language_of(text) == GrammarLanguage::gbnf ? add_gbnf(grammar, text, options)
                                                    : add_lark(grammar, text, options);
}

}  // namespace skein::constrain

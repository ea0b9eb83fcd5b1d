// What stands behind the opaque pointers of skein.h.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "base/turn.h"
#include "constrain/wanted.h"
#include "run/model.h"
#include "run/sampler.h"
#include "run/state.h"
#include "run/vocabulary.h"
#include "skein/skein.h"

namespace skein::api {

// The words of a tokenizer, which constraints walk; made when the first one is.
class Lexicon {
 public:
  explicit Lexicon(text::TokenizerPtr tokenizer) : tokenizer_(std::move(tokenizer)) {}
  Result<std::shared_ptr<const constrain::Words>> words();

 private:
  const text::TokenizerPtr tokenizer_;
  Turn turn_;
  std::shared_ptr<const constrain::Words> words_;
};

// A tokenizer and what sampling knows of it.
struct Vocabulary {
  text::TokenizerPtr tokenizer;
  std::shared_ptr<Lexicon> lexicon;
  std::shared_ptr<const TokenTraits> traits;
};

// A model's vocabulary, which is looked for by whoever needs it first. A failure is not kept: the
// file may be put there meanwhile.
class FoundVocabulary {
 public:
  explicit FoundVocabulary(std::string file) : file_(std::move(file)) {}
  Result<Vocabulary> of(const Model& model);

 private:
  const std::string file_;  // empty: where vocabularies are
  Turn turn_;
  Vocabulary found_;
};

}  // namespace skein::api

struct sk_model {
  std::shared_ptr<skein::Model> model;
  std::shared_ptr<skein::api::FoundVocabulary> found;

  skein::Result<skein::api::Vocabulary> vocabulary() const { return found->of(*model); }
};

struct sk_vocab {
  skein::text::TokenizerPtr tokenizer;
  std::shared_ptr<skein::api::Lexicon> lexicon;
};

struct sk_constraint {
  skein::constrain::Wanted wanted;
  std::shared_ptr<const skein::constrain::Words> words;
  skein::constrain::ConstraintPtr compiled;
};

struct sk_state {
  skein::State state;
};

struct sk_sampler {
  std::shared_ptr<const skein::TokenTraits> traits;  // the sampler refers to them
  skein::Sampler sampler;
};

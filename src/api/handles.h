// What stands behind the opaque pointers of skein.h.
#pragma once

#include <memory>
#include <string>

#include "base/turn.h"
#include "run/model.h"
#include "run/sampler.h"
#include "run/state.h"
#include "run/vocabulary.h"
#include "skein/skein.h"

namespace skein::api {

// A tokenizer and what sampling knows of it.
struct Vocabulary {
  text::TokenizerPtr tokenizer;
  std::shared_ptr<const TokenTraits> traits;
};

}  // namespace skein::api

struct sk_model {
  std::shared_ptr<skein::Model> model;
  std::string vocab_file;

  // Found by whoever needs it first. A failure is not kept: the file may be put there meanwhile.
  skein::Result<skein::api::Vocabulary> vocabulary() const;

 private:
  mutable skein::Turn turn_;
  mutable skein::api::Vocabulary found_;
};

struct sk_state {
  skein::State state;
};

struct sk_sampler {
  std::shared_ptr<const skein::TokenTraits> traits;  // the sampler refers to them
  skein::Sampler sampler;
};

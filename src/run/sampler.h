// From logits to a token: penalties, what is kept, and the draw.
//
// (seed, position, logits, memory) decide the token, on every machine: the random numbers are
// counter-based, exp is our own, sums are in double and in the order of the ids.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "run/logit_bounds.h"

namespace skein {

// rwkv: top-p, top-k, min-p and typical look at the model's own probabilities, the temperature acts
// on what they keep. openai: the temperature comes first. They differ when it is not 1.
enum class SampleOrder { rwkv, openai };

enum class PenaltyStyle {
  skein,     // presence + count * frequency; counts decay; digits, spaces and tabs are exempt
  rwkv_pip,  // the same to the bit as the pip package: exempt text still pays presence
  ai00,      // one decaying number a token: presence at first sight, frequency later; no exemption
  openai,    // presence + count * frequency; no decay, no exemption
};

// By the names users write: "rwkv", "openai"; "skein", "rwkv-pip", "ai00", "openai". Errors:
// argument.
Result<SampleOrder> parse_sample_order(std::string_view name);
Result<PenaltyStyle> parse_penalty_style(std::string_view name);
std::string_view sample_order_name(SampleOrder order);
std::string_view penalty_style_name(PenaltyStyle style);

struct LogitBias {
  int32_t id = 0;
  double bias = 0;  // added to the logit; minus infinity bans
};

// The defaults are RWKV's for a chat.
struct Sampling {
  SampleOrder order = SampleOrder::rwkv;
  double temperature = 1;     // 0: the largest logit, of equals the lowest id
  double top_p = 0.3;         // 1: off; 0: the largest only
  int32_t top_k = 0;          // 0: off
  double min_p = 0;           // relative to the largest probability; 0: off
  double typical_p = 1;       // 1: off
  int mirostat = 0;           // 0 or 2; replaces the four above, and the temperature comes first
  double mirostat_tau = 5;    // the surprise aimed at, in bits
  double mirostat_eta = 0.1;  // how fast
  double presence = 0.5;
  double frequency = 0.5;
  double penalty_decay = 0.996;  // of the counts, with each token
  PenaltyStyle penalty_style = PenaltyStyle::skein;
  double repetition =
      1;  // divides positive logits of tokens seen, multiplies negative ones; 1: off
  std::vector<LogitBias> logit_bias;  // an id that stands twice gets the sum
  std::vector<int32_t> banned;
  uint64_t seed = 0;
};

// Error: argument, naming the field, its value and what it may be.
Status validate(const Sampling& sampling);

// What sampling must know of a vocabulary. Made once for a model; samplers refer to it.
struct TokenTraits {
  int32_t vocab = 0;
  std::vector<int32_t>
      silent;  // ids without text, never drawn; those that end a text are not among
  std::vector<uint8_t> exempt;      // by id: digits, spaces and tabs only
  std::vector<uint8_t> marks;       // by id: neither a letter nor a digit, as far as ASCII tells
  std::vector<uint8_t> pip_exempt;  // by id: text is a substring of " \t0123456789", so not "21"
};

// What ends a document where the vocabulary is unknown.
inline constexpr int32_t kEndOfDocument[] = {0};

// `text_of(id)`: the bytes of a token, empty if it has none. `ends`: the ids that end a text.
TokenTraits token_traits(int32_t vocab, const std::function<std::string_view(int32_t)>& text_of,
                         std::span<const int32_t> ends = kEndOfDocument);
// For a model whose vocabulary is unknown: every id may be drawn, none is exempt.
TokenTraits token_traits(int32_t vocab);

// What the penalties and mirostat remember. It belongs to a turn and not to the model's state; save
// it with a turn that is to be continued exactly.
struct SamplerMemory {
  struct Entry {
    int32_t id = 0;
    double weight = 0;  // decayed count, or the ai00 number
    bool operator==(const Entry&) const = default;
  };
  std::vector<Entry> seen;  // in the order of their first sight
  double mirostat_mu = 0;   // the largest surprise allowed, in bits
  bool operator==(const SamplerMemory&) const = default;
};

// What may be drawn, by descending probability, equals by ascending id.
struct Candidate {
  int32_t id = 0;
  double probability = 0;
};
using Candidates = std::vector<Candidate>;

// Buffers of a draw. Nothing in them outlives it; without them each draw would allocate a megabyte.
struct SamplerWork {
  struct Kept {
    int32_t id;
    float logit;
  };
  struct Typical {
    double distance;
    size_t index;
  };
  std::vector<float> logits;  // after penalties, bias and bans
  std::vector<int32_t> ids;   // of `logits`, if those are only the few that are allowed
  float largest = 0;
  float smallest = 0;           // of those above minus infinity
  std::vector<Kept> kept;       // what may be drawn, by ascending id
  std::vector<double> weights;  // of `kept`
  std::vector<float> values;
  std::vector<double> masses;   // by bucket
  std::vector<int32_t> counts;  // by bucket
  std::vector<Typical> typical;
  // Of a draw from bounds.
  std::vector<float> low;
  std::vector<float> high;
  std::vector<int32_t> groups;

  // What a draw takes that excludes nothing beforehand; with `typical` and bounds it is more.
  static constexpr int64_t bytes(int64_t vocab) {
    return vocab * static_cast<int64_t>(sizeof(float) + sizeof(Kept) + sizeof(double));
  }
};

// Which tokens may be drawn, where not all of them may: the token 64 * i + j if 1 << j of word i is
// set. Empty: all.
using Allowed = std::span<const uint64_t>;

// One conversation's sampler. Copying it copies its memory. Not for two threads at once.
class Sampler {
 public:
  // `tokens` must outlive the sampler. Errors: argument, as validate() and for ids beyond the
  // vocabulary.
  static Result<Sampler> create(const Sampling& sampling, const TokenTraits& tokens);

  // Draws the token for `position` and leaves the memory as it is: the same call gives the same
  // token. Allocates in the first call only. Errors: argument (the number of logits; every token is
  // banned), internal (a logit is NaN or plus infinity, or all are minus infinity).
  // `work`: buffers that belong to whoever draws, so that a conversation that waits has none.
  // What is not `allowed` counts as if its logit were minus infinity, before anything is cut.
  Result<int32_t> sample(std::span<const float> logits, uint64_t position, SamplerWork& work,
                         Allowed allowed = {});
  Result<int32_t> sample(std::span<const float> logits, uint64_t position) {
    return sample(logits, position, work_);
  }

  // The same token from logits that are known between bounds: makes as many exact as it takes,
  // which may be all. Errors: the same, and LogitBounds::make_exact()'s.
  Result<int32_t> sample(LogitBounds& logits, uint64_t position, SamplerWork& work,
                         Allowed allowed = {});
  Result<int32_t> sample(LogitBounds& logits, uint64_t position) {
    return sample(logits, position, work_);
  }
  // Whether each logit's exact value counts: bounds are of no use then.
  bool needs_all_logits() const;

  // What sample() would draw from. Allocates.
  Result<Candidates> distribution(std::span<const float> logits) const;

  // The token stands in the text now, whether drawn or forced. `id` lies in the vocabulary. Where
  // the text has a form to keep, its marks are nothing to be penalised for.
  void accept(int32_t id, bool marks_are_exempt = false);

  // Forgets everything, for the next turn.
  void begin_turn();

  const SamplerMemory& memory() const { return memory_; }
  // Errors: argument (an id beyond the vocabulary or twice, a number that is not finite).
  Status restore(const SamplerMemory& memory);

  const Sampling& sampling() const { return sampling_; }

 private:
  Sampler(const Sampling& sampling, const TokenTraits& tokens);

  // Fills work.kept and work.weights; returns the sum of the weights.
  Result<double> select(std::span<const float> logits, SamplerWork& work, Allowed allowed) const;
  // Penalties, bias and bans. Each logit's new value grows with its old one.
  void adjust(std::span<float> logits, Allowed allowed) const;
  // Makes logits exact until the rest cannot change what is drawn.
  Status narrow(LogitBounds& logits, SamplerWork& work, Allowed allowed);

  Sampling sampling_;
  const TokenTraits* tokens_;
  SamplerMemory memory_;
  std::vector<int32_t> entry_of_;  // by id: its place in memory_.seen, or -1
  SamplerWork work_;               // of draws without anybody else's
  // The last draw's surprise in bits, from which mirostat learns when that token is accepted.
  int32_t drawn_id_ = -1;
  double drawn_surprise_ = 0;
};

// ln(sum of e^logit): a token's log-probability is its logit less this. The same on every machine
// but for the last bit of a logarithm.
double log_sum_exp(std::span<const float> logits);
// The probabilities themselves, the same on every machine.
void softmax(std::span<const float> logits, std::vector<float>& probabilities);

// Philox4x32-10 (Salmon and others, "Parallel random numbers: as easy as 1, 2, 3", 2011): a
// bijection of the counter for each key, so that the draw at a position needs none of the draws
// before it.
std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

// The number in [0, 1) that decides the draw at `position`.
double uniform_at(uint64_t seed, uint64_t position);

}  // namespace skein

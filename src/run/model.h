// A model that is ready to run: a file's weights, bound to a device.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "arch/adapter.h"
#include "arch/registry.h"
#include "base/turn.h"
#include "io/model_files.h"
#include "ops/backend.h"
#include "run/logit_bounds.h"
#include "run/model_source.h"
#include "run/state.h"

namespace skein {

// How matrix products round.
enum class Numerics : uint8_t {
  exact,  // the same bits on every machine, for any cutting of a sequence into calls
  // Prompts go through the processor's bf16 tiles or its products of bytes, where it has them
  // (FastForm in cpu/kernels.h): the aligned blocks of kFastBlock tokens of a job, counted from the
  // sequence's beginning. The result depends on where calls cut the sequence (unless at multiples
  // of kFastBlock), and on nothing else. A job that wants all its logits is exact: guesses are
  // checked with it.
  fast,
};
inline constexpr int64_t kFastBlock = 32;

using ops::Sparse;
using ops::TwoPlane;  // probed: each generation tries what is faster once it is long enough

struct ModelInfo {
  std::string file;                     // path as it was given
  std::string format;                   // ".pth (zip)", "safetensors, 3 shards"
  std::string design;                   // "rwkv7"
  std::string title;                    // RWKV-7 "Goose" 0.1B
  std::string naming;                   // "official"
  std::string device;                   // "CPU, AVX-512, 2 threads"
  Numerics numerics = Numerics::exact;  // fast only where the device has a faster way
  bool sparse = false;                  // whether weights of inputs that are zero are left unread
  TwoPlane two_plane = TwoPlane::off;   // not off only where there can be a second plane
  int64_t second_plane_bytes = 0;       // of it; how much less than the head a step reads with it
  int64_t second_plane_saves = 0;
  arch::Dimensions dimensions;
  int64_t parameters = 0;
  int64_t trained_context = 0;  // from the file's name (ctx4096), 0 if it does not say
  int64_t state_bytes = 0;
  int64_t weight_bytes = 0;     // resident after loading
  int64_t bytes_per_token = 0;  // weights and state of a decode step; it may skip some (sparse)
  int64_t flops_per_token = 0;
  double load_seconds = 0;
  Digest fingerprint{};
  std::vector<std::string> notes;  // what was ignored
};

// Bytes of the file done and in all; false gives up with Code::io, "interrupted".
using LoadProgress = std::function<bool(int64_t done, int64_t total)>;

struct ModelOptions {
  int threads = 0;       // 0: SKEIN_THREADS, or one for each physical core
  int chunk = 0;         // tokens of a prompt that go through the layers together; 0: kDefaultChunk
  std::string isa{};     // empty: SKEIN_ISA, or the widest this processor supports
  std::string device{};  // a name of backends::devices(); empty takes the first
  Numerics numerics = Numerics::exact;
  // Leaves weights of inputs that are zero unread where the device can: same results.
  Sparse sparse = Sparse::probed;
  TwoPlane two_plane = TwoPlane::off;   // only a Generation makes use of it
  std::vector<AdapterFile> adapters{};  // merged one after the other
  LoadProgress progress{};
};

// Which logits a job wants: none, those after its last token, or those after each of its tokens
// from Job::first on.
enum class Want : uint8_t { none, last, all };

// One sequence's share of a call.
struct Job {
  State* state = nullptr;  // read and replaced
  std::span<const int32_t> tokens;
  Want want = Want::last;
  float* logits = nullptr;  // [1 or tokens - first, vocab]; may be null when want is none
  size_t first = 0;         // of tokens, for Want::all
};

class Model {
 public:
  static constexpr int kDefaultChunk = 512;

  // Looks at the file and loads it; run/opening.h has the two apart. Errors: io, corrupt,
  // unsupported, mismatch (the file); memory; argument (options, SKEIN_ISA).
  static Result<std::shared_ptr<Model>> open(const std::filesystem::path& path,
                                             const ModelOptions& options = {});
  // The layout of its states, for tools that work on state files: the header and a few rows of each
  // matrix are read. Errors: those of open().
  static Result<std::shared_ptr<const StateLayout>> read_layout(const std::filesystem::path& path);
  ~Model();

  const ModelInfo& info() const { return info_; }
  int32_t vocab() const { return static_cast<int32_t>(info_.dimensions.vocab); }
  // The file's own metadata (a GGUF's vocabulary is there, a folder's config.json).
  const Metadata& metadata() const { return files_.container().metadata; }
  const std::filesystem::path& path() const;
  int64_t file_bytes() const { return static_cast<int64_t>(files_.total_bytes()); }

  // Of its steps; whoever does something beside them may take as many.
  int threads() const { return threads_; }
  // Tokens of a prompt that go through the layers together.
  int64_t chunk() const { return static_cast<int64_t>(chunk_); }

  State new_state() const { return State(layout_); }
  std::shared_ptr<const StateLayout> state_layout() const { return layout_; }

  // Feeds every job's tokens to its state. Jobs share the passes over the weights, and what a job
  // computes does not depend on the others, on the threads or on how its tokens are cut into calls.
  // Two jobs may not share a state. Any thread may call; calls take turns, a long one pass by pass.
  // Errors: argument (an id out of range, a job without tokens, a model that another thread was
  // using when this process was forked), mismatch (a state of another model or on another device),
  // memory, io (the file was cut before this call); the states are then as they were. Io (it was
  // cut while a call of few tokens read matrices in it) or device: the states are as they were or
  // lost (State::lost). Corrupt: a state was lost before; or numbers were not finite in some job,
  // whose state is then as it was or lost, while the other jobs are done; those jobs are marked
  // with 1 in `not_finite` (as many zeros as jobs, or empty).
  Status eval(std::span<const Job> jobs, std::span<uint8_t> not_finite = {});
  Status eval(State& state, std::span<const int32_t> tokens, Want want, float* logits);
  // The same, but what comes out is what the logits would be computed from: the last layer's result
  // after the last norm, [1 or tokens, width]. For embeddings. Errors: as above.
  Status eval_hidden(State& state, std::span<const int32_t> tokens, Want want, float* hidden);
  Status eval_hidden(std::span<const Job> jobs, std::span<uint8_t> not_finite = {});

  // What eval() says of one job with such numbers.
  Status not_finite() const { return not_finite_in(1, 1); }

  // For models whose info() has a two-plane head: bounds of a row of logits, and reading a token
  // with no more than those. The first call makes the second plane; errors of that: memory,
  // unsupported (the head's numbers). The model outlives what it gives, whose exact logits are
  // computed by its device, in turn with eval(); errors of that: io. eval()'s errors: as above.
  Result<LogitBounds> logit_bounds();
  bool has_second_plane() const { return has_second_plane_; }
  Status eval(State& state, int32_t token, LogitBounds& logits);

  // The device's limits, for speeds to be compared with, or nothing where eval() would fail. Takes
  // its turn like eval().
  ops::DeviceLimits measure_limits(int passes = 5);

  // eval() for one job, telling where the time goes: entries name weights by their place in
  // weight_names(). A device that cannot tell leaves the profile empty.
  Status profile(State& state, std::span<const int32_t> tokens, Want want, float* logits,
                 ops::Profile& profile);
  struct WeightName {
    std::string name;  // "blocks.3.att.key.weight"
    arch::WeightClass kind = arch::WeightClass::vector;
  };
  std::span<const WeightName> weight_names() const { return weight_names_; }

  // eval() for one job, recording every named value. For comparisons; slow.
  Status trace(State& state, std::span<const int32_t> tokens, Want want, float* logits,
               const ops::Trace& sink);

 private:
  friend class Opening;
  Model(io::ModelFiles files, ModelInfo info);

  Status check(std::span<const Job> jobs) const;
  struct Watch {  // what a caller wants to see of the steps
    const ops::Trace* trace = nullptr;
    ops::Profile* profile = nullptr;
    const ops::RoughLogits* rough = nullptr;
    std::span<uint8_t> not_finite{};  // eval()
    bool hidden = false;              // Job::logits are rows of what they are computed from instead
  };
  Status run(std::span<const Job> jobs, const Watch& watch, Turn::Held& turn);
  class Restorer;
  struct Place {
    size_t job = 0, token = 0;
  };
  size_t row_size(const Watch& watch) const;
  Place fill_pass(std::span<const Job> jobs, const Watch& watch, Place at);
  Status read_pass(const Watch& watch);
  Status finish(std::span<const Job> jobs, std::span<const uint8_t> strange, Restorer* restorer,
                std::span<uint8_t> not_finite);
  Status not_finite_in(size_t job, size_t jobs) const;
  Status shortened() const;
  bool leaves_undefined(Code code) const;
  void mark_fast(const Job& job, size_t position, size_t count);

  io::ModelFiles files_;
  ModelInfo info_;
  size_t chunk_ = 0;
  int threads_ = 1;
  int64_t head_input_ = 0;  // width of what logits are computed from
  std::vector<WeightName> weight_names_;
  std::shared_ptr<const StateLayout> layout_;
  std::unique_ptr<ops::Backend> backend_;
  std::unique_ptr<ops::Executable> executable_;
  std::function<bool()> intact_;  // files_.intact(), for the executor to ask in mid-step
  std::function<void(std::span<const std::byte>)> unread_;  // files_.drop(), likewise

  std::atomic<bool> has_second_plane_ = false;

  Turn turn_;  // one step at a time; what follows belongs to it
  std::vector<int32_t> tokens_;
  std::vector<int32_t> outputs_;
  std::vector<ops::Sequence> sequences_;
  std::vector<ops::RowRange> fast_;
  std::vector<float*> targets_;
  std::vector<float> gathered_;
  std::vector<size_t> owners_;       // the jobs of the outputs
  std::vector<uint8_t> not_finite_;  // of the outputs
  std::vector<uint8_t> strange_;     // jobs with numbers that are not finite
  std::vector<State> kept_;          // what states were before a step that may fail in its middle
};

}  // namespace skein

// What executes programs. A device implements these two classes and knows no architecture.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "ops/operation.h"
#include "ops/program.h"
#include "ops/states.h"
#include "tensor/stored.h"

namespace skein::ops {

// How a backend keeps a weight.
enum class WeightUse : uint8_t {
  table,   // rows looked up by token; stays where it is in the file
  matrix,  // [out, in] of a linear
  vector,  // [width]
};

// A weight as the model file has it, already under its official name and in the shape of its use.
struct WeightData {
  std::string name;
  WeightUse use = WeightUse::matrix;
  StoredTensor tensor;
  bool present = true;  // false: an optional weight the program does not read
};

// One sequence's share of a step: tokens [begin, end) of the step, and its state, updated in place.
struct Sequence {
  int32_t begin = 0;
  int32_t end = 0;
  DeviceState* state = nullptr;  // one that the executable takes
};

// Called with each value after it was computed, [rows, width] contiguous.
using Trace = std::function<void(const Value& value, std::span<const float> data)>;

// Rows [begin, end) of a step.
struct RowRange {
  int32_t begin = 0;
  int32_t end = 0;
};

// Where the time of steps goes. A device that can tell appends an entry for each operation that it
// runs, in their order, and adds the step's time.
struct Profile {
  struct Entry {
    OpKind kind = OpKind::add;
    WeightId weight = kNone;  // its first
    double seconds = 0;       // the mean of the threads that had a part of it
    Work work;
  };
  std::vector<Entry> entries;
  double seconds = 0;  // of whole steps; what the entries leave of it is threads' waiting
};

// A row of logits by a coarse copy of the last product's matrix.
struct RoughLogits {
  float* input = nullptr;  // [width of that product's input]: what exact ones are computed from
  float* about = nullptr;  // [vocab]
  float* error = nullptr;  // [vocab]: |exact - about| is at most this; NaN where that is not known
};

// So many neighbouring logits are computed together.
inline constexpr int32_t kLogitGroup = 16;

struct Step {
  std::span<const int32_t> tokens;      // all sequences, one after the other; ids are in range
  std::span<const Sequence> sequences;  // in order, without gaps
  std::span<const int32_t> outputs;     // token positions whose logits are wanted, ascending
  float* logits = nullptr;              // [outputs, vocab]
  const RoughLogits* rough = nullptr;   // instead of `logits`, where one output is wanted
  // [outputs], zeros: 1 is stored where a row of logits has an infinity or a NaN. A device lets
  // these through: whatever one goes into is none either (Unary, norms), so that they show here.
  std::span<uint8_t> not_finite{};
  // Rows, ascending, where matrix products may round operands to fewer bits
  // (Backend::has_fast_rows).
  std::span<const RowRange> fast{};
  const Trace* trace = nullptr;
  // Asked after the tables were read and before any state is changed, and at the end of a step
  // that read more of the file: false means that what was read may not be what the file held
  // (Code::io).
  const std::function<bool()>* intact = nullptr;
  Profile* profile = nullptr;
};

// What a device can do at best, measured just now; 0 where nobody knows. run/limits.cpp names them.
struct DeviceLimits {
  double read_bandwidth = 0;  // bytes a second, a plain read of the resident weights
  double multiply_adds = 0;   // f32 operations a second
  // Of what was read: its bytes, whether it was the weights themselves (or a copy's worth of
  // memory, where those lie in a file), and its share on huge pages.
  int64_t read_bytes = 0;
  bool read_weights = true;
  double huge_pages = 0;
};

// A coarse copy of the last product's matrix: what it would keep, and how much less a decode step
// would read with it; zeros where there can be none.
struct CoarseHeadCost {
  int64_t bytes = 0;
  int64_t saved = 0;
};

// A program bound to its weights. Not reentrant: the owner serialises calls.
class Executable {
 public:
  virtual ~Executable() = default;
  // Errors: memory, io (see Step::intact), corrupt (a table's row); the states are then unchanged.
  // After a device error they are undefined, and after an io error of one that reads_file() too.
  virtual Status run(const Step& step) = 0;
  // Where the states live that its steps take, and whether this is one of them: made there, or
  // another pool's that lies in the same memory in the same way.
  virtual std::shared_ptr<StatePool> states() const = 0;
  virtual bool takes(const DeviceState& state) const { return &state.pool() == states().get(); }
  // Whether its steps read weights where they lie in the model file, besides tables.
  virtual bool reads_file() const { return false; }
  // Weights behind squared ReLUs can be kept so that those of zero inputs are not read: the same
  // results, sooner where many are zero. `active`: the share of inputs that are not, by which
  // bytes_per_token() counts. Error: memory.
  virtual bool can_skip_zeros() const { return false; }
  virtual Status skip_zeros(double /*active*/) { return {}; }
  virtual bool skips_zeros() const { return false; }
  // Makes the coarse copy that Step::rough needs. Errors: memory; unsupported (a matrix without
  // finite numbers or of a type that is no larger).
  virtual Status add_coarse_head() {
    return fail(Code::unsupported, "the device has no coarse heads");
  }
  virtual CoarseHeadCost coarse_head() const { return {}; }  // there or not
  // Logits 16 g to 16 g + 15 of each group g, the bits that a step would have given. Errors: as
  // run(), without consequences.
  virtual Status exact_logits(const float* /*input*/, std::span<const int32_t> /*groups*/,
                              float* /*logits*/, const std::function<bool()>& /*intact*/) {
    return fail(Code::unsupported, "the device has no coarse heads");
  }
  virtual int64_t weight_bytes() const = 0;     // resident, after packing
  virtual int64_t bytes_per_token() const = 0;  // weight and state bytes that one decode step reads
  virtual int64_t flops_per_token() const = 0;
  // With the threads that a step has: one token's for the reading, a prompt's for the arithmetic.
  virtual DeviceLimits measure_limits(int /*passes*/) { return {}; }
};

// What running a program takes of one memory, in bytes.
struct MemoryNeed {
  int64_t weights = 0;  // stay
  int64_t packing = 0;  // on top of them while compile() makes them ready
  int64_t step = 0;     // of one, besides weights, states and logits
  int64_t state = 0;    // of each sequence, before anything grows
};
struct MemoryNeeds {
  MemoryNeed host;
  MemoryNeed device;  // where a device has a memory of its own
};

// Told after each weight: bytes of the file done so far. Returning false gives up (Code::io,
// "interrupted").
using Progress = std::function<bool(int64_t bytes_done)>;

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string describe() const = 0;  // "CPU, AVX-512, 2 threads"
  // Whether it computes Step::fast rows in another, faster way than the rest.
  virtual bool has_fast_rows(std::span<const WeightData> /*weights*/) const { return false; }
  // With steps of at most so many tokens.
  virtual MemoryNeeds needs(const Program& program, std::span<const WeightData> weights,
                            int64_t tokens) const = 0;
  // At most what an executable's would be: how the head is packed is not known yet.
  virtual CoarseHeadCost coarse_head(const Program& /*program*/,
                                     std::span<const WeightData> /*weights*/) const {
    return {};
  }
  // `done(weight)` tells that a weight's file bytes will not be read again.
  virtual Result<std::unique_ptr<Executable>> compile(
      const Program& program, std::span<const WeightData> weights,
      const std::function<void(const WeightData&)>& done, const Progress& progress) = 0;
};

}  // namespace skein::ops

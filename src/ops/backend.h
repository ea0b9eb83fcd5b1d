// What executes programs. A device implements these two classes and knows no architecture.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "ops/operation.h"
#include "ops/program.h"
#include "ops/states.h"
#include "quant/panel_type.h"
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
  // Of a file that is only thought of, whose bytes nobody must look at: how a matrix of numbers
  // would be packed.
  std::optional<quant::PanelType> thought{};
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
  std::span<const int32_t> outputs{};   // token positions whose logits are wanted, ascending
  // [outputs, vocab]. Without it, nor `rough`, the head is left out.
  float* logits = nullptr;
  float* hidden = nullptr;             // [outputs, width]: what the logits are computed from
  const RoughLogits* rough = nullptr;  // instead of `logits`, where one output is wanted
  // [outputs], zeros: 1 is stored where a row of logits (without those, of what they would be
  // computed from) has an infinity or a NaN. A device lets
  // these through: whatever one goes into is none either (Unary, norms), so that they show here.
  std::span<uint8_t> not_finite{};
  // Rows, ascending, where matrix products may round operands to fewer bits
  // (Outlook::fast_rows).
  std::span<const RowRange> fast{};
  const Trace* trace = nullptr;
  // Asked after the tables were read and before any state is changed, and at the end of a step
  // that read more of the file: false means that what was read may not be what the file held
  // (Code::io).
  const std::function<bool()>* intact = nullptr;
  // Told now and then that a table's bytes in the file will not be read soon: every look-up leaves
  // pages of it resident, which would sum up to all of it.
  const std::function<void(std::span<const std::byte>)>* unread = nullptr;
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

// Whether the weights of hidden units that are zero are left unread: the same bits, sooner where
// many are zero and later where few are (docs/numerics.md).
enum class Sparse : uint8_t {
  off,
  on,
  probed,  // on where a few tokens, tried while the program is compiled, leave enough of them zero
};

// Whether the head has a second plane, a copy in 8 bits a weight, by which a generated token finds
// out which rows of the head it needs exactly: the same tokens, sooner where much of a step is the
// head's (docs/numerics.md).
enum class TwoPlane : uint8_t {
  off,
  on,
  // Where it makes a step read noticeably less. It is made when it is asked for first.
  probed,
};

// A second plane: what it keeps, and how much less a decode step reads with it; zeros where there
// can be none.
struct SecondPlaneCost {
  int64_t bytes = 0;
  int64_t saved = 0;

  // Whether a step that reads so many bytes without it should have it.
  bool wanted(TwoPlane choice, int64_t step_bytes) const;
};

// What some devices can do besides: logits by way of a coarse copy of the head. Owned by its
// executable.
class SecondPlane {
 public:
  virtual ~SecondPlane() = default;
  virtual SecondPlaneCost cost() const = 0;
  // What Step::rough needs; once is enough. Errors: memory; unsupported (a matrix without finite
  // numbers).
  virtual Status make() = 0;
  // Logits 16 g to 16 g + 15 of each group g, the bits that a step would have given. Errors: as
  // Executable::run(), without consequences.
  virtual Status exact_logits(const float* input, std::span<const int32_t> groups, float* logits,
                              const std::function<bool()>& intact) = 0;
};

// A program bound to its weights. Not reentrant: the owner serialises calls.
class Executable {
 public:
  // What is known of it, once.
  struct Facts {
    int64_t weight_bytes = 0;     // resident, after packing
    int64_t bytes_per_token = 0;  // weight and state bytes that one decode step reads
    int64_t flops_per_token = 0;
    bool reads_file = false;         // whether steps read weights where they lie in the model file,
                                     // besides tables
    bool skips_zeros = false;        // CompileOptions::sparse
    std::vector<std::string> notes;  // which of the wishes could not be had, in sentences
  };

  virtual ~Executable() = default;
  // Errors: memory, io (see Step::intact), corrupt (a table's row); the states are then unchanged.
  // After a device error they are undefined, and after an io error of one that reads the file too.
  virtual Status run(const Step& step) = 0;
  // Where the states live that its steps take, and whether this is one of them: made there, or
  // another pool's that lies in the same memory in the same way.
  virtual std::shared_ptr<StatePool> states() const = 0;
  virtual bool takes(const DeviceState& state) const { return &state.pool() == states().get(); }
  virtual const Facts& facts() const = 0;
  // Nothing where there is none, or none was wished for.
  virtual SecondPlane* second_plane() { return nullptr; }
  // With the threads that a step has: one token's for the reading, a prompt's for the arithmetic.
  virtual DeviceLimits measure_limits(int /*passes*/) { return {}; }
};

// What running a program takes of one memory, in bytes.
struct MemoryNeed {
  int64_t weights = 0;      // stay
  int64_t mapped = 0;       // of them, those that stay in the model file, as its pages
  int64_t packing = 0;      // on top of them while compile() makes them ready
  int64_t step = 0;         // of one, besides weights, states and logits
  int64_t fast_step = 0;    // more of one that has Step::fast rows
  int64_t state = 0;        // of each sequence, before anything grows
  int64_t state_pages = 1;  // states together take whole ones of these
};
struct MemoryNeeds {
  MemoryNeed host;
  MemoryNeed device;  // where a device has a memory of its own
};

// What compiling would give, told before anything is allocated.
struct Outlook {
  MemoryNeeds memory;  // with steps of at most so many tokens; without a second plane
  // Whether Step::fast rows are computed in another, faster way than the rest.
  bool fast_rows = false;
  // At most: how the head is packed is not known yet.
  SecondPlaneCost second_plane;
  int64_t bytes_per_token = 0;  // weights and state that a decode step reads, at most
};

struct CompileOptions {
  Sparse sparse = Sparse::off;
  TwoPlane two_plane = TwoPlane::off;
  // Told that a weight's file bytes will not be read again.
  std::function<void(const WeightData&)> done;
  // Told after each weight: bytes of the file done so far. Returning false gives up (Code::io,
  // "interrupted").
  std::function<bool(int64_t bytes_done)> progress;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string describe() const = 0;  // "CPU, AVX-512, 2 threads"
  // Whether it has a kernel for this; of a composite operation otherwise for those that it is
  // written as. Programs are expanded accordingly before they come here.
  virtual bool computes(const Op& /*op*/) const { return true; }
  virtual Outlook outlook(const Program& program, std::span<const WeightData> weights,
                          int64_t tokens) const = 0;
  // Seconds that a decode step's products take with weights like these, of which nothing but shape
  // and type is looked at: measured now, a moment for each type. 0 where nobody knows.
  virtual double product_seconds(std::span<const WeightData> /*weights*/) { return 0; }
  // Errors: those of reading weights; memory; io "interrupted".
  virtual Result<std::unique_ptr<Executable>> compile(const Program& program,
                                                      std::span<const WeightData> weights,
                                                      const CompileOptions& options) = 0;
};

}  // namespace skein::ops

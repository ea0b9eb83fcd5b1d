// Models whose tensors contradict each other: a whole one of some design under some naming, then
// changed here and there. Names, shapes and numbers beside the tensors are all that decides what is
// recorded, so what is not refused has to run.
#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "arch/names/names.h"
#include "base/check.h"
#include "base/limits.h"
#include "ops/reference.h"
#include "support/design_shapes.h"

namespace skein {
namespace {

constexpr int64_t kMostElements = 1 << 16;
std::array<float, kMostElements> numbers;  // what every tensor is a view of

class Bytes {
 public:
  Bytes(const uint8_t* data, size_t size) : data_(data), size_(size) {}
  bool left() const { return size_ > 0; }
  uint8_t next() {
    if (size_ == 0) return 0;
    --size_;
    return *data_++;
  }

 private:
  const uint8_t* data_;
  size_t size_;
};

// As a reader would hand it out: contiguous, with the bytes of its shape.
bool place(StoredTensor& tensor) {
  int64_t elements = 1;
  for (const int64_t axis : tensor.shape.axes()) {
    elements *= axis;
    if (elements > kMostElements) return false;
  }
  tensor.strides = tensor.shape.contiguous_strides();
  tensor.offset = 0;
  tensor.storage =
      std::as_bytes(std::span(numbers)).first(static_cast<size_t>(elements) * sizeof(float));
  return true;
}

// A file of this design, under a naming that can write it.
Container whole_model(Bytes& bytes) {
  const auto designs = test::runnable_designs();
  test::ModelSizes sizes = {.layers = 1 + bytes.next() % 2,
                            .width = 12,
                            .heads = 1 + bytes.next() % 3,
                            .inner = 10,
                            .vocab = 6,
                            .rank_w = 3,
                            .rank_a = 5,
                            .rank_v = 2,
                            .rank_g = 4,
                            .design = designs[bytes.next() % designs.size()]};
  if (sizes.design == "rwkv6qwen2") sizes.groups = bytes.next() % 4;
  const auto rows = arch::designs();
  const auto design = std::find_if(rows.begin(), rows.end(),
                                   [&](const auto& row) { return row.id == sizes.design; });
  arch::NamedModel model = test::without_numbers(test::telling_shapes(sizes), hints_of(sizes));
  Container out;
  const auto architecture = design->open(model, "model");
  if (!architecture) return out;
  model.tensors.clear();
  for (const arch::WeightSpec& spec : (*architecture)->weights()) {
    if (spec.unused) continue;
    StoredTensor& tensor = model.tensors[spec.name];
    tensor.name = spec.name;
    tensor.shape = spec.shape;
    SK_CHECK(place(tensor));
  }
  static constexpr const arch::names::Naming* kNamings[] = {
      &arch::names::kOfficial, &arch::names::kPacked, &arch::names::kFla, &arch::names::kGguf};
  const auto* naming = kNamings[bytes.next() % std::size(kNamings)];
  out.format = naming == &arch::names::kGguf     ? Format::gguf
               : naming == &arch::names::kPacked ? Format::packed
                                                 : Format::safetensors;
  const auto written = naming->write(model, sizes.design);
  if (!written) return out;
  out.metadata = naming->describe(model, **architecture, sizes.design);
  for (const auto& foreign : *written) {
    StoredTensor& tensor = out.tensors.emplace_back();
    tensor.name = foreign.name;
    tensor.shape = foreign.shape;
    SK_CHECK(place(tensor));
  }
  return out;
}

void change(Container& file, Bytes& bytes) {
  if (file.tensors.empty()) return;
  const size_t index = bytes.next() % file.tensors.size();
  StoredTensor& tensor = file.tensors[index];
  const uint8_t what = bytes.next(), value = bytes.next();
  std::vector<int64_t> axes(tensor.shape.axes().begin(), tensor.shape.axes().end());
  switch (what % 6) {
    case 0: file.tensors.erase(file.tensors.begin() + static_cast<std::ptrdiff_t>(index)); return;
    case 1:
      if (!axes.empty()) axes[what / 6 % axes.size()] = value % 40;
      break;
    case 2:
      if (axes.size() < 5)
        axes.insert(axes.begin() + what / 6 % (static_cast<int>(axes.size()) + 1), value % 7);
      break;
    case 3:
      if (!axes.empty()) axes.erase(axes.begin() + what / 6 % static_cast<int>(axes.size()));
      break;
    case 4: {  // names are unique
      std::string name = tensor.name + (value % 2 ? "_A" : "");
      if (name.size() > 8) name[value % name.size()] = "0123wkvrg."[value % 10];
      const bool taken = std::any_of(file.tensors.begin(), file.tensors.end(),
                                     [&](const auto& other) { return other.name == name; });
      if (!taken) tensor.name = std::move(name);
      return;
    }
    default: {
      if (file.metadata.empty()) return;
      auto entry = file.metadata.begin();
      std::advance(entry, index % file.metadata.size());
      static constexpr double kOdd[] = {-1, 0, 0.5, 1e300, -1e300, 3, 65537, 1e-40};
      if (value % 3 == 0)
        entry->second = kOdd[value / 3 % std::size(kOdd)];
      else if (value % 3 == 1)
        entry->second = uint64_t{value} << (value % 57);
      else
        entry->second = -int64_t{value};
      return;
    }
  }
  const Shape before = tensor.shape;
  tensor.shape = Shape(axes);
  if (!place(tensor)) {
    tensor.shape = before;
    place(tensor);
  }
}

void run(const Container& file) {
  const arch::Identified what = arch::identify(file);
  const auto model = arch::official_model(file, what, "file");
  if (!model) return SK_CHECK(!model.error().message.empty());
  const auto architecture = what.design->open(*model, "file");
  if (!architecture) return SK_CHECK(!architecture.error().message.empty());
  const auto weights = arch::collect_weights(**architecture, model->tensors, "file");
  if (!weights) return SK_CHECK(!weights.error().message.empty());
  const ops::Program program = (*architecture)->forward();
  const auto parts = (*architecture)->state();
  SK_CHECK(parts.size() == program.slots.size());
  const auto backend = ops::reference_backend();
  const auto executable = backend->compile(program, *weights, {});
  if (!executable) return;
  const auto state = (*executable)->states()->make();
  SK_CHECK(state.has_value());
  for (size_t i = 0; i < parts.size(); ++i) {
    const std::vector<float> initial(static_cast<size_t>(program.slots[i].size), parts[i].initial);
    SK_CHECK((*state)
                 ->write(static_cast<ops::SlotId>(i), std::as_bytes(std::span(initial)))
                 .has_value());
  }
  const int64_t vocab = (*architecture)->dimensions().vocab;
  std::vector<float> logits(static_cast<size_t>(vocab));
  const std::vector<int32_t> tokens = {0, static_cast<int32_t>(vocab - 1)}, outputs = {1};
  const ops::Sequence sequence = {0, 2, state->get()};
  SK_CHECK((*executable)
               ->run({.tokens = tokens,
                      .sequences = {&sequence, 1},
                      .outputs = outputs,
                      .logits = logits.data()})
               .has_value());
}

}  // namespace
}  // namespace skein

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  skein::Bytes bytes(data, size);
  skein::Container file = skein::whole_model(bytes);
  for (int i = 0; i < 12 && bytes.left(); ++i) skein::change(file, bytes);
  skein::run(file);
  return 0;
}

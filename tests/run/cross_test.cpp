// Tables crossed: designs by types a file can hold its weights in, by uses, layouts and containers,
// on one to three threads. Generated from the project's own tables, so that a new row is covered by
// itself. The designs that a container takes divide its types among each other, so that each type
// is tried in each use and each container; SKEIN_TESTS=thorough tries all of them with every
// design, SKEIN_TESTS=exhaustive (./dev cross) also in more sizes.
#include <gtest/gtest.h>
#include <unistd.h>

#include <iostream>
#include <list>
#include <set>

#include "quant/formats.h"
#include "quant/panels.h"
#include "run/convert.h"
#include "support/make_model.h"
#include "support/models.h"
#include "support/thorough.h"

namespace skein {
namespace {

using io::WriteFormat;

int64_t groups_of(const std::string& design) { return design == "rwkv6qwen2" ? 1 : 0; }

// Ranks of 1, of whole panels and of none; heads of 32 to 128; widths that fill panels and blocks,
// one that fills no super-block and one that fills neither.
std::vector<test::ModelSizes> sizes_of(const std::string& design) {
  std::vector<test::ModelSizes> out = {
      {.width = 256, .heads = 4, .inner = 256, .rank_w = 32, .rank_a = 16, .rank_v = 64},
      {.width = 256, .heads = 2, .inner = 272, .rank_w = 40, .rank_a = 1, .rank_v = 5},
      {.width = 96, .heads = 3, .inner = 160, .rank_w = 1, .rank_a = 32, .rank_v = 1, .rank_g = 7},
      {.width = 72, .heads = 1, .inner = 40, .rank_w = 3, .rank_a = 48, .rank_v = 7, .rank_g = 1}};
  if (test::exhaustive()) {
    out.push_back({.width = 512, .heads = 8, .inner = 768, .rank_w = 64, .rank_a = 24});
    out.push_back({.width = 320, .heads = 5, .inner = 1024, .rank_w = 16, .rank_a = 64});
  }
  for (test::ModelSizes& sizes : out) {
    sizes.design = design;
    sizes.groups = groups_of(design);
  }
  return out;
}

// In all sizes but the first a few types stand for all.
bool is_tried(size_t size, std::string_view target) {
  static constexpr std::string_view kFew[] = {"small", "near-lossless", "F16", "Q4_0"};
  return test::exhaustive() || size == 0 ||
         std::find(std::begin(kFew), std::end(kFew), target) != std::end(kFew);
}

std::string name_of(const test::ModelSizes& sizes) {
  return fmt::format("{} of width {}, heads of {}, ranks {} {} {} {}", sizes.design, sizes.width,
                     sizes.width / sizes.heads, sizes.rank_w, sizes.rank_a, sizes.rank_v,
                     sizes.rank_g);
}

// Of matrices that make nothing larger: where layers amplify, roundings look like wrong numbers.
test::ModelData calm_model(const test::ModelSizes& sizes) {
  test::ModelData model = test::random_model(sizes);
  for (auto& [name, tensor] : model) {
    const int64_t columns = tensor.shape[tensor.shape.rank() - 1];
    if (tensor.shape.elements() == columns) continue;
    const float factor = 4 / std::sqrt(static_cast<float>(columns));
    for (float& number : tensor.data) number *= std::min(factor, 1.0f);
  }
  return model;
}

// The place of a design among those that a container takes, and how many these are.
struct Turn {
  size_t turn = 0, turns = 0;
};

class Cross : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / fmt::format("skein_cross_{}", getpid());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override {
    std::filesystem::remove_all(folder_);
    std::cout << "[    CROSS ] " << GetParam() << ": " << ran_ << " files ran, " << refused_
              << " refused\n";
  }

  std::filesystem::path write(const test::ModelData& model, const arch::Hints& hints,
                              const std::string& name) {
    return test::write_model(folder_ / name, model, hints);
  }

  std::vector<float> logits_of(Model& model, size_t chunk = SIZE_MAX) {
    State state = model.new_state();
    return test::logits_of(model, state, std::vector<int32_t>{1, 5, 9, 2, 2, 30, 7}, chunk);
  }
  std::vector<float> logits_of(const std::filesystem::path& path) {
    const auto model = test::open_model(path, {.threads = 1});
    return model ? logits_of(*model) : std::vector<float>();
  }

  // Those of the file on one thread, after those on more, and those of one token at a time, were
  // seen to be the same: on one to three threads in turn, or on all of them.
  std::vector<float> same_on_all_threads(const std::filesystem::path& path) {
    const std::vector<float> one = logits_of(path);
    ++ran_;
    for (const int threads : {1, 2, 3}) {
      if (!test::exhaustive() && threads != 1 + ran_ % 3) continue;
      const auto model = test::open_model(path, {.threads = threads});
      if (!model) return {};
      EXPECT_TRUE(test::same_bits(logits_of(*model), one)) << threads << " threads";
      EXPECT_TRUE(test::same_bits(logits_of(*model, 1), one)) << "one token at a time";
    }
    return one;
  }

  // Nullopt where the writer has no such file.
  std::optional<std::filesystem::path> convert(const std::filesystem::path& in,
                                               const std::string& name, ConvertOptions options) {
    const auto out = folder_ / name;
    const auto conversion = Conversion::prepare(in, std::move(options));
    if (!conversion) {
      EXPECT_TRUE(conversion.error().code == Code::unsupported ||
                  conversion.error().code == Code::argument)
          << conversion.error().message;
      ++refused_;
      return std::nullopt;
    }
    const Status done = conversion->write(out, {.overwrite = true, .threads = 1});
    EXPECT_TRUE(done) << (done ? "" : done.error().message);
    return out;
  }

  Turn turn_in(const ConvertOptions& container) {
    Turn out;
    for (const std::string& design : test::runnable_designs()) {
      const test::ModelSizes sizes = {
          .inner = 64, .vocab = 8, .design = design, .groups = groups_of(design)};
      const auto source = write(test::random_model(sizes), hints_of(sizes), "small.safetensors");
      const bool fits = Conversion::prepare(source, container).has_value();
      if (design == GetParam()) out.turn = out.turns;
      if (fits) ++out.turns;
    }
    return out;
  }

  // The same tensors in the same types, their rows one after the other where the source has panels.
  std::filesystem::path in_rows(const std::filesystem::path& packed) {
    const auto out = folder_ / "rows.skein";
    const auto files = io::ModelFiles::open(packed);
    EXPECT_TRUE(files);
    std::vector<io::OutputTensor> tensors;
    for (const StoredTensor& tensor : files->container().tensors)
      tensors.push_back(
          {.name = tensor.name, .dtype = tensor.dtype, .shape = tensor.shape, .parts = {tensor}});
    const Status done =
        io::write_model(out, WriteFormat::packed, tensors, files->container().metadata,
                        {.overwrite = true, .threads = 1});
    EXPECT_TRUE(done) << (done ? "" : done.error().message);
    return out;
  }

  std::filesystem::path folder_;
  int ran_ = 0;
  int refused_ = 0;
};

// Codes are multiplied with activations of 16 bits; everything else is the same arithmetic.
// That is 5e-4 in most models here and 3e-3 in one; a wrong tensor is 4 % and more.
constexpr double kCodes = 1e-2;

TEST_P(Cross, a_quantised_file_is_the_f32_run_of_its_numbers) {
  const auto all = sizes_of(GetParam());
  const auto targets = arch::quant_targets();
  std::map<WriteFormat, Turn> turn;
  for (const WriteFormat format : {WriteFormat::packed, WriteFormat::gguf})
    turn[format] = turn_in({.format = format});
  for (size_t size = 0; size < all.size(); ++size) {
    const test::ModelSizes& sizes = all[size];
    const auto source = write(calm_model(sizes), hints_of(sizes), "source.safetensors");
    for (size_t row = 0; row < targets.size(); ++row) {
      const std::string_view target = targets[row];
      if (!is_tried(size, target)) continue;
      const auto type = dtype_named(target);
      for (const auto& [format, mine] : turn) {
        if (!test::taken(row + size, mine.turn, mine.turns)) continue;
        const bool packed = format == WriteFormat::packed;
        SCOPED_TRACE(fmt::format("{}, {}, {}", name_of(sizes), target, packed ? "packed" : "GGUF"));
        const auto file = convert(source, packed ? "q.skein" : "q.gguf",
                                  {.format = format, .quant = std::string(target)});
        if (!file) continue;
        const auto logits = same_on_all_threads(*file);
        if (packed) {
          EXPECT_TRUE(test::same_bits(logits_of(in_rows(*file)), logits)) << "panels are not rows";
        }
        const auto plain = convert(*file, "plain.safetensors",
                                   {.format = WriteFormat::safetensors, .type = DType::f32});
        ASSERT_TRUE(plain);
        const bool numbers = type && block_size(*type).elements == 1;
        EXPECT_LE(test::relative_error(logits, logits_of(*plain)), numbers ? 0 : kCodes);
      }
    }
  }
}

// ---- every type a container can carry, in every use ---------------------------------------------

// Numbers that the type can hold, and its bytes: codes and scales where it has a writer, small
// whole numbers where it holds such.
struct Stored {
  std::vector<std::byte> bytes;
  std::vector<float> numbers;
};

template <typename T>
void put(std::span<const float> numbers, float factor, std::vector<std::byte>& out) {
  for (const float number : numbers) {
    const auto value = static_cast<T>(number * factor);
    const auto bytes = std::as_bytes(std::span(&value, 1));
    out.insert(out.end(), bytes.begin(), bytes.end());
  }
}

Stored stored_as(DType type, std::span<const float> numbers) {
  const BlockSize block = block_size(type);
  Stored out;
  out.numbers.resize(numbers.size());
  std::vector<float> positive(numbers.begin(), numbers.end());
  for (float& number : positive) number = std::fabs(number);
  switch (type) {
    case DType::f64: put<double>(numbers, 1, out.bytes); break;
    case DType::i64: put<int64_t>(numbers, 8, out.bytes); break;
    case DType::i32: put<int32_t>(numbers, 8, out.bytes); break;
    case DType::i16: put<int16_t>(numbers, 8, out.bytes); break;
    case DType::i8: put<int8_t>(numbers, 8, out.bytes); break;
    case DType::u8: put<uint8_t>(positive, 8, out.bytes); break;
    case DType::boolean: put<uint8_t>(positive, 4, out.bytes); break;
    case DType::mxfp4:  // an exponent, then codes
      for (size_t i = 0; i < numbers.size() / 32; ++i)
        for (int k = 0; k < 17; ++k)
          out.bytes.push_back(
              std::byte(k == 0 ? 125 : (i * 37 + static_cast<size_t>(k) * 101) % 256));
      break;
    default:
      out.bytes.resize(numbers.size() / static_cast<size_t>(block.elements) *
                       static_cast<size_t>(block.bytes));
      EXPECT_TRUE(quant::encode(type, numbers, out.bytes)) << dtype_name(type);
  }
  EXPECT_TRUE(quant::decode(type, out.bytes, out.numbers)) << dtype_name(type);
  return out;
}

class Encoded {
 public:
  const Stored& get(const std::string& name, DType type, const std::vector<float>& numbers) {
    auto& kept = kept_[{name, type}];
    for (const auto& [source, stored] : kept)
      if (source == numbers) return stored;
    return kept.emplace_back(numbers, stored_as(type, numbers)).second;
  }

 private:
  std::map<std::pair<std::string, DType>, std::list<std::pair<std::vector<float>, Stored>>> kept_;
};

struct Carrier {
  const char* name;
  ConvertOptions options;
  Layout layout;  // of a matrix, where its type has it
};

std::vector<Carrier> carriers() {
  const auto as = [](WriteFormat format, std::string names = {}) {
    return ConvertOptions{.format = format, .names = std::move(names), .type = DType::f32};
  };
  return {{"pth", as(WriteFormat::pth), Layout::rows},
          {"safetensors", as(WriteFormat::safetensors), Layout::rows},
          {"safetensors of fla", as(WriteFormat::safetensors, "fla"), Layout::rows},
          {"GGUF", as(WriteFormat::gguf), Layout::rows},
          {"rows of packed", as(WriteFormat::packed), Layout::rows},
          {"panels of packed", as(WriteFormat::packed), Layout::panels16},
          {"codes of packed", as(WriteFormat::packed), Layout::codes16}};
}

bool has_layout(DType type, Layout layout) {
  switch (layout) {
    case Layout::rows: return true;
    case Layout::panels16: return type == DType::f32 || type == DType::f16 || type == DType::bf16;
    case Layout::codes16: return quant::code_panels(type) != nullptr;
  }
  return false;
}

// Which type each class of weights is given; what has none stays F32.
using Types = std::map<arch::WeightClass, DType>;

std::string text_of(const Types& types) {
  std::string out;
  for (const auto& [kind, type] : types)
    out += fmt::format("{}{} of {}", out.empty() ? "" : ", ", arch::weight_class_name(kind),
                       dtype_name(type));
  return out;
}

// A file in F32 whose weights are stored in other types.
class Retyped {
 public:
  // `known` keeps what was encoded before: containers have much in common.
  Retyped(const io::ModelFiles& files, const Conversion& conversion, Encoded& known)
      : files_(files), known_(known) {
    for (const ConvertedTensor& tensor : conversion.tensors()) kinds_[tensor.name] = tensor.kind;
  }

  // Takes away from `types` what no weight has: no such class, or no rows of whole blocks.
  void change(Types& types, Layout layout) {
    typed_.clear(), plain_.clear();
    Types found;
    for (const StoredTensor& tensor : files_.container().tensors) {
      const auto kind = kinds_.at(tensor.name);
      const auto type = types.find(kind);
      const int64_t row = tensor.shape[tensor.shape.rank() - 1];
      if (type == types.end() || row % block_size(type->second).elements != 0) {
        const io::OutputTensor same = {
            .name = tensor.name, .shape = tensor.shape, .parts = {tensor}};
        typed_.push_back(same);
        plain_.push_back(same);
        continue;
      }
      found.insert(*type);
      std::vector<float> numbers(static_cast<size_t>(tensor.shape.elements()));
      EXPECT_TRUE(quant::read_f32(tensor, numbers));
      const Stored& stored = known_.get(tensor.name, type->second, numbers);
      const bool matrix = tensor.shape.rank() == 2 && kind != arch::WeightClass::vector;
      add(tensor, type->second, stored.bytes, matrix ? layout : Layout::rows, typed_);
      add(tensor, DType::f32, std::as_bytes(std::span(stored.numbers)), Layout::rows, plain_);
    }
    types = std::move(found);
  }
  // A few rows of a matrix in this type: what tells whether a container has it, whatever the use.
  io::OutputTensor rows_of(DType type, Layout layout) {
    const auto& all = files_.container().tensors;
    const auto found = std::find_if(all.begin(), all.end(), [&](const StoredTensor& tensor) {
      return kinds_.at(tensor.name) == arch::WeightClass::feed_forward && tensor.shape.rank() == 2;
    });
    EXPECT_NE(found, all.end());
    StoredTensor some = *found;
    const int64_t row = some.shape[1];
    EXPECT_EQ(row % block_size(type).elements, 0) << "all types have rows of this length";
    some.shape = {16, row};
    few_ = stored_as(type, test::Random(1).floats(static_cast<size_t>(16 * row)));
    std::vector<io::OutputTensor> out;
    add(some, type, few_.bytes, layout, out);
    return out[0];
  }
  std::span<const io::OutputTensor> typed() const { return typed_; }
  std::span<const io::OutputTensor> plain() const { return plain_; }

 private:
  static void add(const StoredTensor& like, DType type, std::span<const std::byte> bytes,
                  Layout layout, std::vector<io::OutputTensor>& out) {
    StoredTensor part;
    part.name = like.name;
    part.dtype = type;
    part.shape = like.shape;
    part.strides = like.shape.contiguous_strides();
    part.storage = bytes;
    out.push_back(
        {.name = like.name, .dtype = type, .shape = like.shape, .parts = {part}, .layout = layout});
  }

  const io::ModelFiles& files_;
  std::map<std::string, arch::WeightClass> kinds_;
  std::vector<io::OutputTensor> typed_;
  std::vector<io::OutputTensor> plain_;
  Stored few_;
  Encoded& known_;
};

// As many files as there are types: in the k-th every class has a type of its own, the next one to
// that of the k-1st, so that together they have each type in each use.
std::vector<Types> each_in_each_use(const std::vector<DType>& types) {
  std::vector<Types> out(types.size());
  for (size_t file = 0; file < types.size(); ++file)
    for (size_t kind = 0; kind <= static_cast<size_t>(arch::WeightClass::vector); ++kind)
      out[file][static_cast<arch::WeightClass>(kind)] = types[(file + kind) % types.size()];
  return out;
}

TEST_P(Cross, a_weight_of_any_type_in_any_use_is_its_numbers_or_refused) {
  const test::ModelSizes sizes = sizes_of(GetParam())[0];
  const auto source = write(test::random_model(sizes), hints_of(sizes), "source.safetensors");
  const auto path = folder_ / "typed", twin = folder_ / "plain";
  std::set<std::pair<arch::WeightClass, DType>> tried;
  Encoded known;
  for (const Carrier& carrier : carriers()) {
    const auto base = convert(source, "base", carrier.options);
    if (!base) continue;
    const auto conversion = Conversion::prepare(source, carrier.options);
    const auto files = io::ModelFiles::open(*base);
    ASSERT_TRUE(conversion && files);
    const Turn mine = turn_in(carrier.options);
    Retyped file(*files, *conversion, known);
    const auto is_written = [&](const auto& tensors, const auto& to) {
      return io::write_model(to, carrier.options.format, tensors, files->container().metadata,
                             {.overwrite = true, .threads = 1})
          .has_value();
    };
    // Codes are rounded differently, all else is exact: they are not mixed in one file.
    for (const bool codes : {false, true}) {
      std::vector<DType> types;
      for (int i = 0; i < kDTypes; ++i) {
        const auto type = static_cast<DType>(i);
        if (!quant::decodable(type) || !has_layout(type, carrier.layout)) continue;
        if ((quant::code_panels(type) != nullptr) != codes) continue;
        const io::OutputTensor few = file.rows_of(type, carrier.layout);
        if (is_written(std::span(&few, 1), path)) {
          types.push_back(type);
        } else {
          ++refused_;
        }
      }
      auto tries = each_in_each_use(types);
      for (size_t row = 0; row < tries.size(); ++row) {
        if (!test::taken(row, mine.turn, mine.turns)) continue;
        Types& each = tries[row];
        file.change(each, carrier.layout);
        SCOPED_TRACE(fmt::format("{}, {}, {}", name_of(sizes), carrier.name, text_of(each)));
        ASSERT_TRUE(is_written(file.typed(), path));
        ASSERT_TRUE(is_written(file.plain(), twin));
        const auto logits = same_on_all_threads(path);
        EXPECT_LE(test::relative_error(logits, logits_of(twin)), codes ? kCodes : 0);
        tried.insert(each.begin(), each.end());
      }
    }
  }
  std::cout << "[    CROSS ] " << GetParam() << ": " << tried.size() << " types in a use\n";
}

TEST(CrossShare, all_turns_together_take_each_row) {
  for (const size_t turns : {1, 2, 3, 4, 9})
    for (size_t row = 0; row < 30; ++row) {
      size_t takers = 0;
      for (size_t turn = 0; turn < turns; ++turn) takers += test::taken(row, turn, turns);
      EXPECT_GE(takers, 1u) << "row " << row << " of " << turns;
      EXPECT_LE(takers, test::thorough() ? turns : (turns + 2) / 3);
    }
}

INSTANTIATE_TEST_SUITE_P(Design, Cross, testing::ValuesIn(test::runnable_designs()),
                         [](const auto& design) {
                           std::string name = design.param;
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

}  // namespace
}  // namespace skein

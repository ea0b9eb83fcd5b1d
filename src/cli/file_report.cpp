#include "cli/file_report.h"

#include <algorithm>
#include <cmath>

#include "arch/adapter.h"
#include "arch/registry.h"
#include "base/file.h"
#include "cli/console.h"
#include "cli/model_options.h"
#include "io/model_files.h"
#include "quant/formats.h"
#include "quant/read.h"
#include "run/vocabulary.h"

namespace skein::cli {
namespace {

using Progress = std::function<void(int64_t, int64_t)>;

// Numbers that are looked at together in a check.
constexpr int64_t kPiece = 64 * 1024;

int64_t bytes_of(const StoredTensor& tensor) {
  if (tensor.dtype == DType::unread) return static_cast<int64_t>(tensor.storage.size());
  return bytes_of(tensor.dtype, tensor.shape.elements());
}

void add(Share& share, const StoredTensor& tensor) {
  ++share.tensors;
  share.elements += tensor.shape.elements();
  share.bytes += bytes_of(tensor);
}

FileKind kind_of(const Container& container, const arch::Identified& what) {
  if (what.design) return FileKind::model;
  if (container.list) return FileKind::full_state;
  if (arch::holds_tuned_states(container)) return FileKind::tuned_state;
  if (arch::identify_adapter(container) != arch::AdapterKind::none) return FileKind::adapter;
  return FileKind::container;
}

int64_t count_in(std::span<const float> values) {
  return std::count_if(values.begin(), values.end(), [](float x) { return !std::isfinite(x); });
}

// How many numbers of panels of codes are not finite: none, or an error tells of a block.
Result<int64_t> check_codes(const StoredTensor& tensor, const std::function<void(size_t)>& read) {
  const int64_t rows = tensor.shape[0], width = tensor.shape[1];
  const int64_t step = std::clamp<int64_t>(kPiece / width, 1, rows);
  std::vector<float> values(static_cast<size_t>(step * width));
  for (int64_t row = 0; row < rows; row += step) {
    const int64_t count = std::min(step, rows - row);
    SK_TRY_STATUS(quant::read_rows_f32(
        tensor, row, count, std::span(values).first(static_cast<size_t>(count * width))));
  }
  read(tensor.storage.size());
  return 0;
}

// How many numbers of a tensor's whole storage are not finite. Memory does not grow with it.
Result<int64_t> count_in_storage(const io::ModelFiles& files, const StoredTensor& tensor,
                                 const std::function<void(size_t)>& read) {
  if (tensor.layout == Layout::codes16) return check_codes(tensor, read);
  const BlockSize block = block_size(tensor.dtype);
  const auto piece = static_cast<size_t>(kPiece / block.elements * block.bytes);
  std::vector<float> values(static_cast<size_t>(kPiece));
  int64_t count = 0;
  for (auto rest = tensor.storage; !rest.empty();) {
    const auto now = rest.first(std::min(piece, rest.size()));
    const auto part = std::span(values).first(now.size() / static_cast<size_t>(block.bytes) *
                                              static_cast<size_t>(block.elements));
    if (auto status = quant::decode(tensor.dtype, now, part); !status)
      return fail(status.error().code, "{}: tensor {}: {}", files.name(), escaped(tensor.name),
                  status.error().message);
    count += count_in(part);
    files.drop(now);
    rest = rest.subspan(now.size());
    read(now.size());
  }
  return count;
}

// How many of a tensor's own numbers are not finite, of a storage in which `of_storage` are. Where
// a view sees a number more than once, the storage's count stands for it.
Result<int64_t> count_in_view(const StoredTensor& tensor, int64_t of_storage) {
  const int64_t elements = tensor.shape.elements();
  const BlockSize block = block_size(tensor.dtype);
  const auto stored = static_cast<int64_t>(tensor.storage.size()) / block.bytes * block.elements;
  if (of_storage == 0 || elements == 0) return 0;
  const bool whole = tensor.contiguous() && elements == stored;
  if (whole || elements > stored || tensor.shape.rank() < 2) return of_storage;
  int64_t count = 0;
  std::vector<float> row(static_cast<size_t>(elements / tensor.shape[0]));
  for (int64_t i = 0; i < tensor.shape[0]; ++i) {
    SK_TRY_STATUS(quant::read_rows_f32(tensor, i, 1, row));
    count += count_in(row);
  }
  return count;
}

// Each storage is read once, however many tensors lie in it.
Status check_tensors(const io::ModelFiles& files, const Container& container, FileReport& report,
                     const Progress& progress) {
  std::map<std::pair<const std::byte*, DType>, int64_t> counts;
  int64_t done = 0;
  const auto total = static_cast<int64_t>(files.total_bytes());
  const auto read = [&](size_t bytes) {
    done += static_cast<int64_t>(bytes);
    progress(std::min(done, total), total);
  };
  for (size_t i = 0; i < container.tensors.size(); ++i) {
    const StoredTensor& tensor = container.tensors[i];
    if (!quant::decodable(tensor.dtype)) continue;
    report.tensors[i].read = true;
    const auto [count, fresh] = counts.try_emplace({tensor.storage.data(), tensor.dtype}, 0);
    if (fresh) {
      SK_TRY(count->second, count_in_storage(files, tensor, read));
    }
    SK_TRY(report.tensors[i].not_finite, count_in_view(tensor, count->second));
  }
  if (!files.intact()) return fail(Code::io, "{}: became shorter while it was read", files.name());
  report.checked = true;
  return {};
}

// The shares of the classes of the weight list, and what no class has.
std::vector<std::pair<std::string, Share>> shares(const arch::Architecture& architecture,
                                                  const arch::NamedTensors& tensors) {
  std::map<std::string, arch::WeightClass, std::less<>> classes;
  for (const arch::WeightSpec& spec : architecture.weights()) classes[spec.name] = spec.kind;
  std::map<arch::WeightClass, Share> by_class;
  Share other;
  for (const auto& [name, tensor] : tensors) {
    const auto found = classes.find(name);
    add(found == classes.end() ? other : by_class[found->second], tensor);
  }
  std::vector<std::pair<std::string, Share>> out;
  for (const auto& [kind, share] : by_class) out.emplace_back(arch::weight_class_name(kind), share);
  if (other.tensors > 0) out.emplace_back("other", other);
  return out;
}

// A vocabulary inside the file that is broken makes the file so; one that is not found, or of a
// kind that is not known, does not: the model runs with another.
Status find_text(const Metadata& metadata, int64_t rows, FileReport& report) {
  const auto tokenizer = find_tokenizer(ModelText{report.path, rows, &metadata});
  if (tokenizer) {
    const int64_t ids = (*tokenizer)->size();
    report.tokenizer = fmt::format("{}, {} ids", (*tokenizer)->name(), ids);
    // Rows are rounded up, to 1024 at most; more are of another vocabulary, or of a file that was
    // cut.
    constexpr int64_t kPadding = 1024;
    if (rows - ids > kPadding)
      report.notes.push_back(fmt::format(
          "the vocabulary has {} ids and the model {} rows: it may be another one, or cut", ids,
          rows));
    return {};
  }
  const bool own = metadata.contains("tokenizer.ggml.tokens");
  const Code code = tokenizer.error().code;
  if (own && code != Code::unsupported && exit_code(code) == kBadFile)
    return tl::unexpected(tokenizer.error());
  report.tokenizer_problem = tokenizer.error().message;
  return {};
}

// Numbers that are not in the file but computed from it, as rwkv.cpp's exponentials are undone: the
// file's may be finite and these not.
Status check_computed(const ModelSource& source) {
  std::vector<float> row;
  for (const ops::WeightData& weight : source.weights) {
    if (!weight.present || !weight.tensor.computed) continue;
    const StoredTensor& tensor = weight.tensor;
    const bool vector = weight.use == ops::WeightUse::vector;
    const int64_t rows = vector ? 1 : tensor.shape[0];
    row.resize(static_cast<size_t>(tensor.shape.elements() / rows));
    for (int64_t i = 0; i < rows; ++i) {
      SK_TRY_STATUS(vector ? quant::read_f32(tensor, row)
                           : quant::read_rows_f32(tensor, i, 1, row));
      if (count_in(row) > 0)
        return fail(Code::corrupt, "{}: tensor {}: it has a number that is not finite",
                    source.name(), weight.name);
    }
  }
  return {};
}

Status describe_model(io::ModelFiles files, bool check, FileReport& report) {
  SK_TRY(ModelSource source, ModelSource::of(std::move(files)));
  if (check) SK_TRY_STATUS(check_computed(source));
  report.by_class = shares(*source.architecture, source.model.tensors);
  // Everything that running it would look at before its numbers, as `skein run` does by itself.
  SK_TRY(const skein::ModelOptions options, ModelOptions().given());
  SK_TRY(const Opening opening, Opening::look(std::move(source), options));
  report.model = {opening.info(), opening.memory()};
  report.notes = opening.info().notes;
  if (auto status = opening.fits(); !status) report.too_large = std::move(status).error();
  return find_text(opening.metadata(), opening.info().dimensions.vocab, report);
}

}  // namespace

const char* file_kind_name(FileKind kind) {
  switch (kind) {
    case FileKind::model: return "model";
    case FileKind::state: return "state";
    case FileKind::full_state: return "full state";
    case FileKind::tuned_state: return "tuned state";
    case FileKind::adapter: return "adapter";
    case FileKind::container: return "container";
  }
  return "unknown";
}

Result<FileReport> report_file(const std::filesystem::path& path, bool check,
                               const Progress& progress) {
  FileReport report;
  report.path = path.string();
  std::error_code ignored;
  if (!std::filesystem::is_directory(path, ignored)) {
    SK_TRY(const File file, File::map(path));
    if (is_saved_state(file.bytes())) {
      report.kind = FileKind::state;
      report.format = "Skein state";
      report.file_bytes = file.bytes().size();
      SK_TRY(report.state, parse_saved_state(file.bytes(), file.name()));
      report.title = fmt::format("a state of {}", escaped(report.state->design, 64));
      report.checked = check;
      return report;
    }
  }

  SK_TRY(io::ModelFiles files, io::ModelFiles::open(path));
  const std::string name = files.name();
  const Container& container = files.container();
  report.file_bytes = files.total_bytes();
  report.format = files.description();
  report.version = container.version;
  report.notes = container.notes;
  for (const StoredTensor& tensor : container.tensors) {
    report.tensors.push_back(
        {tensor.name, escaped(tensor.type_name(), 32), tensor.shape, bytes_of(tensor), 0, false});
    add(report.by_dtype[report.tensors.back().dtype], tensor);
  }
  const arch::Identified what = arch::identify(container);
  report.kind = kind_of(container, what);
  report.title = what.title();
  report.parameters = what.parameters;

  if (check) {
    SK_TRY_STATUS(files.verify());
    for (const File& file : files.files()) file.drop(file.bytes());
    SK_TRY_STATUS(check_tensors(files, container, report, progress));
  }
  if (report.kind == FileKind::model) {
    if (auto status = describe_model(std::move(files), check, report); !status) {
      // A design that runs, in a file that contradicts it, is a broken file.
      if (what.design->open && status.error().code != Code::unsupported)
        return tl::unexpected(std::move(status).error());
      report.obstacle = std::move(status).error();
    }
  } else if (report.kind == FileKind::container) {
    report.obstacle = Error{Code::unsupported,
                            fmt::format("{}: no model in this file; it is {}", name, what.hint)};
  }
  return report;
}

}  // namespace skein::cli

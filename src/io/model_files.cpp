#include "io/model_files.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <set>
#include <system_error>
#include <unordered_set>
#include <utility>

#include "base/inputs.h"
#include "base/limits.h"
#include "io/container.h"
#include "io/gguf.h"
#include "io/hf_json.h"
#include "io/model_endings.h"
#include "io/wrappers.h"

namespace skein::io {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kIndexEnding = ".index.json";
constexpr std::string_view kConfig = "config.json";

// What a folder is looked through for, in this order.
constexpr std::string_view kFolderFiles[] = {"model.safetensors.index.json", "model.safetensors",
                                             "pytorch_model.bin.index.json", "pytorch_model.bin"};
constexpr int kFolderEntries = 10'000;  // that are looked at

// A link that leads nowhere counts: what it was meant for is not silently left out.
bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(fs::symlink_status(path, ignored));
}

std::string shown(const fs::path& path) { return escaped(path.filename().string()); }

tl::unexpected<Error> in_file(const fs::path& file, Error error) {
  error.message = fmt::format("{}: {}", shown(file), error.message);
  return tl::unexpected<Error>(std::move(error));
}

Result<std::string> read_text(const fs::path& path) {
  remember_input(path);
  SK_TRY(const std::vector<std::byte> bytes, read_file(path, limits::kFolderJsonBytes));
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

// How a split GGUF's parts are called behind the model's name: "-00001-of-00003.gguf".
std::string part_ending(uint64_t part, uint64_t count) {
  return fmt::format("-{:05}-of-{:05}.gguf", part, count);
}

// The number of parts if this is the first one's name; otherwise 0.
uint64_t parts_from(const fs::path& path) {
  const std::string name = path.filename().string();
  const size_t length = part_ending(1, 1).size();
  if (name.size() < length) return 0;
  const std::string_view ending = std::string_view(name).substr(name.size() - length);
  uint64_t count = 0;
  std::from_chars(ending.data() + length - std::string_view("00001.gguf").size(),
                  ending.data() + length, count);
  return ending == part_ending(1, count) ? count : 0;
}

Result<Container> read_whole(const File& file) {
  return read_container_as_is(file.bytes(), file.name());
}

Result<Container> read_part(const File& file) {
  if (!is_gguf(file.bytes())) return read_whole(file);
  auto part = read_gguf_part(file.bytes());
  if (!part) return in_file(file.path(), std::move(part).error());
  return part;
}

// Error: corrupt, unless the key has this value.
Status check_part(const Container& part, std::string_view key, uint64_t value) {
  const auto found = part.metadata.find(key);
  const auto* number =
      found == part.metadata.end() ? nullptr : std::get_if<uint64_t>(&found->second);
  if (number && *number == value) return {};
  return fail(Code::corrupt, "its name wants {} to be {}", key, value);
}

// The only file of a folder that is called like a model.
Result<fs::path> only_model(const fs::path& folder) {
  SK_TRY(const std::vector<std::string> names, names_in(folder, kFolderEntries));
  std::set<std::string> found;
  for (const std::string& name : names)
    if (!model_ending(name).empty()) found.insert(name);
  if (found.empty())
    return fail(Code::unsupported,
                "{}: no model in this folder: neither model.safetensors nor an index of shards nor "
                "any other file that ends like a model's",
                escaped(folder.string()));
  if (found.size() > 1)
    return fail(Code::argument, "{}: {} models in this folder, {} and {} among them; name one",
                escaped(folder.string()), found.size(), escaped(*found.begin()),
                escaped(*std::next(found.begin())));
  return folder / *found.begin();
}

}  // namespace

Result<ModelFiles> ModelFiles::open(const fs::path& path) {
  ModelFiles out;
  out.path_ = path;
  SK_TRY_STATUS(out.read_all());
  // After an index has been compared, which lists the names that stand in the shards.
  if (auto status = unwrap_names(out.container_); !status)
    return fail(status.error().code, "{}: {}", out.name(), status.error().message);
  return out;
}

Status ModelFiles::read_all() {
  std::error_code ignored;
  if (fs::is_directory(path_, ignored)) {
    folder_ = path_;
    SK_TRY_STATUS(read_folder());
  } else if (path_.filename().string().ends_with(kIndexEnding)) {
    folder_ = path_.has_parent_path() ? path_.parent_path() : fs::path(".");
    SK_TRY_STATUS(read_index(path_));
  } else {
    const uint64_t parts = parts_from(path_);
    return parts > 1 ? read_parts(parts) : add(path_, read_whole);
  }
  return read_config();
}

Status ModelFiles::read_folder() {
  for (const std::string_view name : kFolderFiles) {
    const fs::path file = folder_ / name;
    if (!is_there(file)) continue;
    return name.ends_with(kIndexEnding) ? read_index(file) : add(file, read_whole);
  }
  SK_TRY(const fs::path file, only_model(folder_));
  return add(file, read_whole);
}

Status ModelFiles::add(const fs::path& file, Result<Container> (*read)(const File&)) {
  remember_input(file);
  SK_TRY(File mapped, File::map(file));
  const std::string file_name = mapped.name();
  SK_TRY(Container part, read(mapped));
  if (files_.empty()) {
    container_ = std::move(part);
  } else {
    if (part.format != container_.format || part.list != container_.list)
      return fail(Code::mismatch, "{}: {}, where {} is {}", file_name, format_name(part.format),
                  escaped(files_[0].path().filename().string()), format_name(container_.format));
    std::move(part.tensors.begin(), part.tensors.end(), std::back_inserter(container_.tensors));
    container_.metadata.merge(part.metadata);  // of keys that stand twice the first is kept
    for (std::string& note : part.notes)
      container_.notes.push_back(fmt::format("{}: {}", file_name, note));
  }
  files_.push_back(std::move(mapped));
  return {};
}

Status ModelFiles::read_parts(uint64_t count) {
  if (count > limits::kShards)
    return fail(Code::unsupported, "{}: {} parts, more than the limit of {}", shown(path_), count,
                limits::kShards);
  const std::string text = path_.string();
  const std::string stem = text.substr(0, text.size() - part_ending(1, 1).size());
  std::unordered_set<std::string> names;
  for (uint64_t part = 1; part <= count; ++part) {
    const fs::path file = stem + part_ending(part, count);
    const size_t before = container_.tensors.size();
    SK_TRY_STATUS(add(file, read_part));
    const std::pair<const char*, uint64_t> own[] = {{"split.no", part - 1}, {"split.count", count}};
    for (const auto& [key, value] : own) {
      if (auto status = check_part(container_, key, value); !status)
        return in_file(file, std::move(status).error());
      container_.metadata.erase(key);  // of the whole it is not true
    }
    for (size_t i = before; i < container_.tensors.size(); ++i)
      if (!names.insert(container_.tensors[i].name).second)
        return fail(Code::corrupt, "{}: has tensor {}, which a part before it has too", shown(file),
                    escaped(container_.tensors[i].name));
    if (container_.tensors.size() > limits::kTensors)
      return fail(Code::unsupported, "{}: more than the limit of {} tensors in its parts",
                  shown(path_), limits::kTensors);
  }
  return {};
}

Status ModelFiles::read_index(const fs::path& index) {
  SK_TRY(const std::string text, read_text(index));
  auto parsed = parse_shard_index(text);
  if (!parsed) return in_file(index, std::move(parsed).error());
  std::set<std::string_view> shards;
  for (const auto& [tensor, file] : *parsed) shards.insert(file);

  std::unordered_set<std::string_view> seen;
  for (const std::string_view shard : shards) {
    const size_t before = container_.tensors.size();
    SK_TRY_STATUS(add(folder_ / shard, read_whole));
    if (container_.tensors.size() > limits::kTensors)
      return fail(Code::unsupported, "{}: more than the limit of {} tensors in its shards",
                  shown(index), limits::kTensors);
    for (size_t i = before; i < container_.tensors.size(); ++i) {
      const std::string& tensor = container_.tensors[i].name;
      const auto place = parsed->find(tensor);
      if (place == parsed->end())
        return fail(Code::mismatch, "{}: has tensor {}, which {} does not list", escaped(shard),
                    escaped(tensor), shown(index));
      if (place->second != shard)
        return fail(Code::mismatch, "{}: has tensor {}, which {} places in {}", escaped(shard),
                    escaped(tensor), shown(index), escaped(place->second));
    }
  }
  for (const StoredTensor& tensor : container_.tensors) seen.insert(tensor.name);
  for (const auto& [tensor, file] : *parsed)
    if (!seen.contains(tensor))
      return fail(Code::mismatch, "{}: lacks tensor {}, which {} places there", escaped(file),
                  escaped(tensor), shown(index));
  return {};
}

Status ModelFiles::read_config() {
  const fs::path file = folder_ / kConfig;
  if (!is_there(file)) return {};
  SK_TRY(const std::string text, read_text(file));
  auto config = parse_config(text);
  if (!config) return in_file(file, std::move(config).error());
  // What a file says of itself under these names is not heard beside it.
  std::erase_if(container_.metadata,
                [](const auto& entry) { return entry.first.starts_with("config."); });
  container_.metadata.merge(*config);
  return {};
}

std::string ModelFiles::name() const { return escaped(path_.string()); }

std::string ModelFiles::description() const {
  const std::string_view format = format_name(container_.format);
  return files_.size() == 1 ? std::string(format)
                            : fmt::format("{}, {} shards", format, files_.size());
}

uint64_t ModelFiles::total_bytes() const {
  uint64_t bytes = 0;
  for (const File& file : files_) bytes += file.bytes().size();
  return bytes;
}

bool ModelFiles::intact() const {
  return std::all_of(files_.begin(), files_.end(), [](const File& file) { return file.intact(); });
}

const File* ModelFiles::file_of(std::span<const std::byte> part) const {
  for (const File& file : files_) {
    const std::span<const std::byte> bytes = file.bytes();
    if (part.data() >= bytes.data() && part.data() < bytes.data() + bytes.size()) return &file;
  }
  return nullptr;
}

void ModelFiles::drop(std::span<const std::byte> part) const {
  if (const File* file = file_of(part)) file->drop(part);
}

void ModelFiles::read_in_places(std::span<const std::byte> part) const {
  if (const File* file = file_of(part)) file->read_in_places(part);
}

Status ModelFiles::verify() const {
  for (const File& file : files_)
    SK_TRY_STATUS(verify_container(file.bytes(), container_, file.name()));
  return {};
}

}  // namespace skein::io

#include "io/hf_json.h"

#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/limits.h"
#include "io/tensor_table.h"

namespace skein::io {
namespace {

// A file of the same folder and nothing else.
Status check_shard(std::string_view tensor, std::string_view file) {
  SK_TRY_STATUS(check_name("a shard", file));
  if (file == "." || file == ".." || file.find_first_of("/\\") != file.npos)
    return fail(Code::corrupt, "tensor {} is said to be in {}, which is no file of this folder",
                escaped(tensor), escaped(file));
  return {};
}

// Longer ones are no configuration that anything here asks for.
constexpr size_t kLongestList = limits::kMetadataKeys;

std::optional<MetaValue> list_value(const Json::Array& array) {
  if (array.size() > kLongestList) return std::nullopt;
  std::vector<int64_t> integers;
  std::vector<std::string> strings;
  for (const Json& element : array) {
    int64_t integer = 0;
    if (const auto text = element.string())
      strings.emplace_back(*text);
    else if (element.integer(integer))
      integers.push_back(integer);
    else
      return std::nullopt;
  }
  if (strings.empty() == integers.empty()) return std::nullopt;  // nothing, or both
  return strings.empty() ? MetaValue(std::move(integers)) : MetaValue(std::move(strings));
}

// Nothing for what the hand-over leaves out.
std::optional<MetaValue> meta_value(const Json& json) {
  if (const auto flag = json.boolean()) return MetaValue(*flag);
  if (const auto text = json.string()) return MetaValue(std::string(*text));
  int64_t integer = 0;
  if (json.integer(integer)) return MetaValue(integer);
  double number = 0;
  if (json.number(number)) return MetaValue(number);
  if (const Json::Array array = json.array()) return list_value(array);
  return std::nullopt;
}

}  // namespace

Result<ShardMap> parse_shard_index(std::string_view json) {
  SK_TRY(const Json root, parse_json(json, limits::kFolderJsonBytes));
  const Json::Object members = root.find("weight_map").object();
  if (!members) return fail(Code::corrupt, "no object weight_map in this index of shards");
  if (members.empty()) return fail(Code::corrupt, "the weight_map of this index is empty");
  if (members.size() > limits::kTensors)
    return above_limit("tensors", members.size(), limits::kTensors);
  ShardMap out;
  std::set<std::string_view> files;
  for (const auto& [tensor, value] : members) {
    SK_TRY_STATUS(check_name("a tensor", tensor));
    const auto file = value.string();
    if (!file)
      return fail(Code::corrupt, "the weight_map has no file name for tensor {}", escaped(tensor));
    SK_TRY_STATUS(check_shard(tensor, *file));
    files.insert(*file);
    if (files.size() > limits::kShards)
      return above_limit("shards", limits::kShards + 1, limits::kShards);
    out.emplace(std::string(tensor), std::string(*file));
  }
  return out;
}

Result<Metadata> parse_config(std::string_view json) {
  SK_TRY(const Json root, parse_json(json, limits::kFolderJsonBytes));
  const Json::Object members = root.object();
  if (!members) return fail(Code::corrupt, "no JSON object");
  if (members.size() > limits::kMetadataKeys)
    return above_limit("members", members.size(), limits::kMetadataKeys);
  Metadata out;
  for (const auto& [name, value] : members) {
    SK_TRY_STATUS(check_name("a member", name));
    if (auto held = meta_value(value)) out.emplace("config." + std::string(name), *std::move(held));
  }
  return out;
}

}  // namespace skein::io

// Writes containers byte by byte, so that a test can get any one of their fields wrong. Nothing
// here is shared with the code under test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "io/container.h"

namespace skein::test {

using namespace std::string_literals;
using namespace std::string_view_literals;

// Bytes are kept as a string: literals with \0 need the s suffix.
template <typename T>
std::string le(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

inline std::string repeat(std::string_view part, size_t count) {
  std::string out;
  out.reserve(part.size() * count);
  for (size_t i = 0; i < count; ++i) out += part;
  return out;
}

// The 24 bytes of a 2x3 tensor of f32, 1 to 6.
inline std::string six_floats() {
  std::string out;
  for (int i = 1; i <= 6; ++i) out += le(static_cast<float>(i));
  return out;
}

// ---- pickles, opcode by opcode

namespace pickle {
inline std::string text(std::string_view s) {
  return "X" + le(static_cast<uint32_t>(s.size())) + std::string(s);
}
inline std::string number(int32_t n) { return "J" + le(n); }
inline std::string number64(int64_t n) { return "\x8a\x08" + le(n); }
inline std::string tuple(std::string_view items) { return "(" + std::string(items) + "t"; }
inline std::string global(std::string_view module, std::string_view name) {
  return "c" + std::string(module) + "\n" + std::string(name) + "\n";
}
struct Tensor {
  std::string key = "0";
  std::string count = number(6);
  std::string offset = number(0);
  std::string size = tuple(number(2) + number(3));
  std::string stride = tuple(number(3) + number(1));
  std::string type = "FloatStorage";
  std::string sixth = "";  // of the persistent id
};
inline std::string persistent_id(const Tensor& t = {}) {
  return tuple(text("storage") + global("torch", t.type) + text(t.key) + text("cpu") + t.count +
               t.sixth) +
         "Q";
}
inline std::string tensor(const Tensor& t = {}) {
  return global("torch._utils", "_rebuild_tensor_v2") +
         tuple(persistent_id(t) + t.offset + t.size + t.stride + "\x89" +
               global("collections", "OrderedDict") + ")R") +
         "R";
}
inline std::string whole(std::string_view body) { return "\x80\x02" + std::string(body) + "."; }
inline std::string dict(std::string_view pairs) { return "}(" + std::string(pairs) + "u"; }
}  // namespace pickle

// ---- zip

struct ZipPart {
  std::string name;
  std::string data;
};

// Everything a hostile archive can say in two places is a field here; an unset one is honest.
struct ZipSpec {
  std::vector<ZipPart> parts;
  uint16_t flags = 0;
  uint16_t method = 0;
  bool wide = false;       // sizes and offsets through zip64
  std::string descriptor;  // "", "32", "64", "32 bare", "64 bare"
  std::string local_extra;
  std::string central_extra;
  std::string before_first, between, before_directory, before_end, comment, behind;
  // Called with the archive's pieces before they are joined.
  std::function<void(size_t part, std::string& local, std::string& central)> change;
  std::function<void(std::string& end)> change_end;
};

inline std::string zip(const ZipSpec& spec) {
  std::string out = spec.before_first;
  std::string directory;
  const uint16_t flags = spec.descriptor.empty() ? spec.flags : uint16_t(spec.flags | 8);
  for (size_t i = 0; i < spec.parts.size(); ++i) {
    const ZipPart& part = spec.parts[i];
    const uint32_t crc = crc32(bytes_of(part.data));
    const auto size = static_cast<uint32_t>(part.data.size());
    const std::string wide_size = le(uint64_t{size}) + le(uint64_t{size});
    const std::string narrow = spec.wide ? repeat("\xff", 8) : le(size) + le(size);
    const std::string common = le(flags) + le(spec.method) + le(uint32_t{0});
    const std::string local_extra =
        (spec.wide && spec.descriptor.empty() ? le(uint16_t{1}) + le(uint16_t{16}) + wide_size
                                              : "") +
        spec.local_extra;
    const std::string central_extra =
        (spec.wide ? le(uint16_t{1}) + le(uint16_t{24}) + wide_size + le(uint64_t{out.size()})
                   : "") +
        spec.central_extra;
    const auto name_size = static_cast<uint16_t>(part.name.size());
    std::string local = "PK\3\4" + le(uint16_t{20}) + common +
                        (spec.descriptor.empty() ? le(crc) + narrow : std::string(12, '\0')) +
                        le(name_size) + le(static_cast<uint16_t>(local_extra.size())) + part.name +
                        local_extra;
    std::string central = "PK\1\2" + le(uint16_t{20}) + le(uint16_t{20}) + common + le(crc) +
                          narrow + le(name_size) + le(static_cast<uint16_t>(central_extra.size())) +
                          le(uint16_t{0}) + le(uint16_t{0}) + le(uint16_t{0}) + le(uint32_t{0}) +
                          le(spec.wide ? UINT32_MAX : static_cast<uint32_t>(out.size())) +
                          part.name + central_extra;
    if (spec.change) spec.change(i, local, central);
    out += local + part.data;
    if (!spec.descriptor.empty()) {
      if (!spec.descriptor.ends_with("bare")) out += "PK\7\x08"s;
      out += le(crc) + (spec.descriptor.starts_with("64") ? wide_size : le(size) + le(size));
    }
    if (i == 0) out += spec.between;
    directory += central;
  }
  out += spec.before_directory;
  const uint64_t offset = out.size();
  out += directory + spec.before_end;
  const uint64_t end64 = out.size();
  const uint64_t entries = spec.parts.size();
  std::string end;
  if (spec.wide)
    end = "PK\6\6" + le(uint64_t{44}) + le(uint32_t{0}) + le(uint32_t{0}) + le(uint32_t{0}) +
          le(entries) + le(entries) + le(uint64_t{directory.size()}) + le(offset) + "PK\6\7" +
          le(uint32_t{0}) + le(end64) + le(uint32_t{1});
  end += "PK\5\6" + le(uint32_t{0}) +
         (spec.wide ? repeat("\xff", 12)
                    : le(static_cast<uint16_t>(entries)) + le(static_cast<uint16_t>(entries)) +
                          le(static_cast<uint32_t>(directory.size())) +
                          le(static_cast<uint32_t>(offset))) +
         le(static_cast<uint16_t>(spec.comment.size())) + spec.comment;
  if (spec.change_end) spec.change_end(end);
  return out + end + spec.behind;
}

// A checkpoint around a pickle, with one storage "0" unless others are given.
inline ZipSpec checkpoint(std::string_view pickle,
                          std::vector<ZipPart> storages = {{"m/data/0", six_floats()}}) {
  ZipSpec spec;
  spec.parts.push_back({"m/data.pkl", std::string(pickle)});
  for (ZipPart& part : storages) spec.parts.push_back(std::move(part));
  spec.parts.push_back({"m/version", "3\n"});
  return spec;
}
inline std::string pth(std::string_view pickle) { return zip(checkpoint(pickle)); }
inline std::string good_pickle() {
  return pickle::whole(pickle::dict(pickle::text("w") + pickle::tensor()));
}

// ---- safetensors

inline std::string safetensors(std::string_view header, std::string_view data = six_floats()) {
  return le(uint64_t{header.size()}) + std::string(header) + std::string(data);
}
inline constexpr std::string_view kGoodHeader =
    R"({"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}})";

// ---- GGUF

namespace gguf {
inline std::string text(std::string_view s) { return le(uint64_t{s.size()}) + std::string(s); }
template <typename T>
std::string pair(std::string_view key, uint32_t type, T value) {
  return text(key) + le(type) + le(value);
}
inline std::string pair_text(std::string_view key, std::string_view value) {
  return text(key) + le(uint32_t{8}) + text(value);
}
inline std::string pair_array(std::string_view key, uint32_t type, uint64_t count,
                              std::string_view elements) {
  return text(key) + le(uint32_t{9}) + le(type) + le(count) + std::string(elements);
}
struct Tensor {
  std::string name = "t";
  std::vector<uint64_t> axes = {3, 2};  // as the file has them: the fastest first
  uint32_t type = 0;
  uint64_t offset = 0;
};
inline std::string tensor(const Tensor& t = {}) {
  std::string out = text(t.name) + le(static_cast<uint32_t>(t.axes.size()));
  for (const uint64_t axis : t.axes) out += le(axis);
  return out + le(t.type) + le(t.offset);
}
struct Spec {
  uint32_t version = 3;
  std::vector<std::string> pairs = {};
  std::vector<std::string> tensors = {tensor()};
  std::string data = six_floats();
  size_t alignment = 32;
};
inline std::string file(const Spec& spec) {
  std::string out = "GGUF" + le(spec.version) + le(uint64_t{spec.tensors.size()}) +
                    le(uint64_t{spec.pairs.size()});
  for (const std::string& pair : spec.pairs) out += pair;
  for (const std::string& tensor : spec.tensors) out += tensor;
  out.resize((out.size() + spec.alignment - 1) / spec.alignment * spec.alignment);
  return out + spec.data;
}
}  // namespace gguf

// ---- rwkv.cpp

namespace ggmf {
struct Tensor {
  std::string name = "t";
  std::vector<int32_t> axes = {3, 2};
  int32_t type = 0;
  std::string data = six_floats();
};
inline std::string tensor(const Tensor& t = {}) {
  std::string out = le(static_cast<int32_t>(t.axes.size())) +
                    le(static_cast<int32_t>(t.name.size())) + le(t.type);
  for (const int32_t axis : t.axes) out += le(axis);
  return out + t.name + t.data;
}
inline std::string head(int32_t version = 101, int32_t vocab = 2, int32_t width = 3,
                        int32_t layers = 1, int32_t type = 0) {
  return le(0x67676d66) + le(version) + le(vocab) + le(width) + le(layers) + le(type);
}
// A file that holds what a model has to: embedding, a tensor per block, head.
inline std::string model(int32_t layers, int32_t missing = -1) {
  std::string out = head(101, 2, 3, layers) + tensor({.name = "emb.weight"});
  for (int32_t i = 0; i < layers; ++i)
    if (i != missing) out += tensor({.name = "blocks." + std::to_string(i) + ".ln1.weight"});
  return out + tensor({.name = "head.weight"});
}
}  // namespace ggmf

// ---- answers

inline Result<Container> open(std::string_view file) {
  return io::read_container(bytes_of(file), "file.x");
}

}  // namespace skein::test

#include "io/pth_writer.h"

#include <array>
#include <cstring>

#include "base/hash.h"
#include "base/limits.h"
#include "io/writer_checks.h"

namespace skein::io {
namespace {

constexpr std::string_view kTop = "archive";
constexpr size_t kDataAlignment = 64;  // as torch places storages, so that they can be mapped
constexpr size_t kBatch = 1000;        // items behind one mark; readers bound their stack
constexpr uint64_t kZipBytes = UINT32_MAX;
constexpr uint16_t kZipEntries = UINT16_MAX;

class Bytes {
 public:
  template <typename T>
  void number(T value) {
    const auto raw = std::as_bytes(std::span(&value, 1));
    bytes_.insert(bytes_.end(), raw.begin(), raw.end());
  }
  void text(std::string_view text) { append(std::as_bytes(std::span(text))); }
  void append(std::span<const std::byte> part) {
    bytes_.insert(bytes_.end(), part.begin(), part.end());
  }
  size_t size() const { return bytes_.size(); }
  std::span<const std::byte> view() const { return bytes_; }
  std::vector<std::byte> take() && { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

// The few opcodes of protocol 2 that tensors need. No memo: nothing repeats that is worth it.
class PickleWriter {
 public:
  PickleWriter() { out_.text("\x80\x02"); }
  void opcode(char code) { out_.number(code); }
  void string(std::string_view text) {
    opcode('X');
    out_.number(static_cast<uint32_t>(text.size()));
    out_.text(text);
  }
  void integer(int64_t value) {
    if (value >= INT32_MIN && value <= INT32_MAX) {
      opcode('J');
      out_.number(static_cast<int32_t>(value));
    } else {
      out_.text("\x8a\x08");
      out_.number(value);
    }
  }
  void integers(std::span<const int64_t> values) {
    opcode('(');
    for (const int64_t value : values) integer(value);
    opcode('t');
  }
  void global(std::string_view module, std::string_view name) {
    out_.text(fmt::format("c{}\n{}\n", module, name));
  }
  void tensor(const NamedTensor& tensor, size_t key);
  std::vector<std::byte> finish() && {
    opcode('.');
    return std::move(out_).take();
  }

 private:
  Bytes out_;
};

void PickleWriter::tensor(const NamedTensor& tensor, size_t key) {
  global("torch._utils", "_rebuild_tensor_v2");
  opcode('(');
  opcode('(');
  string("storage");
  global("torch", "FloatStorage");
  string(std::to_string(key));
  string("cpu");
  integer(tensor.shape.elements());
  opcode('t');
  opcode('Q');
  integer(0);
  integers(tensor.shape.axes());
  integers(tensor.shape.contiguous_strides().axes());
  out_.text("\x89");  // requires_grad = False
  global("collections", "OrderedDict");
  out_.text(")R");  // no hooks
  out_.text("tR");
}

std::vector<std::byte> pickle_of(std::span<const NamedTensor> tensors, bool as_list) {
  PickleWriter pickle;
  pickle.opcode(as_list ? ']' : '}');
  for (size_t first = 0; first < tensors.size(); first += kBatch) {
    pickle.opcode('(');
    for (size_t i = first; i < std::min(first + kBatch, tensors.size()); ++i) {
      if (!as_list) pickle.string(tensors[i].name);
      pickle.tensor(tensors[i], i);
    }
    pickle.opcode(as_list ? 'e' : 'u');
  }
  return std::move(pickle).finish();
}

// Stored entries with sizes and CRC in the local header, so nothing stands behind the data.
class ZipWriter {
 public:
  void add(std::string_view name, std::span<const std::byte> data);
  std::vector<std::byte> finish() &&;

 private:
  void common_fields(Bytes& out, uint32_t crc, size_t size, size_t name, size_t extra);

  Bytes out_;
  Bytes directory_;
  uint16_t entries_ = 0;
};

void ZipWriter::common_fields(Bytes& out, uint32_t crc, size_t size, size_t name, size_t extra) {
  out.number(uint16_t{20});  // version needed
  out.number(uint16_t{0});   // flags
  out.number(uint16_t{0});   // stored
  out.number(uint16_t{0});   // time
  out.number(uint16_t{33});  // date: 1980-01-01, so that equal tensors give equal files
  out.number(crc);
  out.number(static_cast<uint32_t>(size));
  out.number(static_cast<uint32_t>(size));
  out.number(static_cast<uint16_t>(name));
  out.number(static_cast<uint16_t>(extra));
}

void ZipWriter::add(std::string_view name, std::span<const std::byte> data) {
  constexpr size_t kLocalBytes = 30, kExtraHead = 4;
  const size_t offset = out_.size();
  const size_t begin = offset + kLocalBytes + name.size() + kExtraHead;
  const size_t padding = (kDataAlignment - begin % kDataAlignment) % kDataAlignment;
  const uint32_t crc = crc32(data);

  out_.text(std::string_view("PK\3\4", 4));
  common_fields(out_, crc, data.size(), name.size(), kExtraHead + padding);
  out_.text(name);
  out_.text("FB");
  out_.number(static_cast<uint16_t>(padding));
  out_.text(std::string(padding, 'Z'));
  out_.append(data);

  directory_.text(std::string_view("PK\1\2", 4));
  directory_.number(uint16_t{20});  // version made by
  common_fields(directory_, crc, data.size(), name.size(), 0);
  directory_.number(uint16_t{0});  // comment
  directory_.number(uint16_t{0});  // disk
  directory_.number(uint16_t{0});  // attributes
  directory_.number(uint32_t{0});
  directory_.number(static_cast<uint32_t>(offset));
  directory_.text(name);
  ++entries_;
}

std::vector<std::byte> ZipWriter::finish() && {
  const size_t offset = out_.size();
  out_.append(directory_.view());
  out_.text(std::string_view("PK\5\6\0\0\0\0", 8));
  out_.number(entries_);
  out_.number(entries_);
  out_.number(static_cast<uint32_t>(directory_.size()));
  out_.number(static_cast<uint32_t>(offset));
  out_.number(uint16_t{0});
  return std::move(out_).take();
}

}  // namespace

Result<std::vector<std::byte>> write_pth(std::span<const NamedTensor> tensors, bool as_list) {
  SK_TRY_STATUS(check_tensors(tensors, !as_list));
  constexpr size_t kPerEntry = 512;  // headers, directory and pickle of one tensor
  constexpr size_t kOwnEntries = 3;
  uint64_t bytes = 0;
  for (const NamedTensor& tensor : tensors)
    bytes += tensor.data.size_bytes() + kPerEntry + 3 * tensor.name.size();
  if (bytes > kZipBytes || tensors.size() + kOwnEntries > kZipEntries)
    return fail(Code::argument, "{} bytes in {} tensors are too much for one .pth without zip64",
                bytes, tensors.size());

  ZipWriter zip;
  const auto entry = [&zip](std::string_view name, std::span<const std::byte> data) {
    zip.add(fmt::format("{}/{}", kTop, name), data);
  };
  entry("data.pkl", pickle_of(tensors, as_list));
  entry("byteorder", std::as_bytes(std::span(std::string_view("little"))));
  for (size_t i = 0; i < tensors.size(); ++i)
    entry(fmt::format("data/{}", i), std::as_bytes(tensors[i].data));
  entry("version", std::as_bytes(std::span(std::string_view("3\n"))));
  return std::move(zip).finish();
}

}  // namespace skein::io

#include <algorithm>

#include "base/limits.h"
#include "io/output_tensor.h"
#include "io/writers.h"
#include "io/zip_writer.h"

namespace skein::io {
namespace {

constexpr std::string_view kTop = "archive";
constexpr size_t kBatch = 1000;  // items behind one mark; readers bound their stack

// The storage class that stands for a type; empty where torch has none that we read back.
std::string_view storage_class(DType type) {
  switch (type) {
    case DType::f32: return "FloatStorage";
    case DType::f16: return "HalfStorage";
    case DType::bf16: return "BFloat16Storage";
    case DType::f64: return "DoubleStorage";
    case DType::i64: return "LongStorage";
    case DType::i32: return "IntStorage";
    case DType::i8: return "CharStorage";
    case DType::u8: return "ByteStorage";
    case DType::boolean: return "BoolStorage";
    default: return {};
  }
}

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
  void tensor(const OutputTensor& tensor, size_t key);
  std::vector<std::byte> finish() && {
    opcode('.');
    return std::move(out_).take();
  }

 private:
  Bytes out_;
};

void PickleWriter::tensor(const OutputTensor& tensor, size_t key) {
  global("torch._utils", "_rebuild_tensor_v2");
  opcode('(');
  opcode('(');
  string("storage");
  global("torch", storage_class(tensor.dtype));
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

std::vector<std::byte> pickle_of(std::span<const OutputTensor> tensors, bool as_list) {
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

Status check(std::span<const OutputTensor> tensors, bool as_list) {
  SK_TRY_STATUS(check_outputs(tensors, !as_list));
  for (const OutputTensor& tensor : tensors)
    if (storage_class(tensor.dtype).empty() || tensor.layout != Layout::rows)
      return fail(Code::argument, "tensor {}: a .pth cannot hold {}{}", escaped(tensor.name),
                  dtype_name(tensor.dtype), tensor.layout == Layout::rows ? "" : " in panels");
  return {};
}

}  // namespace

Status stream_pth(Sink& sink, std::span<const OutputTensor> tensors, const Metadata&,
                  const WriteOptions& options) {
  SK_TRY_STATUS(check(tensors, options.as_list));
  const std::vector<std::byte> pickle = pickle_of(tensors, options.as_list);
  if (pickle.size() > limits::kHeaderBytes)
    return fail(Code::argument, "a pickle of {} bytes, the limit is {}", pickle.size(),
                limits::kHeaderBytes);
  ZipWriter zip(sink, options.zip64_from);
  const auto entry = [](std::string_view name) { return fmt::format("{}/{}", kTop, name); };
  const auto raw = [](std::string_view text) { return std::as_bytes(std::span(text)); };
  SK_TRY_STATUS(zip.add(entry("data.pkl"), pickle));
  SK_TRY_STATUS(zip.add(entry("byteorder"), raw("little")));
  for (size_t i = 0; i < tensors.size(); ++i) {
    SK_TRY(const uint64_t bytes, output_bytes(tensors[i]));
    SK_TRY_STATUS(
        zip.add(entry(fmt::format("data/{}", i)), bytes, [&] { return sink.tensor(tensors[i]); }));
  }
  SK_TRY_STATUS(zip.add(entry("version"), raw("3\n")));
  return zip.finish();
}

}  // namespace skein::io

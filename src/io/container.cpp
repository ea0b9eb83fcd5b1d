#include "io/container.h"

#include <algorithm>
#include <array>

#include "io/ggmf.h"
#include "io/gguf.h"
#include "io/packed.h"
#include "io/pth.h"
#include "io/safetensors.h"
#include "io/wrappers.h"

namespace skein::io {
namespace {

// One row per kind of file, in the order in which they are tried: the magics of four bytes and
// more before safetensors, whose mark is weaker.
struct FormatRow {
  Format format;
  bool (*recognise)(std::span<const std::byte> file);
  Result<Container> (*read)(std::span<const std::byte> file);
  Status (*verify)(std::span<const std::byte> file);  // nullptr: nothing beyond reading
};

constexpr FormatRow kFormats[] = {
    {Format::pth_zip, is_pth_zip, read_pth_zip, verify_pth_zip},
    {Format::gguf, is_gguf, read_gguf, nullptr},
    {Format::packed, is_packed, read_packed, verify_packed},
    {Format::ggmf, is_ggmf, read_ggmf, nullptr},
    {Format::pth_legacy, is_pth_legacy, read_pth_legacy, nullptr},
    {Format::safetensors, is_safetensors, read_safetensors, nullptr},
};

// No format can be told from fewer bytes; safetensors needs the nine.
constexpr size_t kTellingBytes = 9;

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool begins_with(std::string_view text, std::string_view lower_case) {
  if (text.size() < lower_case.size()) return false;
  return std::equal(lower_case.begin(), lower_case.end(), text.begin(), [](char want, char have) {
    return want == (have >= 'A' && have <= 'Z' ? static_cast<char>(have - 'A' + 'a') : have);
  });
}

bool is_git_lfs(std::string_view text) { return text.starts_with("version https://git-lfs"); }

bool is_web_page(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  return begins_with(text, "<!doctype") || begins_with(text, "<html") ||
         begins_with(text, "<?xml") || begins_with(text, "<head");
}

// What people have in hand instead of a model. Looked at before the formats where a download went
// wrong, after them where the mark could also stand inside a good file.
Status refuse_failed_download(std::string_view text) {
  if (is_git_lfs(text))
    return fail(Code::unsupported,
                "this is a Git LFS pointer, not the model it points to; fetch the file itself "
                "(git lfs pull, or the download link of the page)");
  if (is_web_page(text))
    return fail(Code::unsupported, "this is a web page, not a model; the download went wrong");
  return {};
}

tl::unexpected<Error> refuse_unknown(std::string_view text) {
  constexpr size_t kTarMark = 257;
  if (text.size() > kTarMark && text.substr(kTarMark).starts_with("ustar"))
    return fail(Code::unsupported,
                "a tar archive; PyTorch files of that age are not read, save it again with a newer "
                "torch");
  if (text[0] == '\x80' && text[1] >= 2 && text[1] <= 5)
    return fail(Code::unsupported,
                "a bare Python pickle of protocol {}, not a file that torch.save wrote",
                static_cast<int>(text[1]));
  // Python writes the number that begins the older container so, where it is told to.
  if (text.starts_with("L119547037146038801333356L\n"))
    return fail(Code::unsupported,
                "a checkpoint that torch.save wrote with a pickle protocol below 2; save it again "
                "without pickle_protocol");
  if (text.starts_with("\x1f\x8b")) return fail(Code::unsupported, "compressed; unpack it first");
  return fail(Code::unsupported,
              "not a model file that is known here (.pth, safetensors, GGUF, rwkv.cpp .bin, Skein "
              "packed); it "
              ""
              "begins with \"{}\"",
              escaped(text.substr(0, 8)));
}

Result<Container> read_unnamed(std::span<const std::byte> file) {
  const auto text = text_of(file);
  SK_TRY_STATUS(refuse_failed_download(text));
  for (const FormatRow& row : kFormats)
    if (row.recognise(file)) return row.read(file);
  if (file.size() < kTellingBytes)
    return fail(Code::corrupt, "{} bytes are too short for a model file", file.size());
  return refuse_unknown(text);
}

tl::unexpected<Error> named(std::string_view file_name, Error error) {
  error.message = fmt::format("{}: {}", escaped(file_name), error.message);
  return tl::unexpected<Error>(std::move(error));
}

}  // namespace

Result<Container> read_container_as_is(std::span<const std::byte> file,
                                       std::string_view file_name) {
  auto container = read_unnamed(file);
  if (!container) return named(file_name, std::move(container).error());
  return container;
}

Result<Container> read_container(std::span<const std::byte> file, std::string_view file_name) {
  SK_TRY(Container container, read_container_as_is(file, file_name));
  if (auto status = unwrap_names(container); !status)
    return named(file_name, std::move(status).error());
  return container;
}

Status verify_container(std::span<const std::byte> file, const Container& container,
                        std::string_view file_name) {
  for (const FormatRow& row : kFormats) {
    if (row.format != container.format || !row.verify) continue;
    if (auto status = row.verify(file); !status) return named(file_name, std::move(status).error());
  }
  return {};
}

}  // namespace skein::io

#include "store/image_folder.h"

#include <algorithm>

#include "base/file.h"
#include "base/file_writer.h"
#include "base/limits.h"
#include "base/reader.h"
#include "run/byte_writer.h"
#include "store/names.h"

namespace skein::store {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "SkeinIm1";
constexpr size_t kAround = 128;  // more than what stands around an image
constexpr size_t kFilesMost = 10'000'000;

class ImageFolder final : public Images {
 public:
  explicit ImageFolder(fs::path folder) : folder_(std::move(folder)) {}

  Stored<void> put(std::string_view id, std::vector<std::byte> image) override {
    ByteWriter before(kAround);
    before.text(kMagic);
    before.text(id);
    before.number(static_cast<uint64_t>(image.size()));
    const std::vector<std::byte> head = before.take();
    Sha256 hash;
    hash.update(std::span<const std::byte>(head));
    hash.update(std::span<const std::byte>(image));
    const Digest digest = hash.finish();
    const std::span<const std::byte> parts[] = {head, image, digest};
    OutputOptions options;
    options.bytes = head.size() + image.size() + digest.size();
    options.existing = Existing::force;
    options.mode = 0600;  // it is data about its text
    const Status written = write_file(folder_ / id, parts, options);
    if (written) return {};
    std::error_code error;
    const bool full = fs::space(folder_, error).available < options.bytes && !error;
    return refuse(full ? Trouble::full : Trouble::broken, "a snapshot was not written: {}",
                  written.error().message);
  }

  Stored<std::optional<std::vector<std::byte>>> get(std::string_view id) override {
    const fs::path path = folder_ / id;
    std::error_code error;
    if (!fs::exists(path, error)) return std::nullopt;
    auto file = read_file(path, limits::kStateFileBytes + kAround);
    if (!file) return refuse(Trouble::broken, "{}", file.error().message);
    Reader reader(*file);
    const bool ours = reader.text(kMagic.size()) == kMagic && reader.text(id.size()) == id;
    const uint64_t length = reader.u64();
    const size_t begin = reader.offset();
    reader.skip(length);
    const size_t end = reader.offset();
    const auto digest = reader.bytes(Digest().size());
    if (!ours || !reader.ok() || reader.left() != 0 ||
        !std::ranges::equal(sha256(std::span(*file).first(end)), digest))
      return refuse(Trouble::broken, "the snapshot of state {} is damaged", id);
    file->resize(end);
    file->erase(file->begin(), file->begin() + static_cast<std::ptrdiff_t>(begin));
    return std::move(*file);
  }

  void drop(std::string_view id) override {
    std::error_code error;
    fs::remove(folder_ / id, error);  // what stays is found by keep_only()
  }

  void keep_only(const std::function<bool(std::string_view)>& wanted) override {
    const auto names = names_in(folder_, kFilesMost);
    if (!names) return;
    for (const std::string& name : *names)
      if (is_id(name) && !wanted(name)) drop(name);
  }

 private:
  const fs::path folder_;
};

}  // namespace

Result<std::unique_ptr<Images>> image_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return fail(Code::io, "{}: cannot be made: {}", folder.string(), error.message());
  return std::make_unique<ImageFolder>(folder);
}

}  // namespace skein::store

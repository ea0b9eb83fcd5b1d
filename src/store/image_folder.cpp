#include "store/image_folder.h"

#include "base/file.h"
#include "base/file_writer.h"
#include "base/limits.h"
#include "store/framed_image.h"
#include "store/names.h"

namespace skein::store {
namespace {

namespace fs = std::filesystem;

constexpr size_t kFilesMost = 10'000'000;

class ImageFolder final : public Images {
 public:
  explicit ImageFolder(fs::path folder) : folder_(std::move(folder)) {}

  Stored<void> put(std::string_view id, std::vector<std::byte> image) override {
    const ImageFrame frame = frame_of(id, image);
    const std::span<const std::byte> parts[] = {frame.head, image, frame.sum};
    OutputOptions options;
    options.bytes = frame.head.size() + image.size() + frame.sum.size();
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
    auto file = read_file(path, limits::kStateFileBytes + kAroundImage);
    if (!file) return refuse(Trouble::broken, "{}", file.error().message);
    return image_in(std::move(*file), id);
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

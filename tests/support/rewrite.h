// A model file written anew with something changed: names, metadata, one tensor more.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <functional>

#include "io/model_files.h"
#include "io/model_writer.h"
#include "run/convert.h"
#include "support/make_model.h"
#include "support/models.h"

namespace skein::test {

struct Contents {
  std::vector<io::OutputTensor> tensors;
  Metadata metadata;
};

// The metadata that came from a config.json stays behind.
inline void rewrite(const std::filesystem::path& from, const std::filesystem::path& to,
                    io::WriteFormat format, const std::function<void(Contents&)>& change) {
  const auto files = io::ModelFiles::open(from);
  ASSERT_TRUE(files) << files.error().message;
  Contents contents;
  for (const StoredTensor& tensor : files->container().tensors)
    contents.tensors.push_back({tensor.name, tensor.dtype, tensor.shape, {tensor}, tensor.layout});
  for (const auto& [key, value] : files->container().metadata)
    if (!key.starts_with("config.")) contents.metadata.emplace(key, value);
  change(contents);
  if (format == io::WriteFormat::safetensors)
    std::erase_if(contents.metadata, [](const auto& pair) { return pair.second.index() > 4; });
  const Status done = io::write_model(to, format, contents.tensors, contents.metadata,
                                      {.overwrite = true, .threads = 1});
  ASSERT_TRUE(done) << done.error().message;
}

// A folder of the test's own with a random model in it.
class ModelFolder {
 public:
  ModelFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "skein-files-XXXXXX").string();
    if (::mkdtemp(name.data())) path_ = name;
  }
  ~ModelFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ModelFolder(const ModelFolder&) = delete;
  ModelFolder& operator=(const ModelFolder&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

  std::filesystem::path write(const std::string& name, std::span<const std::byte> bytes) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream file(path_ / name, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()), std::ssize(bytes));
    EXPECT_TRUE(file.flush().good()) << name;
    return path_ / name;
  }
  std::filesystem::path write(const std::string& name, std::string_view text) const {
    return write(name, std::as_bytes(std::span(text)));
  }
  std::filesystem::path random(const std::string& name, const ModelSizes& sizes) const {
    return write(name, as_safetensors(random_model(sizes), hints_of(sizes)));
  }
  // With a config.json beside it where the names want one.
  std::filesystem::path convert(const std::filesystem::path& from, const std::string& name,
                                ConvertOptions options) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    const auto conversion = Conversion::prepare(from, std::move(options));
    EXPECT_TRUE(conversion) << (conversion ? "" : conversion.error().message);
    if (!conversion) return {};
    const Status done = conversion->write(path_ / name, {.threads = 1});
    EXPECT_TRUE(done) << (done ? "" : done.error().message);
    if (!conversion->config().empty())
      write(std::filesystem::relative((path_ / name).parent_path(), path_) / "config.json",
            std::string_view(conversion->config()));
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

inline std::vector<float> some_logits(const std::filesystem::path& path,
                                      ModelOptions options = {}) {
  options.threads = 1;
  const auto model = open_model(path, options);
  if (!model) return {};
  State state = model->new_state();
  return logits_of(*model, state, std::vector<int32_t>{1, 5, 9, 2, 2, 30, 7});
}

}  // namespace skein::test

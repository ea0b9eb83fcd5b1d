// A hub, a folder of a user's own, and commands that know of nothing else: whatever would go to
// another machine ends at a port of this one that nobody listens to.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>
#include <vector>

#include "base/hash.h"
#include "cli/hub_server.h"
#include "cli/process.h"
#include "support/random.h"

namespace skein::test {

class HubTest : public testing::Test {
 protected:
  HubTest() { std::filesystem::create_directory(home_ / "skein"); }

  static std::string random_bytes(size_t size, uint64_t seed = 1) {
    Random random(seed);
    std::string out;
    for (const float x : random.floats(size, 0, 256)) out += static_cast<char>(x);
    return out;
  }
  static std::string sha256_of(const std::string& content) {
    return hex(sha256(std::as_bytes(std::span(content))));
  }

  std::vector<std::string> environment(std::vector<std::string> more = {}) const {
    const std::vector<std::string> usual = {"SKEIN_HOME=" + (home_ / "skein").string(),
                                            "HF_ENDPOINT=" + hub_.endpoint(),
                                            "https_proxy=http://127.0.0.1:1"};
    // Of a name that stands twice the first counts.
    more.insert(more.end(), usual.begin(), usual.end());
    return more;
  }
  Ran skein(const std::vector<std::string>& words, std::vector<std::string> more = {}) const {
    return run(words, {.environment = environment(std::move(more))});
  }
  Process start(const std::vector<std::string>& words) const {
    std::filesystem::remove(home_ / "out");
    std::filesystem::remove(home_ / "err");
    return {words, home_ / "out", home_ / "err", {}, environment()};
  }

  std::filesystem::path models() const { return home_ / "skein" / "models"; }
  std::filesystem::path model(const std::string& name) const { return models() / name; }
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(models(), error))
      out.push_back(entry.path().filename().string());
    return out;
  }
  // How much of it has come so far.
  size_t part_size() const {
    for (const std::string& name : names()) {
      struct stat info {};
      if (name.ends_with(".part") && ::stat(model(name).c_str(), &info) == 0)
        return static_cast<size_t>(info.st_size);
    }
    return 0;
  }
  // A pull that gets so far and is killed there.
  void pull_and_kill(const std::string& name, size_t until, int signal = SIGKILL) {
    Process process = start({"pull", name});
    ASSERT_TRUE(process.wait_until([&] { return part_size() >= until; })) << part_size();
    process.send(signal);
    process.finish();
  }

  const Folder home_;
  HubServer hub_;
};

}  // namespace skein::test

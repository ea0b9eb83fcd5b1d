// skein serve as a program that runs beside the test.
#pragma once

#include <charconv>
#include <string>
#include <vector>

#include "cli/process.h"
#include "support/fixtures.h"

namespace skein::test {

// One that runs, at a port of its own choice.
class Served {
 public:
  inline static const std::string kModel = std::string(SKEIN_SOURCE_DIR) + "/models/bundled-0.pth";

  explicit Served(std::vector<std::string> more = {}, std::vector<std::string> environment = {},
                  int inherited = -1)
      : process_(words(std::move(more)), files_ / "out", files_ / "err", {}, std::move(environment),
                 inherited) {
    process_.wait_until([&] { return port() != 0 && out().find('\n') != std::string::npos; });
  }
  std::string out() const { return text_of_file(files_ / "out"); }
  std::string err() const { return text_of_file(files_ / "err"); }
  uint16_t port() const {
    const std::string text = out();
    const size_t at = text.find("127.0.0.1:");
    int port = 0;
    if (at != std::string::npos)
      std::from_chars(text.data() + at + 10, text.data() + text.size(), port);
    return static_cast<uint16_t>(port);
  }
  Process& process() { return process_; }

 private:
  static std::vector<std::string> words(std::vector<std::string> more) {
    std::vector<std::string> out = {"serve", "tiny=" + kModel, "--port", "0"};
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
  const Folder files_;
  Process process_;
};

}  // namespace skein::test

// skein serve as a program of its own, with a store, and turns of chats with it.
#pragma once

#include <gtest/gtest.h>

#include <charconv>
#include <optional>
#include <string>
#include <vector>

#include "cli/process.h"
#include "server/client.h"
#include "support/fixtures.h"

namespace skein::test {

inline const std::string kModel = std::string(SKEIN_SOURCE_DIR) + "/models/bundled-0.pth";

class Server {
 public:
  explicit Server(std::vector<std::string> more = {}, const std::string& model = "tiny=" + kModel)
      : process_(words(std::move(more), model), files_ / "out", files_ / "err") {
    process_.wait_until([&] { return out().find("Ctrl-C") != std::string::npos; });
    const std::string text = out();
    const size_t at = text.find("127.0.0.1:");
    if (at != std::string::npos)
      std::from_chars(text.data() + at + 10, text.data() + text.size(), port_);
    EXPECT_NE(port_, 0) << err();
  }
  uint16_t port() const { return port_; }
  void send(int signal) const { process_.send(signal); }
  std::string err() const { return text_of_file(files_ / "err"); }
  template <typename F>
  bool wait_until(const F& ready) const {
    return process_.wait_until(ready);
  }
  int end(int signal) {
    process_.send(signal);
    return process_.finish();
  }

 private:
  std::string out() const { return text_of_file(files_ / "out"); }
  static std::vector<std::string> words(std::vector<std::string> more, const std::string& model) {
    std::vector<std::string> out = {"serve", model, "--port", "0", "--keep-memory", "64"};
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }

  const Folder files_;
  Process process_;
  uint16_t port_ = 0;
};

inline std::string text_in(const Json& json, std::string_view key) {
  return std::string(json.find(key).string().value_or(""));
}

// The text of a chat's answer, whole or as a stream; nothing: it did not come to its end.
inline std::optional<std::string> answer_in(const Reply& reply, bool stream) {
  if (reply.status != 200) return std::nullopt;
  if (!stream)
    return text_in(reply.json().find("choices").array()->front().find("message"), "content");
  if (reply.body.find("data: [DONE]") == std::string::npos) return std::nullopt;
  std::string out;
  constexpr std::string_view kData = "data: {";
  for (size_t at = reply.body.find(kData); at != std::string::npos;
       at = reply.body.find(kData, at + 1)) {
    const size_t begin = at + kData.size() - 1;
    const auto json =
        parse_json(reply.body.substr(begin, reply.body.find('\n', at) - begin), 1 << 20);
    const Json choices = json.value_or(Json()).find("choices");
    if (choices.array() && !choices.array()->empty())
      out += text_in(choices.array()->front().find("delta"), "content");
  }
  return out;
}

// The n-th turn of a session, which decides all that is asked and drawn.
inline Reply ask_turn(uint16_t port, const std::string& session, int number, bool stream) {
  return post(port, "/v1/chat/completions",
              fmt::format(R"({{"session":"{}","messages":[{{"role":"user","content":)"
                          R"("What is {}+{}?"}}],"max_tokens":{},"temperature":1.5,"seed":{},)"
                          R"("think":"none","stream":{}}})",
                          session, number, number * 7 % 90, 4 + number % 9, number, stream));
}

inline int64_t version_of(uint16_t port, const std::string& session) {
  const Reply reply = ask(port, "GET", "/v1/sessions/" + session);
  int64_t version = reply.status == 404 ? 0 : -1;
  if (reply.status == 200) reply.json().find("version").integer(version);
  return version;
}

}  // namespace skein::test

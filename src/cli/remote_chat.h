// A conversation with a server, which is told all of it with each question.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "cli/remote.h"
#include "cli/sampling_options.h"

namespace skein::cli {

struct RemoteMessage {
  std::string role, content;
};

struct RemoteSettings {
  std::string model;
  int64_t predict = -1;  // tokens of an answer; negative: what the server thinks right
  std::string think;     // as reasoning_effort; empty: as it thinks right
  std::vector<std::string> stop{};
};

class RemoteChat {
 public:
  RemoteChat(Remote& remote, const SamplingOptions& sampling, RemoteSettings settings,
             std::string system)
      : remote_(remote),
        sampling_(sampling),
        settings_(std::move(settings)),
        system_(std::move(system)) {}

  // The next turn. With an error, or where it was stopped before anything came, the conversation is
  // as it was before. Errors: those of Remote::ask().
  Result<RemoteAnswer> say(const std::string& text, const RemoteListener& listener);
  // The last turn answered once more, instead. Error: argument too (there is none).
  Result<RemoteAnswer> retry(const RemoteListener& listener);
  // Goes on with the last answer. Error: argument too.
  Result<RemoteAnswer> resume(const RemoteListener& listener);
  // Error: argument (so many turns there are not).
  Status undo(uint64_t turns);
  void clear() { messages_.clear(); }
  void clear(std::string system) {
    clear();
    system_ = std::move(system);
  }

  RemoteSettings& settings() { return settings_; }
  const RemoteSettings& settings() const { return settings_; }
  const std::string& system_text() const { return system_; }
  const std::vector<RemoteMessage>& messages() const { return messages_; }
  size_t turns() const;

 private:
  Result<RemoteAnswer> ask(const RemoteListener& listener);
  std::string request() const;

  Remote& remote_;
  const SamplingOptions& sampling_;
  RemoteSettings settings_;
  std::string system_;
  std::vector<RemoteMessage> messages_;  // after that text
};

}  // namespace skein::cli

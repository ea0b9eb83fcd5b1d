// The way from whoever answers a request, on any thread, to the connection that it came from: a few
// kilobytes of bytes and two flags. Neither side waits for the other.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "server/http.h"

namespace skein::server {

// For the log.
struct Facts {
  std::string model;
  int64_t prompt_tokens = 0;
  int64_t tokens = 0;  // so far
};

class Answer {
 public:
  // ---- Of whoever answers.
  void send(Response whole);
  // A stream: its head, then pieces, then its end.
  void begin(Response head);
  void write(std::string_view piece);
  // `closes`: what came before is not all that was to come, so the connection ends with it.
  void end(bool closes = false);
  // Nobody reads any more.
  bool gone() const { return gone_.load(std::memory_order_acquire); }
  // So much waits to be read that nothing more should be written for now.
  bool full() const { return full_.load(std::memory_order_acquire); }
  // Called, from the connection's thread, when gone() turns true or full() turns false from now on.
  void on_change(std::function<void()> call);
  void note(Facts facts);
  // Hears the answer, on the thread that gives it, before it leaves: a whole one, or a stream's
  // head and all of its bytes at its end, unless those were too many or it ended early.
  using Hear = std::function<void(const Response& head, const std::string* stream)>;
  void on_answer(Hear hear) { hear_ = std::move(hear); }
  void count_tokens(int64_t tokens) { tokens_.store(tokens, std::memory_order_relaxed); }

  // ---- Of the connection.
  // Called, from any thread, when there is something to take and nothing was taken since. Set
  // before others have the answer.
  void on_output(std::function<void()> call) { output_ = std::move(call); }
  struct Output {
    std::optional<Response> head;
    bool streams = false;  // the head is a stream's
    std::string bytes;     // of the stream
    bool ended = false;
    bool closes = false;
  };
  Output take();
  // So much of what was taken has left.
  void wrote(size_t bytes);
  void leave();
  Facts facts() const;

 private:
  void tell();
  void tell_change();

  mutable std::mutex mutex_;
  Output pending_;
  bool told_ = false;
  size_t unsent_ = 0;
  Facts facts_;
  std::function<void()> changed_;
  Hear hear_;
  std::optional<Response> heard_head_;
  std::string heard_;
  std::atomic<bool> gone_{false}, full_{false};
  std::atomic<int64_t> tokens_{0};
  std::function<void()> output_;
};

}  // namespace skein::server

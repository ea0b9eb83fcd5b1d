// A few threads for what is too long for the connections' thread and no business of an engine's:
// taking a body apart, making tokens of a text, writing a long answer.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace skein::server {

class Workers {
 public:
  Workers(size_t threads, size_t waiting);
  ~Workers() { stop(); }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // False: too much waits already.
  bool push(std::function<void()> work);
  // Work without which somebody who was accepted gets no answer: it is taken however much waits,
  // and done at once, by the caller, where the threads have ended.
  void owe(std::function<void()> work);
  // Ends the threads. What is owed and has not begun is done here; what was pushed is dropped.
  void stop();

 private:
  void run();

  struct Work {
    std::function<void()> call;
    bool owed = false;
  };

  const size_t waiting_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Work> work_;
  bool closing_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace skein::server

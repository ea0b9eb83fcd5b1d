// A server with the bundled model at a port of this machine's choice, beside the test.
#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "run/vocabulary.h"
#include "server/client.h"
#include "server/server.h"
#include "support/fixtures.h"

namespace skein::test {

struct Bundled {
  std::shared_ptr<Model> model;
  text::TokenizerPtr tokenizer;
  const text::Profile* profile = nullptr;
};
// Opened once.
inline const Bundled& bundled() {
  static const Bundled made = [] {
    Bundled out;
    out.model = Model::open(std::string(SKEIN_SOURCE_DIR) + "/models/bundled-0.pth", {.threads = 2})
                    .value();
    out.tokenizer = find_tokenizer(*out.model).value();
    out.profile = &find_profile(ModelText::of(*out.model), out.tokenizer.get());
    return out;
  }();
  return made;
}

struct OnDemand {
  explicit OnDemand(std::vector<server::ModelToLoad> models) : list(std::move(models)) {}
  std::vector<server::ModelToLoad> list;
};

class TestServer {
 public:
  explicit TestServer(server::ServerOptions options = {}, server::HostOptions host = {},
                      std::vector<std::string> names = {"bundled"}, const Bundled& of = bundled(),
                      const text::Profile* wording = nullptr) {
    options.listen.port = 0;
    server_ = server::Server::open(std::move(options)).value();
    for (const std::string& name : names)
      EXPECT_TRUE(server_->add(to_serve(name, host, of, wording)));
    start();
  }
  // Of models that are not there yet.
  TestServer(server::ServerOptions options, OnDemand models) {
    options.listen.port = 0;
    server_ = server::Server::open(std::move(options)).value();
    for (server::ModelToLoad& model : models.list) EXPECT_TRUE(server_->add(std::move(model)));
    start();
  }
  static server::ModelToServe to_serve(const std::string& name,
                                       const server::HostOptions& host = {},
                                       const Bundled& of = bundled(),
                                       const text::Profile* wording = nullptr) {
    server::Served served;
    served.profile = of.profile;
    served.wording = wording ? wording : of.profile;
    served.think = served.wording->think;
    served.sampling = [](const text::Profile& profile, text::ThinkMode mode) {
      Sampling sampling = sampling_of(profile.sampler_for(mode));
      sampling.order = SampleOrder::openai;
      sampling.seed = 1;
      return Result<Sampling>(sampling);
    };
    return {name, of.model, of.tokenizer, host, std::move(served)};
  }
  ~TestServer() { stop(); }

  uint16_t port() const { return port_; }
  // Asks it to end, and waits until it has.
  void ask_to_stop() { stop_.store(true); }
  void stop() {
    ask_to_stop();
    if (thread_.joinable()) thread_.join();
  }
  // A number of /metrics; negative: there is none.
  double metric(const std::string& line) const {
    const std::string text = "\n" + ask(port_, "GET", "/metrics").body;
    const size_t at = text.find("\n" + line + " ");
    double value = -1;
    if (at != std::string::npos) {
      const size_t begin = at + line.size() + 2;
      std::from_chars(text.data() + begin, text.data() + text.size(), value);
    }
    return value;
  }
  double of_model(const std::string& name) const { return metric(name + "{model=\"bundled\"}"); }
  // False after a minute at least.
  template <typename F>
  bool wait_until(F ready) const {
    for (int i = 0; i < 12'000; ++i) {
      if (ready()) return true;
      ::usleep(5'000);
    }
    return false;
  }

 private:
  void start() {
    port_ = server_->port();
    thread_ = std::thread([this] { server_->run([this] { return stop_.load(); }); });
  }

  std::unique_ptr<server::Server> server_;
  uint16_t port_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace skein::test

// A server as its program sees it: a port, models, and a loop until somebody wants it to end.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "server/host.h"
#include "server/listener.h"
#include "server/service.h"

namespace skein::server {

struct ServerOptions {
  ListenOptions listen;
  ServiceOptions service;
  bool allow_open = false;  // reached from elsewhere, and without keys
};

struct ModelToServe {
  std::string name;
  std::shared_ptr<Model> model;
  text::TokenizerPtr tokenizer;
  HostOptions host;
  Served served;  // all but the host
};

// One that is loaded when somebody asks for it.
struct ModelToLoad {
  std::string name;
  ModelInfo info;                              // as its file's header says it
  int64_t bytes = 0;                           // of memory that it will take
  std::function<Result<ModelToServe>()> load;  // on a thread of its own
};

class Server {
 public:
  // Has the port from here on; who connects waits until run(). Errors: argument (no address; one
  // that others reach, and no key), io (the port).
  static Result<std::unique_ptr<Server>> open(ServerOptions options);
  ~Server();

  // Error: argument (the name is taken).
  Status add(ModelToServe model);
  Status add(ModelToLoad model);
  uint16_t port() const { return listener_->port(); }
  bool has_page() const { return options_.service.page.has_value(); }
  std::string url() const;  // "http://127.0.0.1:8080"

  // Until `stop_asked` says so and what is under way has ended. On the calling thread.
  void run(const std::function<bool()>& stop_asked);

 private:
  explicit Server(ServerOptions options);
  Status check_name(const std::string& name) const;

  ServerOptions options_;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<Service> service_;  // before the listener goes, to which its answers lead
};

}  // namespace skein::server

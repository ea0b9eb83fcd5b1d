#include "server/server.h"

#include <utility>

namespace skein::server {

Server::Server(ServerOptions options) : options_(std::move(options)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::open(ServerOptions options) {
  if (options.listen.socket >= 0) {
    SK_TRY(options.listen.host, address_of(options.listen.socket));
  }
  SK_TRY(const bool local, is_loopback(options.listen.host));
  const bool keys = !options.service.keys.empty();
  if (!local && !keys && !options.allow_open)
    return fail(Code::argument,
                "{} can be reached from other machines: give --api-key KEY, or --allow-open if "
                "everybody may use it",
                options.listen.host);
  // Whoever has a key is no page that was led here by a name.
  options.service.hosts.any_name = keys && options.service.hosts.allowed.empty();
  options.service.hosts.any_address = !local;
  options.service.body_bytes = options.listen.body_bytes;
  std::unique_ptr<Server> server(new Server(std::move(options)));
  SK_TRY(server->listener_, Listener::open(server->options_.listen));
  server->service_ = std::make_unique<Service>(server->options_.service);
  server->service_->count_connections(
      [listener = server->listener_.get()] { return listener->connections(); });
  return server;
}

Status Server::check_name(const std::string& name) const {
  if (!service_->models().find(name)) return {};
  return fail(Code::argument, "two models are called {}; name one of them otherwise: NAME=FILE",
              escaped(name));
}

namespace {

Served with_host(ModelToServe given) {
  given.served.host = std::make_unique<Host>(std::move(given.name), std::move(given.model),
                                             std::move(given.tokenizer), given.host);
  return std::move(given.served);
}

}  // namespace

Status Server::add(ModelToServe given) {
  SK_TRY_STATUS(check_name(given.name));
  service_->add(with_host(std::move(given)));
  return {};
}

Status Server::add(ModelToLoad given) {
  SK_TRY_STATUS(check_name(given.name));
  const auto load = [load = std::move(given.load)]() -> Result<Served> {
    SK_TRY(ModelToServe made, load());
    return with_host(std::move(made));
  };
  service_->add(ModelOnDemand{std::move(given.name), std::move(given.info), given.bytes, load});
  return {};
}

std::string Server::url() const {
  std::string host = options_.listen.host;
  if (host == "0.0.0.0" || host == "::") host = "localhost";
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  return fmt::format("http://{}:{}{}", host, port(), options_.service.prefix);
}

void Server::run(const std::function<bool()>& stop_asked) {
  listener_->run(
      *service_,
      [&] {
        if (!stop_asked()) return false;
        service_->leave();
        return true;
      },
      [&] { service_->close(); });
}

}  // namespace skein::server

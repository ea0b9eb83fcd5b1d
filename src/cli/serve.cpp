// skein serve: models behind a port, with OpenAI's API.
#include <poll.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <limits>
#include <utility>

#include "base/limits.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/serve_models.h"
#include "cli/serve_store.h"
#include "cli/service_manager.h"
#include "cli/settings.h"
#include "server/server.h"

namespace skein::cli {
namespace {

constexpr uint64_t kKeyFileBytes = 1024 * 1024;
constexpr double kNever = std::numeric_limits<double>::infinity();

std::string time_text() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  char text[32];
  ::gmtime_r(&now, &parts);
  return {text, std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

std::string log_text(const server::LogEntry& entry) {
  // What was no request has neither.
  const auto shown = [](const std::string& text) { return text.empty() ? "-" : text; };
  std::string out =
      fmt::format("{} {} {} {} {} {:.0f} ms", time_text(), entry.peer, shown(entry.method),
                  shown(entry.path), entry.status, 1000 * entry.seconds);
  if (!entry.model.empty())
    out += fmt::format(", {}: {}+{} tokens", entry.model, entry.prompt_tokens, entry.tokens);
  if (!entry.whole) out += ", the client left";
  return out + " " + entry.id;
}

std::string log_json(const server::LogEntry& entry) {
  JsonWriter json;
  json.begin_object().member("time", time_text()).member("id", entry.id);
  json.member("peer", entry.peer).member("method", entry.method).member("path", entry.path);
  json.member("status", entry.status).member("ms", 1000 * entry.seconds);
  json.member("bytes", entry.bytes).member("whole", entry.whole);
  if (!entry.model.empty())
    json.member("model", entry.model)
        .member("prompt_tokens", entry.prompt_tokens)
        .member("completion_tokens", entry.tokens);
  return json.end_object().text();
}

std::string warning_json(const std::string& message) {
  JsonWriter json;
  json.begin_object().member("time", time_text()).member("warning", message);
  return json.end_object().text();
}

std::string list_of(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + escaped(name);
  return out;
}

class Serve final : public Command {
 public:
  void declare(Options& options) override;
  int run(Console& console) override;

 private:
  Result<server::ServerOptions> server_options(Console& console) const;
  server::HostOptions host_options() const;
  void welcome(Console& console, const server::Server& server) const;

  ServeModels models_;
  SettingsOptions settings_options_;
  ServeStore store_;
  std::string host_ = "127.0.0.1", prefix_, key_file_, ui_;
  std::string log_ = "text";
  std::vector<std::string> keys_, hosts_, origins_;
  int64_t port_ = 8080, parallel_ = 32, queue_ = limits::kWaitingRequests, memory_ = 0, kept_ = -1;
  int64_t body_ = static_cast<int64_t>(limits::kBodyBytes / limits::kMiB);
  int64_t predict_ = 4096, ping_ = 15;
  double turn_ = 2, wait_ = 600;
  bool open_ = false, strict_ = false, no_page_ = false;
};

void Serve::declare(Options& options) {
  models_.declare_models(options);
  options.value("--host", host_, "ADDRESS", "where to listen: 127.0.0.1 is this machine alone");
  options.value("--port", port_, "N", "the port; 0: any that is free").range(0, 65535);
  options
      .value("--api-key", keys_, "[ROLE:]KEY",
             "a key that requests must have; with a role (read, generate, state, admin) it may "
             "do less than everything; may stand several times")
      .hide();
  options.value("--api-key-file", key_file_, "FILE", "such keys, one a line").file();
  options.flag("--allow-open", open_, "let everybody in who reaches an address without keys");
  options.value("--allow-host", hosts_, "NAME",
                "a name that requests may call this machine by; may stand several times");
  options.value("--cors", origins_, "ORIGIN",
                "pages whose scripts may ask: https://chat.example, or *; may stand several times");
  options.value("--prefix", prefix_, "PATH", "what all paths begin with, behind a proxy: /skein");
  options.flag("--no-page", no_page_, "have no web page");
  options
      .value("--ui", ui_, "DIR",
             "a folder with the web page's files, read anew for each request, instead of those in "
             "the program: for who works on them")
      .file();
  options.flag("--strict-model", strict_, "refuse requests that name another model");
  options.value("--parallel", parallel_, "N", "texts of a model that are generated at once")
      .range(1, 4096);
  options.value("--queue", queue_, "N", "requests that may wait for a model; then come 429s")
      .range(0, 65536);
  options
      .value("--turn", turn_, "SECONDS",
             "for how long a text is generated before it makes room for others that wait; 0: to "
             "its end")
      .range(0, 86400);
  options
      .value("--wait", wait_, "SECONDS",
             "how long a request may wait for its turn before it is told 503; 0: for ever")
      .range(0, 86400);
  options
      .value("--state-memory", memory_, "MIB",
             "memory of the texts that a model generates; 0: half of what is free, for all models")
      .range(0, 1 << 24);
  options
      .value("--keep-memory", kept_, "MIB",
             "memory for states of texts that may come again, so that they are not read again; 0: "
             "none; -1: a quarter of what is free, for all models")
      .range(-1, 1 << 24);
  models_.declare_time(options);
  store_.declare(options);
  options.value("--body-limit", body_, "MIB", "the longest body of a request")
      .range(1, static_cast<double>(limits::kBodyBytesMost / limits::kMiB));
  options
      .value("-n,--predict", predict_, "N",
             "tokens of a chat's answer where a request does not say; -1: no limit")
      .range(-1, std::nullopt);
  options
      .value("--ping", ping_, "SECONDS", "how often a silent stream says that it lives; 0: never")
      .range(0, 3600);
  options
      .value("--log", log_, "FORMAT",
             "a line for each request on standard error: text, json or off")
      .one_of({"text", "json", "off"});
  settings_options_.declare(options);
  models_.declare_settings(options);
}

Result<server::ServerOptions> Serve::server_options(Console& console) const {
  server::ServerOptions out;
  out.listen.host = host_;
  out.listen.port = port_;
  out.listen.body_bytes = static_cast<uint64_t>(body_) * limits::kMiB;
  out.allow_open = open_;
  server::ServiceOptions& service = out.service;
  // A secret that was to be there and is not must not open the door.
  for (const char* name : {"SKEIN_API_KEY", "SKEIN_API_KEY_FILE"})
    if (const char* value = std::getenv(name);
        value && !*value && keys_.empty() && key_file_.empty())
      return fail(Code::argument, "{} is set and empty; unset it to serve without keys", name);
  for (const std::string& key : keys_) SK_TRY_STATUS(service.keys.add(key));
  if (!key_file_.empty()) {
    SK_TRY(const std::string text, read_text(key_file_, kKeyFileBytes));
    if (auto status = service.keys.add_lines(text); !status)
      return fail(status.error().code, "{}: {}", escaped(key_file_), status.error().message);
    if (service.keys.empty()) return fail(Code::argument, "{} holds no key", escaped(key_file_));
  }
  const auto of = [](const char* option, const Status& status) -> Status {
    if (status) return {};
    return fail(status.error().code, "{}: {}", option, status.error().message);
  };
  for (const std::string& name : hosts_) SK_TRY_STATUS(of("--allow-host", service.hosts.add(name)));
  for (const std::string& origin : origins_)
    SK_TRY_STATUS(of("--cors", service.origins.add(origin)));
  service.prefix = prefix_;
  while (service.prefix.ends_with('/')) service.prefix.pop_back();
  if (!service.prefix.empty() && service.prefix.front() != '/')
    return fail(Code::argument, "--prefix {} has to begin with a /", escaped(prefix_));
  if (no_page_ && !ui_.empty())
    return fail(Code::argument, "--ui gives a page, and --no-page says that there is none");
  if (!ui_.empty()) {
    SK_TRY(service.page, server::Page::of(ui_));
  } else if (!no_page_ && !server::embedded_page().empty()) {
    service.page = server::Page::of(server::embedded_page());
  }
  service.defaults = {.predict = predict_, .ping_seconds = ping_, .strict_model = strict_};
  service.version = SKEIN_VERSION;
  service.shelf = models_.shelf(host_options());
  if (log_ != "off")
    service.log = [&console, json = log_ == "json",
                   lost = std::make_shared<uint64_t>(0)](const server::LogEntry& entry) {
      // Whoever reads the log may have stopped; connections are not to wait for him.
      if (pollfd place = {STDERR_FILENO, POLLOUT, 0}; ::poll(&place, 1, 0) != 1) {
        ++*lost;
        return;
      }
      if (const uint64_t before = std::exchange(*lost, 0))
        console.note(fmt::format("{} lines of the log were lost: nobody took them", before));
      console.note(json ? log_json(entry) : log_text(entry));
    };
  return out;
}

server::HostOptions Serve::host_options() const {
  return {.parallel = parallel_,
          .waiting = queue_,
          .memory = memory_ * static_cast<int64_t>(limits::kMiB),
          .turn_seconds = turn_ > 0 ? turn_ : kNever,
          .wait_seconds = wait_ > 0 ? wait_ : kNever,
          .kept = kept_ < 0 ? -1 : kept_ * static_cast<int64_t>(limits::kMiB)};
}

void Serve::welcome(Console& console, const server::Server& server) const {
  const std::string url = server.url();
  if (console.json()) {
    JsonWriter json;
    json.begin_object().member("url", url).member("port", static_cast<int64_t>(server.port()));
    json.key("models").begin_array();
    for (const std::string& name : models_.names()) json.value(name);
    json.end_array();
    console.object(json.end_object());
    return console.flush();
  }
  console.line(fmt::format("Skein serves {} at {}", list_of(models_.names()), url));
  if (!console.quiet()) {
    const std::string key =
        keys_.empty() && key_file_.empty() ? "" : " -H 'Authorization: Bearer KEY'";
    const std::string post = " -H 'Content-Type: application/json'";
    const std::string model = models_.names().size() > 1
                                  ? fmt::format("\"model\": \"{}\", ", models_.names()[0])
                                  : std::string();
    const bool page = server.has_page();
    console.line(page ? fmt::format("Open {}/ in a browser, or try:", url) : "Try:");
    console.line(fmt::format("  curl {}/v1/models{}", url, key));
    console.line(
        fmt::format("  curl {}/v1/chat/completions{}{} -d '{{{}\"messages\": [{{\"role\": "
                    "\"user\", \"content\": \"What is 27+46?\"}}]}}'",
                    url, key, post, model));
    console.line(
        fmt::format("  curl -N {}/v1/completions{}{} -d '{{{}\"prompt\": \"Once\", "
                    "\"stream\": true}}'",
                    url, key, post, model));
    console.line("Ctrl-C ends it when the answers under way are done, a second one at once.");
  }
  console.flush();
}

int Serve::run(Console& console) {
  const interrupt::Scope scope;
  auto options = server_options(console);
  if (!options) return console.error(options.error());
  auto manager = ServiceManager::find();
  if (!manager) return console.error(manager.error());
  const auto told = [&](const Status& status) {
    if (!status) console.warn(status.error().message);
  };
  if (const auto socket = manager->socket()) options->listen.socket = *socket;
  if (auto status = store_.open(options->service); !status) return console.error(status.error());
  // Before the models, which may take long: a port that is taken is told at once.
  auto server = server::Server::open(std::move(*options));
  if (!server) return console.error(server.error());
  if (log_ == "json") models_.be_silent();
  const auto tell = [&](const std::string& what) { told(manager->status(what)); };
  if (auto status = models_.open(console, **server, store_, host_options(), tell); !status)
    return console.error(status.error());
  if (log_ != "json") store_.tell(console);
  welcome(console, **server);
  told(manager->ready(fmt::format("serves {} at {}", list_of(models_.names()), (*server)->url())));
  (*server)->run([&] {
    manager->beat();
    models_.report(console);
    for (const std::string& line : store_.news())
      log_ == "json" ? console.note(warning_json(line)) : console.warn(line);
    if (!interrupt::requested()) return false;
    told(manager->stopping());
    return true;
  });
  // Whoever is cut off may still have something to be kept.
  server->reset();
  store_.close(console);
  console.detail("ended");
  return kFine;
}

}  // namespace

CommandPtr make_serve() { return std::make_unique<Serve>(); }

}  // namespace skein::cli

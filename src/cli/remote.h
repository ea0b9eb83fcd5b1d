// A server with OpenAI's API, Skein's own or another: what models it has, and what it answers.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/console.h"
#include "cli/options.h"
#include "hub/http.h"
#include "run/generate.h"

namespace skein::cli {

struct RemoteAnswer {
  std::string text, thinking;
  std::string finish;    // as the server says it; empty: it did not come to its end
  bool stopped = false;  // by whoever listens
  int64_t prompt_tokens = -1, tokens = -1;  // -1: not told
};

// Gets what comes, as text and thoughts; false stops it.
using RemoteListener = std::function<bool(const Event&)>;

class Remote {
 public:
  // `url`: of the server or of its API, with /v1 or without, http:// may be left out. Errors:
  // argument (no address), io (there is no libcurl).
  static Result<Remote> open(const std::string& url, std::string key, int patience_s);

  // "127.0.0.1:8080", for messages.
  const std::string& name() const { return name_; }
  // Whether the key can be read on its way.
  bool is_open_to_others() const;
  // Errors: network, with what the server says and what to do; io "interrupted".
  Result<std::vector<std::string>> models();
  // What a route tells, or is told, as one JSON text. Errors: as before.
  Result<std::string> get(std::string_view route);
  // The same of a route that streams how far it is: each event but the last is told; false stops
  // it. Gives the last one.
  Result<std::string> post(std::string_view route, const std::string& body,
                           const std::function<bool(std::string_view)>& event);
  // `route`: "chat/completions" or "completions"; `body` asks for a stream, and a server that knows
  // none is understood too. Errors: as before.
  Result<RemoteAnswer> ask(std::string_view route, const std::string& body,
                           const RemoteListener& listener);

 private:
  Remote(hub::Http http, std::string base, std::string name, std::string key, hub::Address address)
      : http_(std::move(http)),
        base_(std::move(base)),
        name_(std::move(name)),
        key_(std::move(key)),
        address_(std::move(address)) {}
  tl::unexpected<Error> refusal(const hub::Answer& answer) const;

  hub::Http http_;
  std::string base_;  // "http://127.0.0.1:8080/v1"
  std::string name_, key_;
  hub::Address address_;
};

// How a server is reached, but for its address.
class RemoteOptions {
 public:
  void declare(Options& options);
  // Says what is unsafe. Errors: those of Remote::open(); argument, io (the key).
  Result<Remote> open(Console& console, const std::string& url) const;

 private:
  std::string key_, key_file_;
  int64_t patience_s_ = 30;
};

// The one that is asked where nobody says: it must have one alone. Errors: argument, those of
// models().
Result<std::string> only_model(Remote& remote);

}  // namespace skein::cli

#include "hub/http.h"

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <dlfcn.h>

#include <algorithm>
#include <new>
#include <utility>

#include "base/interruption.h"

namespace skein::hub {
namespace {

constexpr long kSlow = 1000;  // bytes a second
constexpr size_t kHeaderBytes = 128 * 1024;
constexpr size_t kRefusedBytes = 16 * 1024;
constexpr const char* kLibraries[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};

// What is used of it. The functions' types are the header's.
struct Curl {
  decltype(&::curl_global_init) global_init = nullptr;
  decltype(&::curl_easy_init) easy_init = nullptr;
  decltype(&::curl_easy_cleanup) easy_cleanup = nullptr;
  decltype(&::curl_easy_reset) easy_reset = nullptr;
  decltype(&::curl_easy_setopt) easy_setopt = nullptr;
  decltype(&::curl_easy_getinfo) easy_getinfo = nullptr;
  decltype(&::curl_easy_perform) easy_perform = nullptr;
  decltype(&::curl_easy_strerror) easy_strerror = nullptr;
  decltype(&::curl_slist_append) slist_append = nullptr;
  decltype(&::curl_slist_free_all) slist_free_all = nullptr;
  decltype(&::curl_url) url = nullptr;
  decltype(&::curl_url_cleanup) url_cleanup = nullptr;
  decltype(&::curl_url_get) url_get = nullptr;
  decltype(&::curl_url_set) url_set = nullptr;
  decltype(&::curl_free) free = nullptr;
};

template <typename Function>
bool find(void* library, const char* name, Function& out) {
  out = reinterpret_cast<Function>(::dlsym(library, name));
  return out != nullptr;
}

Status load(Curl& curl) {
  std::string why;  // the first that is there cannot be used
  for (const char* name : kLibraries) {
    // Stays loaded: what it registered for the end of the program is run then.
    void* library = ::dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
      const char* error = ::dlerror();
      const std::string_view text = error ? error : "";
      if (why.empty() && text.find("No such file") == std::string_view::npos) why = text;
      continue;
    }
    if (find(library, "curl_global_init", curl.global_init) &&
        find(library, "curl_easy_init", curl.easy_init) &&
        find(library, "curl_easy_cleanup", curl.easy_cleanup) &&
        find(library, "curl_easy_reset", curl.easy_reset) &&
        find(library, "curl_easy_setopt", curl.easy_setopt) &&
        find(library, "curl_easy_getinfo", curl.easy_getinfo) &&
        find(library, "curl_easy_perform", curl.easy_perform) &&
        find(library, "curl_easy_strerror", curl.easy_strerror) &&
        find(library, "curl_slist_append", curl.slist_append) &&
        find(library, "curl_slist_free_all", curl.slist_free_all) &&
        find(library, "curl_url", curl.url) &&
        find(library, "curl_url_cleanup", curl.url_cleanup) &&
        find(library, "curl_url_get", curl.url_get) &&
        find(library, "curl_url_set", curl.url_set) && find(library, "curl_free", curl.free) &&
        curl.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
      return {};
    ::dlclose(library);
    if (why.empty()) why = fmt::format("{} is too old", name);
  }
  if (!why.empty())
    return fail(Code::io, "fetching needs the library libcurl, which cannot be used here: {}",
                escaped(why));
  return fail(Code::io,
              "fetching needs the library libcurl, which is not installed (Debian and Ubuntu: "
              "libcurl4, Fedora: libcurl, Arch: curl)");
}

std::string lower(std::string_view text) {
  std::string out;
  for (const char c : text) out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  const size_t end = text.find_last_not_of(" \t\r\n");
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin, end + 1 - begin);
}

// Whether a failure is the connection's, and another try may go better.
bool may_pass(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_PARTIAL_FILE:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_SSL_CONNECT_ERROR: return true;
    default: return false;
  }
}

}  // namespace

struct Http::State {
  Curl curl;
  CURL* handle = nullptr;
  long patience_s = 30;
  bool passes = false;
  char details[CURL_ERROR_SIZE] = {};

  // Of the request that is under way.
  Answer answer;
  size_t header_bytes = 0, refused_bytes = 0;
  bool begun = false, enough = false;
  const std::string* posted = nullptr;  // null: nothing
  Status failed;
  const std::function<Status(const Answer&)>* begin = nullptr;
  const std::function<Result<bool>(std::span<const std::byte>)>* take = nullptr;

  ~State() {
    if (handle) curl.easy_cleanup(handle);
  }

  void header_line(std::string_view line) {
    // A new answer: after "100 Continue", and of a proxy.
    if (line.starts_with("HTTP/")) {
      answer.headers.clear();
      header_bytes = 0;
    }
    header_bytes += line.size();
    const size_t colon = line.find(':');
    if (header_bytes > kHeaderBytes || colon == std::string_view::npos) return;
    answer.headers[lower(line.substr(0, colon))] = trimmed(line.substr(colon + 1));
  }

  void see_status() {
    long status = 0;
    curl.easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    answer.status = static_cast<int>(status);
  }

  // False ends the request.
  bool begin_once() {
    if (begun) return true;
    begun = true;
    see_status();
    if (answer.is_success()) failed = (*begin)(answer);
    return failed.has_value();
  }

  bool body(std::span<const std::byte> bytes) {
    if (!begin_once()) return false;
    if (!answer.is_success()) {
      // Of what comes with an error so much is waited for, to keep the connection.
      refused_bytes += bytes.size();
      answer.refusal.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      enough = refused_bytes > kRefusedBytes;
      return !enough;
    }
    const Result<bool> more = (*take)(bytes);
    if (!more) failed = tl::unexpected(more.error());
    enough = more && !*more;
    return more && *more;
  }

  // No exception may pass through libcurl.
  template <typename Work>
  bool guarded(const Work& work) {
    try {
      return work();
    } catch (const std::bad_alloc&) {
      failed = no_memory();
      return false;
    }
  }

  static size_t on_header(char* data, size_t size, size_t count, void* self) {
    auto* state = static_cast<State*>(self);
    const bool good = state->guarded([&] {
      state->header_line({data, size * count});
      return true;
    });
    return good ? size * count : 0;
  }

  static size_t on_body(char* data, size_t size, size_t count, void* self) {
    auto* state = static_cast<State*>(self);
    const bool more =
        state->guarded([&] { return state->body(std::as_bytes(std::span(data, size * count))); });
    return more ? size * count : 0;
  }

  static int on_progress(void*, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return interruption_asked() ? 1 : 0;
  }

  curl_slist* header_lines(const Request& request) const {
    curl_slist* lines = nullptr;
    const auto add = [&](const std::string& line) {
      if (curl_slist* longer = curl.slist_append(lines, line.c_str())) lines = longer;
    };
    add("Accept-Encoding: identity");
    if (!request.token.empty()) add("Authorization: Bearer " + request.token);
    if (posted) {
      add("Content-Type: application/json");
      add("Accept: text/event-stream, application/json");
      add("Expect:");  // asking beforehand would cost a way there and back
    }
    if (!request.if_range.empty()) add("If-Range: " + request.if_range);
    return lines;
  }

  template <typename Value>
  void set(CURLoption option, Value value) {
    curl.easy_setopt(handle, option, value);
  }

  void prepare(const Request& request, const Address& to, curl_slist* lines) {
    details[0] = '\0';
    curl.easy_reset(handle);  // keeps its connections
    set(CURLOPT_URL, request.url.c_str());
    set(CURLOPT_HTTPHEADER, lines);
    set(CURLOPT_HEADEROPT, long{CURLHEADER_SEPARATE});  // a proxy hears nothing of the token
    set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    // What goes to this machine is not encrypted, so no proxy may carry it, and its token,
    // elsewhere.
    if (is_loopback(to)) set(CURLOPT_NOPROXY, "*");
    if (request.last)
      set(CURLOPT_RANGE, fmt::format("{}-{}", request.from, *request.last).c_str());
    else if (request.from > 0)
      set(CURLOPT_RANGE, fmt::format("{}-", request.from).c_str());
    set(CURLOPT_USERAGENT, "skein");
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
    set(CURLOPT_CONNECTTIMEOUT, patience_s);
    if (posted) {
      set(CURLOPT_POST, 1L);
      set(CURLOPT_POSTFIELDS, posted->data());
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(posted->size()));
    } else {
      set(CURLOPT_LOW_SPEED_LIMIT, kSlow);
      set(CURLOPT_LOW_SPEED_TIME, patience_s);
    }
    set(CURLOPT_TCP_KEEPALIVE, 1L);
    set(CURLOPT_BUFFERSIZE, 256L * 1024);
    set(CURLOPT_ERRORBUFFER, &details[0]);
    set(CURLOPT_HEADERFUNCTION, &State::on_header);
    set(CURLOPT_HEADERDATA, this);
    set(CURLOPT_WRITEFUNCTION, &State::on_body);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, &State::on_progress);
  }

  tl::unexpected<Error> transport_error(CURLcode code, const Address& to) {
    const std::string host = to.shown();
    const std::string why =
        escaped(details[0] ? std::string_view(details) : curl.easy_strerror(code));
    passes = may_pass(code);
    switch (code) {
      case CURLE_OUT_OF_MEMORY: return no_memory();
      case CURLE_COULDNT_RESOLVE_HOST:
        return fail(Code::network, "{}: this name is not known here; is there a network?", host);
      case CURLE_COULDNT_RESOLVE_PROXY:
        return fail(Code::network, "{}: the name of the proxy is not known here: {}", host, why);
      case CURLE_COULDNT_CONNECT: return fail(Code::network, "{}: no connection: {}", host, why);
      case CURLE_OPERATION_TIMEDOUT:
        return fail(Code::network, "{}: too little came for {} s (--patience)", host, patience_s);
      case CURLE_PEER_FAILED_VERIFICATION:
        return fail(Code::network, "{}: its certificate is not trusted: {}", host, why);
      case CURLE_SSL_CACERT_BADFILE:
        return fail(Code::network,
                    "{}: there are no certificates to check it with; the package ca-certificates "
                    "has them",
                    host);
      case CURLE_PARTIAL_FILE:
      case CURLE_GOT_NOTHING:
      case CURLE_RECV_ERROR: return fail(Code::network, "{}: the connection was cut", host);
      default: return fail(Code::network, "{}: {}", host, why);
    }
  }
};

Http::Http(std::unique_ptr<State> state) : state_(std::move(state)) {}
Http::Http(Http&&) noexcept = default;
Http::~Http() = default;

std::string_view Answer::header(std::string_view lower_case_name) const {
  const auto found = headers.find(std::string(lower_case_name));
  return found == headers.end() ? std::string_view() : std::string_view(found->second);
}

Result<Http> Http::open(int patience_s) {
  auto state = std::make_unique<State>();
  state->patience_s = patience_s;
  SK_TRY_STATUS(load(state->curl));
  state->handle = state->curl.easy_init();
  if (!state->handle) return no_memory();
  return Http(std::move(state));
}

bool Http::passes() const { return state_->passes; }

Result<Address> Http::address(const std::string& url) const {
  const Curl& curl = state_->curl;
  const std::unique_ptr<CURLU, decltype(&::curl_url_cleanup)> parts(curl.url(), curl.url_cleanup);
  if (!parts) return no_memory();
  const auto wrong = [&] { return fail(Code::argument, "{}: is no address", escaped(url)); };
  // Schemes that libcurl was not built with are read too, and refused by who asks.
  if (curl.url_set(parts.get(), CURLUPART_URL, url.c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
    return wrong();
  const auto part = [&](CURLUPart which, std::string& out) {
    char* text = nullptr;
    if (curl.url_get(parts.get(), which, &text, CURLU_DEFAULT_PORT) != CURLUE_OK || !text)
      return false;
    out = text;
    curl.free(text);
    return true;
  };
  Address out;
  std::string user;
  if (!part(CURLUPART_SCHEME, out.scheme)) return wrong();
  if (!part(CURLUPART_HOST, out.host) && out.scheme != "file") return wrong();
  part(CURLUPART_PORT, out.port);
  out.scheme = lower(out.scheme);
  out.host = lower(out.host);
  out.has_user = part(CURLUPART_USER, user) || part(CURLUPART_PASSWORD, user);
  return out;
}

Result<Answer> Http::get(const Request& request, const std::function<Status(const Answer&)>& begin,
                         const std::function<Result<bool>(std::span<const std::byte>)>& take) {
  return send(request, nullptr, begin, take);
}

Result<Answer> Http::post(const Request& request, const std::string& body,
                          const std::function<Status(const Answer&)>& begin,
                          const std::function<Result<bool>(std::span<const std::byte>)>& take) {
  return send(request, &body, begin, take);
}

Result<Answer> Http::send(const Request& request, const std::string* body,
                          const std::function<Status(const Answer&)>& begin,
                          const std::function<Result<bool>(std::span<const std::byte>)>& take) {
  State& state = *state_;
  const Curl& curl = state.curl;
  state.passes = false;
  SK_TRY(const Address to, address(request.url));
  state.answer = {};
  state.header_bytes = state.refused_bytes = 0;
  state.begun = state.enough = false;
  state.failed = {};
  state.posted = body;
  state.begin = &begin;
  state.take = &take;

  const std::unique_ptr<curl_slist, decltype(&::curl_slist_free_all)> lines(
      state.header_lines(request), curl.slist_free_all);
  state.prepare(request, to, lines.get());
  const CURLcode code = curl.easy_perform(state.handle);
  if (!state.failed) return tl::unexpected(state.failed.error());
  if (code == CURLE_ABORTED_BY_CALLBACK) return fail(Code::io, "interrupted");
  if (code != CURLE_OK && !state.enough) return state.transport_error(code, to);
  if (!state.begin_once()) return tl::unexpected(state.failed.error());
  char* location = nullptr;
  if (curl.easy_getinfo(state.handle, CURLINFO_REDIRECT_URL, &location) == CURLE_OK && location)
    state.answer.location = location;
  return std::move(state.answer);
}

}  // namespace skein::hub

#include "hub/address.h"

#include <charconv>

namespace skein::hub {
namespace {

// "127.0.0.1" and its like, in full; libcurl has made other spellings of it to this one.
bool is_loopback_v4(std::string_view host) {
  int parts = 0;
  for (bool more = true; more; ++parts) {
    const size_t dot = host.find('.');
    const std::string_view part = host.substr(0, dot);
    more = dot != std::string_view::npos;
    host.remove_prefix(more ? dot + 1 : host.size());
    int value = -1;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    if (error != std::errc() || end != part.data() + part.size() || value < 0 || value > 255)
      return false;
    if (parts == 0 && value != 127) return false;
  }
  return parts == 4;
}

}  // namespace

std::string Address::shown() const {
  const bool usual = (scheme == "https" && port == "443") || (scheme == "http" && port == "80");
  return escaped(usual || port.empty() ? host : host + ":" + port);
}

bool is_loopback(const Address& address) {
  return address.host == "localhost" || address.host == "[::1]" || is_loopback_v4(address.host);
}

Status check_address(const Address& address) {
  if (address.has_user)
    return fail(Code::argument, "{}: an address with a name or a password in it is not opened",
                address.shown());
  if (address.scheme == "https" || (address.scheme == "http" && is_loopback(address))) return {};
  if (address.scheme == "http")
    return fail(Code::argument,
                "{}: http without encryption is for this machine itself only; use https",
                address.shown());
  return fail(Code::argument, "{}: is no way to fetch a file; use https",
              escaped(address.scheme, 40));
}

Status check_redirect(const Address& from, const Address& to) {
  if (auto status = check_address(to); !status)
    return fail(Code::network, "{} sends us to a place that is not opened: {}", from.shown(),
                status.error().message);
  if (from.scheme == "https" && to.scheme != "https")
    return fail(Code::network, "{} sends us to {} without encryption, which is refused",
                from.shown(), to.shown());
  return {};
}

}  // namespace skein::hub

#include "hub/source.h"

#include <algorithm>
#include <vector>

#include "base/part_file.h"
#include "base/utf8.h"

namespace skein::hub {
namespace {

constexpr size_t kNameBytes = 200;  // with what a part's name adds, below the 255 of a file system

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_plain(char c) {
  return is_letter_or_digit(c) || c == '-' || c == '_' || c == '.' || c == '~';
}

// Every byte but plain ones and, where they separate, slashes.
std::string percent_encoded(std::string_view text, bool keep_slash) {
  std::string out;
  for (const char c : text) {
    if (is_plain(c) || (keep_slash && c == '/'))
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? digit_of(text[i + 1]) : -1;
    const int low = high >= 0 ? digit_of(text[i + 2]) : -1;
    if (low >= 0) {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> out;
  for (;;) {
    const size_t slash = text.find('/');
    out.push_back(text.substr(0, slash));
    if (slash == std::string_view::npos) return out;
    text.remove_prefix(slash + 1);
  }
}

bool is_printable(std::string_view text) {
  while (!text.empty()) {
    const auto byte = static_cast<unsigned char>(text[0]);
    const size_t length = utf8_length(text);
    if (length == 0 || byte < 0x20 || byte == 0x7f) return false;
    text.remove_prefix(length);
  }
  return true;
}

// A part between two slashes.
bool is_part(std::string_view text) {
  return !text.empty() && text != "." && text != ".." && is_printable(text) &&
         text.find('\\') == std::string_view::npos;
}

bool is_file_name(std::string_view name) {
  return is_part(name) && name[0] != '.' && name[0] != '-' && name.size() <= kNameBytes &&
         name.find('/') == std::string_view::npos && !target_of_part(name);
}

// A name that others chose, if nothing in it means anything to a shell or a terminal.
std::string taken_name(std::string_view name) {
  constexpr std::string_view kMore = "._+-%";
  const bool plain = std::all_of(name.begin(), name.end(), [&](char c) {
    return is_letter_or_digit(c) || kMore.find(c) != std::string_view::npos;
  });
  return plain && is_file_name(name) ? std::string(name) : std::string();
}

bool is_word(std::string_view text) {
  return is_part(text) && std::all_of(text.begin(), text.end(), is_plain);
}

Status check_repository(std::string_view repo, std::string_view revision) {
  const auto words = split(repo);
  const auto branch = split(revision);
  if (words.size() == 2 && std::all_of(words.begin(), words.end(), is_word) &&
      std::all_of(branch.begin(), branch.end(), is_word))
    return {};
  return fail(Code::argument, "{}@{}: is no repository of a hub, such as BlinkDL/rwkv7-g1",
              escaped(repo, 100), escaped(revision, 100));
}

// What stands behind the last @, or main.
std::string_view take_revision(std::string_view& name) {
  const size_t at = name.rfind('@');
  if (at == std::string_view::npos) return "main";
  const std::string_view revision = name.substr(at + 1);
  name = name.substr(0, at);
  return revision;
}

}  // namespace

std::string Source::shown() const {
  std::string_view host = endpoint.empty() ? url : endpoint;
  if (const size_t scheme = host.find("://"); scheme != std::string_view::npos)
    host.remove_prefix(scheme + 3);
  if (endpoint.empty()) return escaped(host.substr(0, host.find('/')));
  return escaped(std::string(host) + "/" + repo);
}

Status check_file_name(std::string_view name) {
  if (is_file_name(name)) return {};
  return fail(Code::argument, "\"{}\" is no name for a file here", escaped(name, 100));
}

Result<Source> hub_file(std::string_view endpoint, std::string_view name) {
  const std::string whole(name);
  const std::string_view revision = take_revision(name);
  const size_t user = name.find('/');
  const size_t repo = user == std::string_view::npos ? user : name.find('/', user + 1);
  if (repo == std::string_view::npos)
    return fail(Code::argument, "hf:{}: names no file; hf:user/repository/file does",
                escaped(whole, 200));
  return hub_file(endpoint, name.substr(0, repo), revision, name.substr(repo + 1));
}

Result<Source> hub_file(std::string_view endpoint, std::string_view repo, std::string_view revision,
                        std::string_view path) {
  SK_TRY_STATUS(check_repository(repo, revision));
  const auto parts = split(path);
  if (!std::all_of(parts.begin(), parts.end(), is_part))
    return fail(Code::argument, "{}: is no file of a repository", escaped(path, 200));
  Source out;
  out.endpoint = endpoint;
  out.repo = repo;
  out.revision = revision;
  out.path = path;
  out.file_name = taken_name(parts.back());
  out.url = fmt::format("{}/{}/resolve/{}/{}", endpoint, repo, percent_encoded(revision, false),
                        percent_encoded(path, true));
  return out;
}

Result<Source> at_address(std::string_view url) {
  const size_t scheme = url.find("://");
  const size_t path = scheme == std::string_view::npos ? scheme : url.find('/', scheme + 3);
  if (path == std::string_view::npos)
    return fail(Code::argument, "{}: names no file", escaped(url, 200));
  const std::string_view origin = url.substr(0, path);
  std::string_view rest = url.substr(path + 1);
  rest = rest.substr(0, rest.find_first_of("?#"));
  const auto parts = split(rest);
  if (parts.size() > 4 && (parts[2] == "blob" || parts[2] == "resolve")) {
    const auto begin = static_cast<size_t>(parts[4].data() - rest.data());
    return hub_file(origin, rest.substr(0, static_cast<size_t>(parts[2].data() - rest.data()) - 1),
                    percent_decoded(parts[3]), percent_decoded(rest.substr(begin)));
  }
  Source out;
  out.url = url.substr(0, url.find('#'));
  out.file_name = taken_name(percent_decoded(parts.back()));
  return out;
}

Result<Repository> repository(std::string_view name) {
  const std::string_view revision = take_revision(name);
  SK_TRY_STATUS(check_repository(name, revision));
  return Repository{std::string(name), std::string(revision)};
}

std::string tree_url(std::string_view endpoint, const Repository& repository) {
  return fmt::format("{}/api/models/{}/tree/{}?recursive=true", endpoint, repository.name,
                     percent_encoded(repository.revision, false));
}

}  // namespace skein::hub

#include "hub/download.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <thread>
#include <utility>

#include "base/hash.h"
#include "base/interruption.h"
#include "hub/redirects.h"
#include "hub/tree.h"

namespace skein::hub {
namespace {

constexpr uint64_t kProgress = 64 * 1024;  // a connection that brought less has failed
constexpr int kLongestWaitS = 30;
// Of a file whose size nobody says the disk is asked so often, and not filled to its end.
constexpr uint64_t kRoomEvery = 16 * 1024 * 1024;
constexpr uint64_t kRoomLeft = 64 * 1024 * 1024;

std::optional<uint64_t> number_in(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

// "bytes 0-0/382195690", "bytes */0".
struct ContentRange {
  std::optional<uint64_t> from, total;
};
ContentRange content_range(const Answer& answer) {
  std::string_view text = answer.header("content-range");
  ContentRange out;
  if (!text.starts_with("bytes ")) return out;
  text.remove_prefix(6);
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return out;
  out.total = number_in(text.substr(slash + 1));
  out.from = number_in(text.substr(0, text.find('-')));
  return out;
}

// Without its quotes, and without the mark of a weak one.
std::string_view bare(std::string_view etag) {
  if (etag.starts_with("W/")) etag.remove_prefix(2);
  if (etag.size() >= 2 && etag.starts_with('"') && etag.ends_with('"'))
    etag = etag.substr(1, etag.size() - 2);
  return etag;
}

// What the two answers say of the file.
Result<Remote> remote_of(const Source& source, const Answers& answers) {
  Remote out;
  const auto linked = number_in(answers.hub.header("x-linked-size"));
  const ContentRange range = content_range(answers.last);
  const auto whole = answers.last.status == 206   ? range.total
                     : answers.last.status == 200 ? number_in(answers.last.header("content-length"))
                                                  : std::nullopt;
  if (linked && whole && *linked != *whole)
    return fail(Code::network, "{}: the hub says that {} has {} bytes, and where it lies it has {}",
                source.shown(), escaped(source.file_name), *linked, *whole);
  out.bytes = linked ? linked : whole;

  const std::string_view stated = bare(answers.hub.header("x-linked-etag"));
  const std::string_view etag = answers.last.header("etag");
  if (Checksum::kind_of(stated) == Checksum::Kind::sha256)
    out.checksum = stated;
  else if (!source.repo.empty() && out.bytes &&
           Checksum::kind_of(bare(answers.hub.header("etag"))) == Checksum::Kind::git_blob)
    out.checksum = bare(answers.hub.header("etag"));
  if (!source.sha256.empty()) {
    if (out.kind() == Checksum::Kind::sha256 && out.checksum != source.sha256)
      return fail(Code::network,
                  "{}: says that the sha256 of {} is {}, and the one known here is {}",
                  source.shown(), escaped(source.file_name), out.checksum, source.sha256);
    out.checksum = source.sha256;
  }
  if (source.bytes > 0 && out.bytes && *out.bytes != source.bytes)
    return fail(Code::network, "{}: says that {} has {} bytes, and the one known here has {}",
                source.shown(), escaped(source.file_name), *out.bytes, source.bytes);
  if (!etag.empty() && !etag.starts_with("W/"))
    out.validator = etag;
  else
    out.validator = answers.last.header("last-modified");
  return out;
}

// What the bytes of a part belong to; empty if nothing tells.
std::string tag_of(const Source& source, const Remote& remote) {
  Sha256 hash;
  if (!remote.checksum.empty())
    hash.update(remote.checksum);
  else if (!remote.validator.empty())
    hash.update(fmt::format("{}\n{}\n{}", source.url, remote.validator, remote.bytes.value_or(0)));
  else
    return {};
  return hex(hash.finish());
}

bool may_pass(int status) {
  return status == 408 || status == 429 || (status >= 500 && status <= 599);
}

// "; it has A, B, C": of the files of its repository those whose names begin most like the one that
// is not there. Nothing if they cannot be had.
std::string near_names(Http& http, const Source& source, const std::string& token) {
  auto files = model_files(http, source.endpoint, {source.repo, source.revision}, token);
  if (!files || files->empty()) return {};
  const auto alike = [&](const RemoteFile& file) {
    const auto ends =
        std::mismatch(file.path.begin(), file.path.end(), source.path.begin(), source.path.end());
    return ends.first - file.path.begin();
  };
  std::stable_sort(files->begin(), files->end(),
                   [&](const RemoteFile& a, const RemoteFile& b) { return alike(a) > alike(b); });
  constexpr size_t kMost = 3;
  std::string out = "; it has ";
  for (size_t i = 0; i < std::min(kMost, files->size()); ++i)
    out += (i == 0 ? "" : ", ") + escaped((*files)[i].path);
  if (files->size() > kMost) out += fmt::format(" and {} more", files->size() - kMost);
  return out;
}

// One file on its way.
class Download {
 public:
  Download(Http& http, const Source& source, const Remote& remote, const std::string& token,
           const DownloadEvents& events, PartFile part)
      : http_(http),
        source_(source),
        remote_(remote),
        token_(token),
        events_(events),
        part_(std::move(part)),
        sum_(remote.kind(), remote.bytes.value_or(0)) {}

  Status look_at_part(bool resumable);
  Status check_room() const;
  Status fetch(int tries);
  Status compare();

  PartFile& part() { return part_; }

 private:
  Status restart();
  Status attempt();
  Status begin(const Answers& answers);
  Result<bool> take(std::span<const std::byte> bytes);
  Status wait(int failures, const Error& error) const;

  Http& http_;
  const Source& source_;
  const Remote& remote_;
  const std::string& token_;
  const DownloadEvents& events_;
  PartFile part_;
  Checksum sum_;
  uint64_t before_ = 0;  // what the run found
  bool passes_ = false;  // the last attempt's failure
  bool whole_ = false;   // of a file whose size nobody said: it came to its end
};

Status Download::restart() {
  sum_ = Checksum(remote_.kind(), remote_.bytes.value_or(0));
  before_ = 0;
  return part_.restart();
}

Status Download::look_at_part(bool resumable) {
  if (!resumable || (remote_.bytes && part_.size() > *remote_.bytes)) return restart();
  uint64_t done = 0;
  SK_TRY_STATUS(part_.read([&](std::span<const std::byte> bytes) {
    sum_.update(bytes);
    done += bytes.size();
    events_.checking(done, part_.size());
    return !interruption_asked();
  }));
  if (done < part_.size()) return fail(Code::io, "interrupted");
  before_ = done;
  return {};
}

Status Download::check_room() const {
  const auto room = part_.room();
  if (room && !remote_.bytes && *room < kRoomLeft)
    return fail(Code::io, "{}: nobody says how much comes, and the disk has {} bytes free",
                escaped(part_.path().string()), *room);
  if (!room || !remote_.bytes || *remote_.bytes - part_.size() <= *room) return {};
  return fail(Code::io, "{}: needs {} bytes more, and the disk has {} free",
              escaped(part_.path().string()), *remote_.bytes - part_.size(), *room);
}

Status Download::begin(const Answers& answers) {
  SK_TRY(const Remote now, remote_of(source_, answers));
  const bool as_large = !now.bytes || !remote_.bytes || *now.bytes == *remote_.bytes;
  const bool same = as_large && (remote_.checksum.empty() ? now.validator == remote_.validator
                                                          : now.checksum == remote_.checksum);
  if (!same) {
    SK_TRY_STATUS(restart());
    return fail(Code::network, "{}: {} was changed there meanwhile; fetch it anew", source_.shown(),
                escaped(source_.file_name));
  }
  if (answers.last.status == 200) {
    if (part_.size() == 0) return {};
    events_.says(fmt::format("{} does not go on in the middle, and begins anew", source_.shown()));
    return restart();
  }
  if (content_range(answers.last).from == part_.size()) return {};
  return fail(Code::network, "{}: sends other bytes of {} than were asked for", source_.shown(),
              escaped(source_.file_name));
}

Result<bool> Download::take(std::span<const std::byte> bytes) {
  if (remote_.bytes && bytes.size() > *remote_.bytes - part_.size())
    return fail(Code::network, "{}: sends more of {} than the {} bytes that it spoke of",
                source_.shown(), escaped(source_.file_name), *remote_.bytes);
  const uint64_t there = part_.size();
  SK_TRY_STATUS(part_.append(bytes));
  if (!remote_.bytes && there / kRoomEvery != part_.size() / kRoomEvery)
    SK_TRY_STATUS(check_room());
  sum_.update(bytes);
  events_.fetching(part_.size(), remote_.bytes, before_);
  return true;
}

Status Download::attempt() {
  passes_ = false;
  Request request;
  request.url = source_.url;
  request.token = token_;
  request.from = part_.size();
  // A checksum says more than a date.
  if (request.from > 0 && remote_.checksum.empty()) request.if_range = remote_.validator;
  const auto answers = get_following(
      http_, request, [&](const Answers& both) { return begin(both); },
      [&](std::span<const std::byte> bytes) { return take(bytes); });
  if (!answers) {
    passes_ = http_.passes();
    return tl::unexpected(answers.error());
  }
  const Answer& last = answers->last;
  if (last.status == 416 && part_.size() > 0) {
    passes_ = true;
    SK_TRY_STATUS(restart());
    return fail(Code::network, "{}: has no byte {} of {}", source_.shown(), request.from,
                escaped(source_.file_name));
  }
  if (!last.is_success()) {
    passes_ = may_pass(last.status);
    return refusal(last, source_.shown(), escaped(source_.file_name), !token_.empty());
  }
  whole_ = true;
  if (!remote_.bytes || part_.size() == *remote_.bytes) return {};
  passes_ = true;
  return fail(Code::network, "{}: ended {} after {} of {} bytes", source_.shown(),
              escaped(source_.file_name), part_.size(), *remote_.bytes);
}

// Longer after each failure, in steps so short that Ctrl-C is heard.
Status Download::wait(int failures, const Error& error) const {
  const int seconds = std::min(1 << std::min(failures - 1, 5), kLongestWaitS);
  events_.says(fmt::format("{}; trying again in {} s", error.message, seconds));
  for (int step = 0; step < seconds * 10; ++step) {
    if (interruption_asked()) return fail(Code::io, "interrupted");
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return {};
}

Status Download::fetch(int tries) {
  int failures = 0;
  while (remote_.bytes ? part_.size() < *remote_.bytes : !whole_) {
    const uint64_t there = part_.size();
    const Status status = attempt();
    if (status) continue;
    if (!passes_) return status;
    // Without a word, as it goes on where it stopped.
    if (part_.size() >= there + kProgress) {
      failures = 0;
      continue;
    }
    if (++failures >= tries) return status;
    SK_TRY_STATUS(wait(failures, status.error()));
  }
  return {};
}

Status Download::compare() {
  if (remote_.kind() == Checksum::Kind::none) return {};
  const std::string found = sum_.finish();
  if (found == remote_.checksum) return {};
  part_.remove();
  return fail(Code::network,
              "{}: what came of {} is not what was promised: its {} is {} and should be {}; "
              "nothing of it was kept",
              source_.shown(), escaped(source_.file_name), Checksum::name_of(remote_.kind()), found,
              remote_.checksum);
}

}  // namespace

Result<Remote> ask(Http& http, const Source& source, const std::string& token) {
  Request request;
  request.url = source.url;
  request.token = token;
  request.last = 0;  // one byte, which tells the size and that a range can be had
  std::optional<Result<Remote>> found;
  const auto begin = [&](const Answers& answers) -> Status {
    found = remote_of(source, answers);
    return {};
  };
  const auto enough = [](std::span<const std::byte>) -> Result<bool> { return false; };
  SK_TRY(const Answers answers, get_following(http, request, begin, enough));
  const auto empty = [&] {
    return fail(Code::network, "{}: {} is empty", source.shown(), escaped(source.file_name));
  };
  if (answers.last.status == 416 && content_range(answers.last).total == uint64_t{0})
    return empty();
  if (!answers.last.is_success()) {
    auto refused = refusal(answers.last, source.shown(), escaped(source.file_name), !token.empty());
    if (answers.last.status == 404 && !source.repo.empty())
      refused.value().message += near_names(http, source, token);
    return refused;
  }
  if (!found) return fail(Code::internal, "an answer without a beginning");
  if (*found && (*found)->bytes == uint64_t{0}) return empty();
  return std::move(*found);
}

Result<PartFile> fetch(Http& http, const Source& source, const Remote& remote,
                       const std::filesystem::path& target, const std::string& token, int tries,
                       const DownloadEvents& events) {
  const std::string tag = tag_of(source, remote);
  SK_TRY(PartFile part, PartFile::open(target, tag));
  Download download(http, source, remote, token, events, std::move(part));
  Status status = download.look_at_part(!tag.empty());
  if (status) status = download.check_room();
  if (status) status = download.fetch(tries);
  if (status) status = download.compare();
  if (status) return std::move(download.part());
  if (tag.empty())
    download.part().remove();
  else if (download.part().size() > 0 && status.error().code != Code::internal)
    events.keeps(download.part().size());
  return tl::unexpected(std::move(status).error());
}

}  // namespace skein::hub

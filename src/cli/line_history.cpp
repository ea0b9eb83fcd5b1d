#include "cli/line_history.h"

#include <sys/stat.h>

#include <algorithm>

#include <fmt/format.h>

#include "base/file.h"
#include "base/file_writer.h"

namespace skein::cli {
namespace {

constexpr size_t kLines = 1000;
constexpr uint64_t kFileBytes = uint64_t{16} << 20;
constexpr size_t kLongestLine = 8192;

// The file is libedit's second format: this mark, then a line each, blanks, controls and
// backslashes as \ooo.
constexpr std::string_view kMark = "_HiStOrY_V2_\n";

std::string encoded(std::string_view line) {
  std::string out;
  for (const char c : line) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ' || byte == 0x7f || c == '\\')
      out += fmt::format("\\{:03o}", byte);
    else
      out += c;
  }
  return out;
}

bool is_octal(std::string_view text) {
  return text.size() == 3 && text.find_first_not_of("01234567") == std::string_view::npos &&
         text[0] < '4';
}

// Also what only libedit wrote: \\ for a backslash, \^A for a control.
std::string decoded(std::string_view line) {
  std::string out;
  for (size_t at = 0; at < line.size(); ++at) {
    const std::string_view rest = line.substr(at + 1);
    if (line[at] != '\\' || rest.empty()) {
      out += line[at];
    } else if (is_octal(rest.substr(0, 3))) {
      out += static_cast<char>((rest[0] - '0') << 6 | (rest[1] - '0') << 3 | (rest[2] - '0'));
      at += 3;
    } else if (rest[0] == '^' && rest.size() > 1) {
      out += static_cast<char>(rest[1] ^ 0x40);
      at += 2;
    } else {
      out += rest[0];
      ++at;
    }
  }
  return out;
}

}  // namespace

LineHistory::LineHistory(const std::filesystem::path& file) {
  struct stat info {};
  const bool there = !file.empty() && ::stat(file.c_str(), &info) == 0;
  if (there && !S_ISREG(info.st_mode)) return;  // neither waited for nor written over
  file_ = file;
  read();
}

void LineHistory::read() {
  const auto bytes = read_file(file_, kFileBytes);
  if (bytes) load({reinterpret_cast<const char*>(bytes->data()), bytes->size()});
}

void LineHistory::load(std::string_view text) {
  if (!text.starts_with(kMark)) return;
  lines_.clear();
  text.remove_prefix(kMark.size());
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    if (end > 0 && end <= 4 * kLongestLine) lines_.push_back(decoded(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  if (lines_.size() > kLines)
    lines_.erase(lines_.begin(), lines_.end() - static_cast<int64_t>(kLines));
}

void LineHistory::add(std::string_view line) {
  if (line.empty() || line.size() > kLongestLine || line.find('\n') != std::string_view::npos)
    return;
  if (!file_.empty()) read();  // with what another chat has added meanwhile
  if (lines_.empty() || lines_.back() != line) lines_.emplace_back(line);
  if (lines_.size() > kLines) lines_.erase(lines_.begin());
  if (!file_.empty()) save();
}

void LineHistory::save() const {
  std::string text(kMark);
  for (const std::string& line : lines_) text += encoded(line) + '\n';
  const std::span<const std::byte> bytes = std::as_bytes(std::span(text));
  (void)write_file(file_, {&bytes, 1}, {.mode = 0600});
}

}  // namespace skein::cli

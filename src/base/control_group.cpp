#include "base/control_group.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>
#include <vector>

namespace skein {
namespace {

// A hierarchy: where it is mounted, and the group that stands there.
struct Mount {
  std::string folder;
  std::string group = "/";
  bool unified = false;          // version 2
  std::string_view controllers;  // of version 1: "cpu,cpuacct"
};

// "4:memory:/docker/1f", "0::/user.slice/job.scope"
struct Membership {
  std::string controllers;
  std::string group;
};

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> out;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(at, begin), text.size());
    out.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

bool has(std::string_view controllers, std::string_view wanted) {
  const auto list = split(controllers, ',');
  return std::find(list.begin(), list.end(), wanted) != list.end();
}

std::vector<std::string> lines_of(const std::string& path) {
  std::vector<std::string> out;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) out.push_back(line);
  return out;
}

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// Limits beyond any machine are how version 1 says that there is none.
std::optional<uint64_t> number(std::string_view text) {
  constexpr uint64_t kNoLimit = uint64_t{1} << 60;
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value >= kNoLimit)
    return std::nullopt;
  return value;
}

// The number after `key` in a file of "key number" lines.
uint64_t entry(const std::string& path, std::string_view key) {
  for (const std::string& line : lines_of(path)) {
    const auto words = split(line, ' ');
    if (words.size() == 2 && words[0] == key) return number(words[1]).value_or(0);
  }
  return 0;
}

// mountinfo writes a blank as \040.
std::string unescaped(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    int code = 0;
    if (text[i] == '\\' && i + 3 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 4, code, 8).ptr ==
            text.data() + i + 4) {
      out += static_cast<char>(code);
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

// Of lines "36 35 98:0 /group /folder rw,noatime shared:1 - cgroup cgroup rw,memory".
std::vector<Mount> mounted(const std::string& root) {
  std::vector<Mount> out;
  for (const std::string& line : lines_of(root + "/proc/self/mountinfo")) {
    const auto words = split(line, ' ');
    const auto dash = std::find(words.begin(), words.end(), "-");
    if (words.size() < 6 || words.end() - dash < 4) continue;
    const std::string_view type = dash[1], options = dash[3];
    if (type != "cgroup" && type != "cgroup2") continue;
    for (const std::string_view controller : {"cpu", "memory"})
      if (type == "cgroup2" || has(options, controller))
        out.push_back({.folder = unescaped(words[4]),
                       .group = unescaped(words[3]),
                       .unified = type == "cgroup2",
                       .controllers = controller});
  }
  return out;
}

// Where they are usually found, for a system that does not tell.
std::vector<Mount> usual() {
  const std::string folder = "/sys/fs/cgroup";
  return {{.folder = folder, .unified = true, .controllers = {}},
          {.folder = folder + "/unified", .unified = true, .controllers = {}},
          {.folder = folder + "/cpu", .controllers = "cpu"},
          {.folder = folder + "/cpu,cpuacct", .controllers = "cpu"},
          {.folder = folder + "/memory", .controllers = "memory"}};
}

void tighten_processors(Granted& granted, int here) {
  if (here > 0) granted.processors = granted.processors ? std::min(granted.processors, here) : here;
}

void tighten_memory(Granted& granted, uint64_t limit) {
  granted.memory = granted.memory ? std::min(granted.memory, limit) : limit;
}

// `cache` is what the system takes back from files before it kills anybody.
void tighten_available(Granted& granted, uint64_t limit, uint64_t used, uint64_t cache) {
  const uint64_t kept = used - std::min(used, cache);
  const uint64_t here = limit - std::min(limit, kept);
  granted.available = granted.has_available ? std::min(granted.available, here) : here;
  granted.has_available = true;
}

void look_at_version_2(const std::string& folder, Granted& granted) {
  const std::string line = first_line(folder + "/cpu.max");
  if (const auto words = split(line, ' '); words.size() == 2)
    tighten_processors(granted, processors_of_quota(words[0], words[1]));
  const auto most = number(first_line(folder + "/memory.max"));
  // Beyond this one nobody is killed; everything only becomes slow without end.
  const auto high = number(first_line(folder + "/memory.high"));
  if (most) tighten_memory(granted, *most);
  if (!most && !high) return;
  const uint64_t limit = std::min(most.value_or(UINT64_MAX), high.value_or(UINT64_MAX));
  const std::string stat = folder + "/memory.stat";
  tighten_available(granted, limit, number(first_line(folder + "/memory.current")).value_or(0),
                    entry(stat, "inactive_file") + entry(stat, "active_file"));
}

void look_at_version_1(const std::string& folder, std::string_view controller, Granted& granted) {
  if (controller == "cpu") {
    tighten_processors(granted, processors_of_quota(first_line(folder + "/cpu.cfs_quota_us"),
                                                    first_line(folder + "/cpu.cfs_period_us")));
    return;
  }
  const auto limit = number(first_line(folder + "/memory.limit_in_bytes"));
  if (!limit) return;
  tighten_memory(granted, *limit);
  const std::string stat = folder + "/memory.stat";
  tighten_available(granted, *limit,
                    number(first_line(folder + "/memory.usage_in_bytes")).value_or(0),
                    entry(stat, "total_inactive_file") + entry(stat, "total_active_file"));
}

// The group as its mount shows it. A container may see its own group as the top of the mount while
// it is told the path from outside.
std::string inside(const Mount& mount, const std::string& group) {
  if (mount.group == "/") return group;
  if (group.starts_with(mount.group) &&
      (group.size() == mount.group.size() || group[mount.group.size()] == '/'))
    return group.substr(mount.group.size());
  return "";
}

}  // namespace

int processors_of_quota(std::string_view quota, std::string_view period) {
  const auto time = number(quota), of = number(period);
  if (!time || !of || *time == 0 || *of == 0) return 0;
  return static_cast<int>(std::min<uint64_t>((*time - 1) / *of + 1, CPU_SETSIZE));
}

Granted granted_by_groups(const std::string& root) {
  std::vector<Mount> mounts = mounted(root);
  for (Mount& mount : usual()) mounts.push_back(std::move(mount));
  std::vector<Membership> memberships;
  for (const std::string& line : lines_of(root + "/proc/self/cgroup")) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    memberships.push_back({line.substr(first + 1, second - first - 1), line.substr(second + 1)});
  }
  Granted granted;
  for (const Mount& mount : mounts) {
    for (const Membership& member : memberships) {
      if (mount.unified ? !member.controllers.empty() : !has(member.controllers, mount.controllers))
        continue;
      // Every group above ours limits us too.
      for (std::string group = inside(mount, member.group);;) {
        while (group.ends_with('/')) group.pop_back();
        const std::string folder = root + mount.folder + group;
        if (mount.unified)
          look_at_version_2(folder, granted);
        else
          look_at_version_1(folder, mount.controllers, granted);
        if (group.empty()) break;
        group.resize(group.rfind('/') == std::string::npos ? 0 : group.rfind('/'));
      }
    }
  }
  return granted;
}

}  // namespace skein

// Trees of files as the kernel shows them, in a folder of the test's own.
#include "base/control_group.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "base/platform.h"

namespace skein {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMiB = uint64_t{1} << 20;

class Machine {
 public:
  explicit Machine(const std::map<std::string, std::string>& files) {
    std::string name = (fs::temp_directory_path() / "skein-groups-XXXXXX").string();
    if (::mkdtemp(name.data())) root_ = name;
    put("/proc/meminfo",
        "MemTotal:        8388608 kB\nMemFree: 1 kB\nMemAvailable:    4194304 kB\n");
    for (const auto& [path, text] : files) put(path, text);
  }
  ~Machine() {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  Granted granted() const { return granted_by_groups(root_); }
  uint64_t total() const { return memory_total(root_) / kMiB; }
  uint64_t available() const { return memory_available(root_) / kMiB; }

 private:
  void put(const std::string& path, const std::string& text) {
    fs::create_directories(fs::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text << (text.ends_with('\n') ? "" : "\n");
  }
  std::string root_;
};

const std::string kGroups = "/sys/fs/cgroup";
std::string megabytes(uint64_t count) { return std::to_string(count * kMiB); }

TEST(ControlGroup, none_leaves_the_machine) {
  for (const std::map<std::string, std::string>& files :
       {std::map<std::string, std::string>{},
        {{"/proc/self/cgroup", "0::/\n"}},
        {{"/proc/self/cgroup", "0::/a\n"},
         {kGroups + "/a/cpu.max", "max 100000"},
         {kGroups + "/a/memory.max", "max"},
         {kGroups + "/a/memory.high", "max"}},
        {{"/proc/self/cgroup", "4:memory:/a\n1:cpu:/a\n"},
         {kGroups + "/cpu/a/cpu.cfs_quota_us", "-1"},
         {kGroups + "/cpu/a/cpu.cfs_period_us", "100000"},
         {kGroups + "/memory/a/memory.limit_in_bytes", "9223372036854771712"}}}) {
    const Machine machine(files);
    EXPECT_EQ(machine.granted().processors, 0);
    EXPECT_EQ(machine.granted().memory, 0u);
    EXPECT_EQ(machine.total(), 8192u);
    EXPECT_EQ(machine.available(), 4096u);
  }
}

TEST(ControlGroup, version_2_at_its_place_and_beside_version_1) {
  for (const std::string place : {"", "/unified"}) {
    const Machine machine(
        {{"/proc/self/cgroup", "0::/user.slice/job.scope\n"},
         {kGroups + place + "/user.slice/job.scope/cpu.max", "150000 100000"},
         {kGroups + place + "/user.slice/job.scope/memory.max", megabytes(512)},
         {kGroups + place + "/user.slice/job.scope/memory.current", megabytes(200)},
         {kGroups + place + "/user.slice/job.scope/memory.stat",
          "anon 1\ninactive_file " + megabytes(60) + "\nactive_file " + megabytes(40) + "\n"}});
    EXPECT_EQ(machine.granted().processors, 2) << place;
    EXPECT_EQ(machine.total(), 512u) << place;
    EXPECT_EQ(machine.available(), 412u) << place;  // pages of files are given back
  }
}

TEST(ControlGroup, every_group_above_limits_too) {
  const std::string top = kGroups + "/a", middle = top + "/b", own = middle + "/c";
  const std::map<std::string, std::string> none = {{"/proc/self/cgroup", "0::/a/b/c\n"}};
  for (const std::string& group : {kGroups, top, middle, own}) {
    auto files = none;
    for (const std::string& other : {kGroups, top, middle, own}) {
      files[other + "/cpu.max"] = "max 100000";
      files[other + "/memory.max"] = "max";
    }
    files[group + "/cpu.max"] = "300000 100000";
    files[group + "/memory.max"] = megabytes(1024);
    files[group + "/memory.current"] = megabytes(1000);
    const Machine machine(files);
    EXPECT_EQ(machine.granted().processors, 3) << group;
    EXPECT_EQ(machine.total(), 1024u) << group;
    EXPECT_EQ(machine.available(), 24u) << group;
  }
}

TEST(ControlGroup, beyond_high_nothing_is_killed_but_it_is_not_to_be_had) {
  const Machine machine({{"/proc/self/cgroup", "0::/a\n"},
                         {kGroups + "/a/memory.high", megabytes(256)},
                         {kGroups + "/a/memory.max", "max"},
                         {kGroups + "/a/memory.current", megabytes(56)}});
  EXPECT_EQ(machine.total(), 8192u);
  EXPECT_EQ(machine.available(), 200u);
}

TEST(ControlGroup, what_is_used_up_is_not_unknown) {
  const Machine machine({{"/proc/self/cgroup", "0::/a\n"},
                         {kGroups + "/a/memory.max", megabytes(100)},
                         {kGroups + "/a/memory.current", megabytes(120)}});
  EXPECT_EQ(machine.total(), 100u);
  EXPECT_EQ(machine.available(), 0u);
}

TEST(ControlGroup, version_1_has_a_hierarchy_for_each_controller) {
  for (const std::string cpu : {"/cpu", "/cpu,cpuacct"}) {
    const Machine machine(
        {{"/proc/self/cgroup",
          "7:memory:/docker/1f\n4:cpu,cpuacct:/docker/1f\n1:name=systemd:/\n0::/\n"},
         {kGroups + cpu + "/docker/1f/cpu.cfs_quota_us", "250000"},
         {kGroups + cpu + "/docker/1f/cpu.cfs_period_us", "100000"},
         {kGroups + "/memory/docker/memory.limit_in_bytes", megabytes(2048)},
         {kGroups + "/memory/docker/1f/memory.limit_in_bytes", megabytes(3000)},
         {kGroups + "/memory/docker/1f/memory.usage_in_bytes", megabytes(100)},
         {kGroups + "/memory/docker/memory.usage_in_bytes", megabytes(148)}});
    EXPECT_EQ(machine.granted().processors, 3) << cpu;
    EXPECT_EQ(machine.total(), 2048u) << cpu;
    EXPECT_EQ(machine.available(), 1900u) << cpu;
  }
}

// A container that is told its path from outside, and sees its own group at the top of the mount.
TEST(ControlGroup, a_container_sees_its_group_at_the_top_of_the_mount) {
  const Machine machine(
      {{"/proc/self/cgroup", "4:memory:/docker/1f/inner\n3:cpu:/docker/1f\n"},
       {"/proc/self/mountinfo",
        "30 22 0:27 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
        "31 30 0:28 /docker/1f /groups/of\\040cpu rw,relatime shared:9 - cgroup cgroup rw,cpu\n"
        "34 30 0:31 /docker/1f /groups/memory rw - cgroup cgroup rw,memory\n"},
       {"/groups/of cpu/cpu.cfs_quota_us", "100000"},
       {"/groups/of cpu/cpu.cfs_period_us", "100000"},
       {"/groups/memory/inner/memory.limit_in_bytes", megabytes(700)},
       {"/groups/memory/memory.limit_in_bytes", megabytes(600)}});
  EXPECT_EQ(machine.granted().processors, 1);
  EXPECT_EQ(machine.total(), 600u);
}

TEST(ControlGroup, both_versions_at_once_take_the_tighter) {
  const Machine machine(
      {{"/proc/self/cgroup", "4:memory:/a\n0::/b\n"},
       {"/proc/self/mountinfo",
        "40 30 0:37 / /elsewhere rw,relatime - cgroup2 cgroup2 rw\n"
        "34 30 0:31 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"},
       {"/elsewhere/b/cpu.max", "50000 100000"},
       {"/elsewhere/b/memory.max", megabytes(900)},
       {kGroups + "/memory/a/memory.limit_in_bytes", megabytes(800)}});
  EXPECT_EQ(machine.granted().processors, 1);
  EXPECT_EQ(machine.total(), 800u);
}

TEST(ControlGroup, nonsense_limits_nothing) {
  for (const char* text :
       {"", "x", "-5 100000", "5", "5 0", "5 -1", "99999999999999999999 1", "1 2 3"}) {
    const Machine machine({{"/proc/self/cgroup", "0::/a\nno colons\n::\n0:\n"},
                           {"/proc/self/mountinfo", "- cgroup2\n1 2 3 4 5 - cgroup2 a b\n\n- -\n"},
                           {kGroups + "/a/cpu.max", text},
                           {kGroups + "/a/memory.max", text[0] == '5' ? "x" : text}});
    EXPECT_EQ(machine.granted().processors, 0) << text;
    EXPECT_EQ(machine.total(), 8192u) << text;
  }
}

}  // namespace
}  // namespace skein

// Where outputs go: links, pipes, descriptors, long names, and what was there before.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <set>
#include <thread>

#include "base/file.h"
#include "base/file_writer.h"

namespace skein {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Status write_text(const fs::path& path, std::string_view text, const OutputOptions& options = {}) {
  const std::span<const std::byte> parts[] = {std::as_bytes(std::span(text))};
  return write_file(path, parts, options);
}

mode_t mode_of(const fs::path& path) {
  struct stat info {};
  EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
  return info.st_mode & 07777;
}

class Output : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "skein-output-XXXXXX").string();
    ASSERT_TRUE(::mkdtemp(name.data()));
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path file(const std::string& name, std::string_view text = "old") const {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }
  fs::path link(const std::string& name, const fs::path& target) const {
    fs::create_symlink(target, folder_ / name);
    return folder_ / name;
  }
  std::set<std::string> names() const {
    std::set<std::string> out;
    for (const auto& entry : fs::recursive_directory_iterator(folder_))
      out.insert(entry.path().lexically_relative(folder_).string());
    return out;
  }

  fs::path folder_;
};

TEST_F(Output, a_link_stays_and_what_it_leads_to_is_written) {
  fs::create_directories(folder_ / "far/away");
  file("far/away/target");
  link("far/relative", "away/target");
  const struct {
    const char* name;
    fs::path leads_to;
    const char* target;
  } rows[] = {{"to file", folder_ / "far/away/target", "far/away/target"},
              {"to link", "far/relative", "far/away/target"},
              {"dangling", "far/new", "far/new"},
              {"dangling twice", "dangling further", "far/newer"},
              {"up", "far/../far/away/target", "far/away/target"}};
  link("dangling further", "far/newer");
  for (const auto& row : rows) {
    const fs::path name = link(row.name, row.leads_to);
    ASSERT_TRUE(write_text(name, row.name)) << row.name;
    EXPECT_TRUE(fs::is_symlink(name)) << row.name;
    EXPECT_EQ(fs::read_symlink(name), row.leads_to) << row.name;
    EXPECT_FALSE(fs::is_symlink(folder_ / row.target)) << row.name;
    EXPECT_EQ(text_of(folder_ / row.target), row.name);
  }
  EXPECT_EQ(names().size(), 7u + std::size(rows)) << "something was left behind";
}

TEST_F(Output, a_place_that_cannot_be_written_is_told_in_a_sentence_and_stays) {
  link("circle", "circle");
  link("round", "about");
  link("about", "round");
  fs::create_directory(folder_ / "folder");
  link("to folder", "folder");
  file("file");
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
  (folder_ / "socket").string().copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const auto before = names();
  const struct {
    std::string name;
    const char* says;
  } rows[] = {{"circle", "Too many levels of symbolic links"},
              {"round", "Too many levels of symbolic links"},
              {"folder", "is a folder"},
              {"to folder", "is a folder"},
              {"folder/", "is the name of a folder"},
              {"folder/.", "is the name of a folder"},
              {"folder/..", "is the name of a folder"},
              {"socket", "is a socket"},
              {"missing/file", "there is no folder "},
              {"file/file", "Not a directory"},
              {std::string(256, 'n'), "File name too long"}};
  for (const auto& row : rows)
    for (const Existing existing : {Existing::keep, Existing::replace, Existing::force}) {
      const Status status =
          write_text(folder_.string() + "/" + row.name, "new", {.existing = existing});
      ASSERT_FALSE(status) << row.name;
      EXPECT_EQ(status.error().code, Code::io);
      EXPECT_NE(status.error().message.find(row.says), std::string::npos) << status.error().message;
    }
  EXPECT_FALSE(write_text("", "new"));
  EXPECT_EQ(names(), before);
  ::close(socket);
}

// A private link stands in for /dev/stdout.
TEST_F(Output, a_descriptor_is_written_where_it_stands_and_never_replaced) {
  const fs::path behind = file("behind", "");
  for (const int flags : {O_WRONLY, O_WRONLY | O_APPEND, O_RDWR}) {
    fs::resize_file(behind, 0);
    const int fd = ::open(behind.c_str(), flags);
    ASSERT_EQ(::write(fd, "before ", 7), 7);
    const fs::path direct = fmt::format("/proc/self/fd/{}", fd);
    const fs::path out = link(fmt::format("out{}", fd), direct);
    const fs::path dev = fmt::format("/dev/fd/{}", fd);
    ASSERT_TRUE(write_text(out, "1 "));
    ASSERT_TRUE(write_text(direct, "2 "));
    if (fs::exists(dev)) {
      ASSERT_TRUE(write_text(dev, "3 "));
    }
    ASSERT_EQ(::write(fd, "after", 5), 5);
    EXPECT_EQ(text_of(behind), fs::exists(dev) ? "before 1 2 3 after" : "before 1 2 after");
    EXPECT_TRUE(fs::is_symlink(out));
    ::close(fd);
    fs::remove(out);
  }
  const int reading = ::open(behind.c_str(), O_RDONLY);
  const Status refused = write_text(fmt::format("/proc/self/fd/{}", reading), "x");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("not open for writing"), std::string::npos);
  ::close(reading);
  EXPECT_FALSE(write_text(fmt::format("/proc/self/fd/{}", reading), "x"));
  EXPECT_FALSE(write_text(fmt::format("/proc/{}/fd/0", ::getppid()), "x"));
  EXPECT_EQ(names(), std::set<std::string>{"behind"});
}

TEST_F(Output, pipes_and_devices_get_the_bytes_and_stay) {
  ASSERT_EQ(::mkfifo((folder_ / "fifo").c_str(), 0600), 0);
  link("to fifo", "fifo");
  // By links: a mistake here must not cost the machine its /dev/null.
  link("null", "/dev/null");
  link("full", "/dev/full");
  const std::string much(3 << 20, 'm');
  for (const char* name : {"fifo", "to fifo"}) {
    std::string got;
    std::thread reader([&] { got = text_of(folder_ / "fifo"); });
    EXPECT_TRUE(write_text(folder_ / name, much, {.existing = Existing::keep}));
    reader.join();
    EXPECT_TRUE(got == much) << got.size();
  }
  EXPECT_TRUE(write_text(folder_ / "null", much));
  const Status full = write_text(folder_ / "full", "x");
  ASSERT_FALSE(full);
  EXPECT_NE(full.error().message.find("No space left"), std::string::npos);
  EXPECT_TRUE(fs::is_fifo(folder_ / "fifo"));
  EXPECT_TRUE(fs::is_symlink(folder_ / "null"));
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  EXPECT_EQ(names(), (std::set<std::string>{"fifo", "full", "null", "to fifo"}));
}

TEST_F(Output, a_name_may_be_as_long_as_the_file_system_allows) {
  for (size_t size = 240; size <= 255; ++size) {
    const std::string name(size, 'n');
    for (const bool named : {true, false})
      for (const char* text : {"new", "newer"}) {
        ASSERT_TRUE(write_text(folder_ / name, text, {.named = named})) << size;
        EXPECT_EQ(text_of(folder_ / name), text);
      }
    EXPECT_EQ(names(), std::set<std::string>{name});
    fs::remove(folder_ / name);
  }
  // 85 characters of three bytes: what is cut to make room for an ending is cut between them.
  std::string wide;
  for (int i = 0; i < 85; ++i) wide += "\u4e16";
  ASSERT_TRUE(write_text(folder_ / wide, "new"));
  ASSERT_TRUE(write_text(folder_ / wide, "newer"));
  EXPECT_EQ(names(), std::set<std::string>{wide});
}

TEST_F(Output, a_path_may_be_as_long_as_the_system_allows) {
  fs::path deep = folder_;
  while (deep.string().size() + 202 < 4000) deep /= std::string(200, 'd');
  fs::create_directories(deep);
  deep /=
      std::string(4095 - 1 - deep.string().size() > 255 ? 255 : 4094 - deep.string().size(), 'n');
  ASSERT_LT(deep.string().size(), 4096u);
  ASSERT_TRUE(write_text(deep, "new"));
  ASSERT_TRUE(write_text(deep, "newer"));
  EXPECT_EQ(text_of(deep), "newer");
  EXPECT_FALSE(write_text(folder_ / std::string(5000, 'x'), "x"));
}

TEST_F(Output, a_file_that_is_replaced_keeps_its_mode_and_owner) {
  const mode_t mask = ::umask(022);
  for (const mode_t mode : {0600, 0640, 0644, 0666, 0755, 0777, 0200}) {
    const fs::path path = file("kept");
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
    ASSERT_TRUE(write_text(path, "new"));
    EXPECT_EQ(mode_of(path), mode);
    fs::remove(path);
  }
  ASSERT_TRUE(write_text(folder_ / "fresh", "x"));
  EXPECT_EQ(mode_of(folder_ / "fresh"), 0644u);
  ASSERT_TRUE(write_text(folder_ / "private", "x", {.mode = 0600}));
  EXPECT_EQ(mode_of(folder_ / "private"), 0600u);
  ::umask(mask);
  if (::geteuid() != 0) GTEST_SKIP() << "SKIPPED: only root may give a file to somebody else";
  const fs::path other = file("other");
  ASSERT_EQ(::chown(other.c_str(), 12345, 23456), 0);
  ASSERT_TRUE(write_text(other, "new"));
  struct stat info {};
  ASSERT_EQ(::stat(other.c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 12345u);
  EXPECT_EQ(info.st_gid, 23456u);
}

TEST_F(Output, a_write_protected_file_is_replaced_by_force_only) {
  const fs::path path = file("protected");
  ASSERT_EQ(::chmod(path.c_str(), 0444), 0);
  for (const Existing existing : {Existing::keep, Existing::replace}) {
    EXPECT_FALSE(write_text(path, "new", {.existing = existing}));
    EXPECT_EQ(text_of(path), "old");
  }
  EXPECT_TRUE(write_text(path, "new", {.existing = Existing::force}));
  EXPECT_EQ(text_of(path), "new");
  EXPECT_EQ(mode_of(path), 0444u);
}

TEST_F(Output, a_file_that_is_mapped_here_can_be_spared) {
  const fs::path path = file("model");
  link("link", "model");
  fs::create_hard_link(path, folder_ / "hard");
  {
    const auto mapped = File::map(path);
    ASSERT_TRUE(mapped);
    for (const char* name : {"model", "link", "hard"}) {
      const Status status = write_text(folder_ / name, "new", {.spare_inputs = true});
      ASSERT_FALSE(status) << name;
      EXPECT_NE(status.error().message.find("is read here"), std::string::npos);
      EXPECT_EQ(text_of(folder_ / name), "old");
    }
    ASSERT_TRUE(write_text(path, "newer"));
    EXPECT_EQ(std::memcmp(mapped->bytes().data(), "old", 3), 0);
    EXPECT_TRUE(mapped->intact());
  }
  EXPECT_TRUE(write_text(path, "later", {.spare_inputs = true}));
}

TEST_F(Output, other_hard_links_keep_what_they_hold) {
  const fs::path path = file("one");
  fs::create_hard_link(path, folder_ / "other");
  ASSERT_TRUE(write_text(path, "new"));
  EXPECT_EQ(text_of(path), "new");
  EXPECT_EQ(text_of(folder_ / "other"), "old");
}

// Neither an error nor a kill leaves what has no name.
TEST_F(Output, an_unfinished_file_has_no_name_and_leaves_none) {
  const int probe = ::open(folder_.c_str(), O_TMPFILE | O_WRONLY, 0600);
  const bool nameless = probe >= 0;
  ::close(probe);
  file("there");
  for (const char* name : {"new", "there"})
    for (const bool named : {true, false}) {
      const auto before = names();
      {
        auto writer = FileWriter::create(folder_ / name, {.named = named});
        ASSERT_TRUE(writer);
        ASSERT_TRUE(writer->append(std::vector<std::byte>(5 << 20)));
        if (!named && nameless) {
          EXPECT_EQ(names(), before) << name;
        }
      }
      EXPECT_EQ(names(), before) << name;
      // As a second signal does it, where no destructor runs.
      auto writer = FileWriter::create(folder_ / name, {.named = named});
      ASSERT_TRUE(writer);
      remove_leftovers();
      EXPECT_EQ(names(), before) << name;
    }
  EXPECT_EQ(text_of(folder_ / "there"), "old");
}

TEST_F(Output, the_list_of_leftovers_is_removed_and_what_left_it_stays) {
  const int here = ::open(folder_.c_str(), O_PATH | O_DIRECTORY);
  file("on the list");
  file("not any more");
  fs::create_directories(folder_ / "empty/inner");
  fs::create_directories(folder_ / "full");
  file("full/file");
  const Leftover outer = Leftover::folder(folder_ / "empty");
  const Leftover inner = Leftover::folder(folder_ / "empty/inner");
  const Leftover full = Leftover::folder(folder_ / "full");
  Leftover moved = Leftover::file(here, "on the list");
  const Leftover listed = std::move(moved);
  { const Leftover left = Leftover::file(here, "not any more"); }
  std::vector<Leftover> many;
  for (int i = 0; i < 500; ++i) many.push_back(Leftover::file(here, fmt::format("none{}", i)));
  remove_leftovers();
  EXPECT_EQ(names(), (std::set<std::string>{"full", "full/file", "not any more"}));
  ::close(here);
}

TEST_F(Output, what_comes_while_the_file_is_written_is_respected) {
  for (const bool named : {true, false}) {
    const auto write_and = [&](const std::string& name, Existing existing, const auto& meanwhile) {
      auto writer = FileWriter::create(folder_ / name, {.existing = existing, .named = named});
      EXPECT_TRUE(writer);
      EXPECT_TRUE(writer->append(std::as_bytes(std::span("new", 3))));
      meanwhile();
      return writer->commit();
    };
    EXPECT_FALSE(write_and("a", Existing::keep, [&] { file("a", "theirs"); }));
    EXPECT_EQ(text_of(folder_ / "a"), "theirs");
    EXPECT_FALSE(write_and("b", Existing::keep, [&] { link("b", "nowhere"); }));
    EXPECT_TRUE(fs::is_symlink(folder_ / "b"));
    EXPECT_TRUE(write_and("c", Existing::replace, [&] { file("c", "theirs"); }));
    EXPECT_EQ(text_of(folder_ / "c"), "new");
    EXPECT_FALSE(write_and("d", Existing::replace, [&] { link("d", "nowhere"); }));
    EXPECT_TRUE(fs::is_symlink(folder_ / "d"));
    EXPECT_FALSE(write_and("e", Existing::force, [&] { ::mkfifo((folder_ / "e").c_str(), 0600); }));
    EXPECT_TRUE(fs::is_fifo(folder_ / "e"));
    EXPECT_EQ(names(), (std::set<std::string>{"a", "b", "c", "d", "e"}));
    for (const std::string& name : names()) fs::remove(folder_ / name);
  }
}

TEST_F(Output, of_two_writers_one_whole_file_remains) {
  for (int round = 0; round < 20; ++round) {
    std::vector<std::thread> writers;
    for (const char letter : {'a', 'b', 'c', 'd'})
      writers.emplace_back([&, letter, round] {
        for (int i = 0; i < 10; ++i)
          EXPECT_TRUE(write_text(folder_ / "file", std::string(100'000, letter),
                                 {.named = round % 2 == 0}));
      });
    for (std::thread& writer : writers) writer.join();
    const std::string text = text_of(folder_ / "file");
    EXPECT_EQ(text, std::string(100'000, text.empty() ? '?' : text[0]));
    EXPECT_EQ(names(), std::set<std::string>{"file"});
  }
}

TEST_F(Output, standard_output_is_known_by_any_name) {
  EXPECT_TRUE(is_standard_output("/proc/self/fd/1"));
  EXPECT_TRUE(is_standard_output(link("out", "/proc/self/fd/1")));
  EXPECT_FALSE(is_standard_output(file("file")));
  EXPECT_FALSE(is_standard_output(folder_ / "new"));
  EXPECT_FALSE(is_standard_output(link("null", "/dev/null")));
}

// A library may write to a pipe, and its program need not know of SIGPIPE.
TEST(FileWriterStreams, a_reader_that_goes_away_is_an_error) {
  std::string folder = (std::filesystem::temp_directory_path() / "skein-pipe-XXXXXX").string();
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string fifo = folder + "/fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  const auto before = ::signal(SIGPIPE, SIG_DFL);
  const int reader = ::open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  ASSERT_GE(reader, 0);
  auto writer = FileWriter::create(fifo, {});
  ASSERT_TRUE(writer) << writer.error().message;
  ::close(reader);
  const std::vector<std::byte> much(size_t{4} << 20);
  Status done = writer->append(much);
  if (done) done = writer->commit();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::io);
  sigset_t pending;
  ASSERT_EQ(::sigpending(&pending), 0);
  EXPECT_EQ(sigismember(&pending, SIGPIPE), 0);
  ::signal(SIGPIPE, before);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace skein

// Settings of skein serve: which file they come from, and what is in force.
#include <gtest/gtest.h>

#include <fstream>

#include "base/json.h"
#include "cli/serving.h"
#include "server/client.h"

namespace skein::test {
namespace {

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(Settings, are_printed_with_where_they_come_from) {
  const Folder folder;
  std::ofstream(folder / "a.toml") << "[serve]\nturn = 3\nmodel = [\"x=a.pth\", \"b \\\"c\"]\n";
  const std::string file = (folder / "a.toml").string();
  const Ran ran = run({"serve", "--config", file, "--port", "9000", "--ban", "3", "--ban", "4",
                       "--allow-open", "--print-config"},
                      {.environment = {"SKEIN_WAIT=7", "SKEIN_API_KEY=verysecret"}});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(has(ran.out, "\nport = 9000  # the command line\n")) << ran.out;
  EXPECT_TRUE(has(ran.out, "\nwait = 7  # SKEIN_WAIT\n")) << ran.out;
  EXPECT_TRUE(has(ran.out, "\nturn = 3  # " + file + ":2\n")) << ran.out;
  EXPECT_TRUE(has(ran.out, "\nmodel = [\"x=a.pth\", \"b \\\"c\"]  # " + file + ":3\n")) << ran.out;
  EXPECT_TRUE(has(ran.out, "\nallow-open = true  # the command line\n")) << ran.out;
  EXPECT_TRUE(has(ran.out, "\nhost = \"127.0.0.1\"  # built in\n")) << ran.out;
  EXPECT_TRUE(has(ran.out, "\n# temp =\n")) << ran.out;
  EXPECT_FALSE(has(ran.out, "verysecret"));
  EXPECT_TRUE(has(ran.out, "# api-key =  # 1 of them, not printed; from SKEIN_API_KEY\n"))
      << ran.out;
  const Ran json = run({"serve", "--api-key", "verysecret", "--print-config", "--json"});
  EXPECT_FALSE(has(json.out, "verysecret"));
  EXPECT_TRUE(parse_json(json.out, 1 << 20)->find("settings").array()) << json.out;
}

TEST(Settings, that_were_printed_can_be_read_again) {
  const Folder folder;
  const auto settings_of = [](const std::string& text) {
    std::string out;
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find('\n', at), text.size());
      out += text.substr(at, std::min(text.find("  #", at), end) - at) + "\n";
      at = end + 1;
    }
    return out;
  };
  const Ran first =
      run({"serve", "tiny=" + Served::kModel, "--temp", "0.25", "--cors", "https://a.example",
           "--cors", "*", "--prefix", "/\"x\\", "-q", "--print-config"});
  std::ofstream(folder / "again.toml") << first.out;
  const Ran again = run({"serve", "--config", (folder / "again.toml").string(), "--print-config"});
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(settings_of(again.out), settings_of(first.out));
}

TEST(Settings, of_a_file_are_served_and_a_file_that_is_not_there_is_an_error) {
  const Folder folder;
  std::ofstream(folder / "keys") << "read:secret\n";
  std::ofstream(folder / "serve.toml")
      << "[serve]\nport = 0\napi-key-file = \"" << (folder / "keys").string() << "\"\n";
  const Served served({"--config", (folder / "serve.toml").string()});
  EXPECT_EQ(ask(served.port(), "GET", "/v1/models").status, 401);
  EXPECT_EQ(ask(served.port(), "GET", "/v1/models", "", "x-api-key: secret\r\n").status, 200);
  const Ran none = run({"serve", "--config", (folder / "none.toml").string()});
  EXPECT_EQ(none.code, 1);
  EXPECT_TRUE(has(none.err, "none.toml")) << none.err;
  EXPECT_EQ(run({"serve", "--config", "", "--print-config"}).code, 2);
  std::ofstream(folder / "wrong.toml") << "[serve]\nports = 1\n";
  const Ran wrong = run({"serve", "--config", (folder / "wrong.toml").string()});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_TRUE(has(wrong.err, "wrong.toml:2: unknown key ports")) << wrong.err;
}

}  // namespace
}  // namespace skein::test

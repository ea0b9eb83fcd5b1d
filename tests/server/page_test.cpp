// The web page as the server gives it: who is given what, compressed or not, known or not.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/gzip.h"
#include "base/hash.h"
#include "server/answers.h"
#include "server/page.h"
#include "server/test_server.h"

namespace skein::test {

server::EmbeddedFiles test_page();  // tests/server/page, as CMake puts it into this program

namespace {

namespace fs = std::filesystem;

const fs::path kFolder = fs::path(SKEIN_SOURCE_DIR) / "tests/server/page";

class TempFolder {
 public:
  TempFolder() {
    std::string name = (fs::temp_directory_path() / "page.XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TempFolder() {
    std::error_code error;
    fs::remove_all(path_, error);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

std::string content_of(const std::string& name) {
  std::ifstream file(kFolder / name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
std::string unpacked(const std::string& bytes) {
  return gunzip(std::as_bytes(std::span(bytes)), 1 << 20).value_or("damaged");
}

server::ServerOptions with_page() {
  server::ServerOptions out;
  out.service.page = server::Page::of(test_page());
  return out;
}
server::ServerOptions with_folder(const fs::path& folder) {
  server::ServerOptions out;
  out.service.page = server::Page::of(folder).value();
  return out;
}

Reply get(uint16_t port, const std::string& path, const std::string& fields = {},
          const std::string& method = "GET") {
  Client client(port);
  client.request(method, path, {}, fields);
  return client.read(method != "HEAD");
}
const std::string kHtml = "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n";
const std::string kGzip = "Accept-Encoding: gzip, deflate\r\n";

class PageOfServer : public testing::Test {
 protected:
  TestServer server_{with_page()};
  uint16_t port_ = server_.port();
};

TEST_F(PageOfServer, root_has_two_readers) {
  const Reply page = get(port_, "/", kHtml);
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.body, content_of("index.html"));
  EXPECT_EQ(page.fields.at("content-type"), "text/html; charset=utf-8");
  for (const std::string fields : {"", "Accept: */*\r\n", "Accept: text/html;q=0, */*\r\n"}) {
    const Reply text = get(port_, "/", fields);
    EXPECT_EQ(text.body, "Ollama is running") << fields;
    EXPECT_EQ(text.fields.at("content-type"), "text/plain; charset=utf-8");
    EXPECT_EQ(text.fields.at("vary"), "Accept, Accept-Encoding");
  }
  EXPECT_EQ(page.fields.at("vary"), "Accept, Accept-Encoding");
  const Reply head = get(port_, "/", "", "HEAD");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.fields.at("content-length"), "17");
}

TEST_F(PageOfServer, a_file_is_compressed_for_whom_it_may_be_and_the_same_for_others) {
  const std::string path = "/assets/app-5f2c1a.js";
  const std::string content = content_of("assets/app-5f2c1a.js");
  const Reply packed = get(port_, path, kGzip);
  EXPECT_EQ(packed.fields.at("content-encoding"), "gzip");
  EXPECT_EQ(unpacked(packed.body), content);
  for (const std::string fields :
       {"", "Accept-Encoding: br\r\n", "Accept-Encoding: gzip;q=0\r\n"}) {
    const Reply plain = get(port_, path, fields);
    EXPECT_EQ(plain.body, content) << fields;
    EXPECT_EQ(plain.fields.count("content-encoding"), 0u);
    EXPECT_NE(plain.fields.at("etag"), packed.fields.at("etag"));
  }
  EXPECT_EQ(packed.fields.at("vary"), "Accept-Encoding");
  EXPECT_EQ(packed.fields.at("content-type"), "text/javascript; charset=utf-8");
}

TEST_F(PageOfServer, assets_are_kept_for_ever_and_the_page_is_asked_for_again) {
  EXPECT_EQ(get(port_, "/assets/app-5f2c1a.js").fields.at("cache-control"),
            "public, max-age=31536000, immutable");
  for (const std::string path : {"/", "/sw.js", "/favicon.svg", "/favicon.ico"}) {
    const Reply first = get(port_, path, kHtml + kGzip);
    EXPECT_EQ(first.fields.at("cache-control"), "no-cache") << path;
    const std::string tag = first.fields.at("etag");
    for (const std::string& known : {tag, "W/" + tag, "\"other\", " + tag, std::string("*")}) {
      const Reply again = get(port_, path, kHtml + kGzip + "If-None-Match: " + known + "\r\n");
      EXPECT_EQ(again.status, 304) << path << known;
      EXPECT_EQ(again.fields.at("etag"), tag);
      EXPECT_EQ(again.fields.count("content-length"), 0u);
      EXPECT_EQ(again.fields.count("content-type"), 0u);
    }
    EXPECT_EQ(get(port_, path, kHtml + kGzip + "If-None-Match: \"other\"\r\n").status, 200);
  }
}

TEST_F(PageOfServer, a_known_file_leaves_the_connection_usable) {
  Client client(port_);
  const std::string tag = get(port_, "/sw.js").fields.at("etag");
  client.request("GET", "/sw.js", {}, "If-None-Match: " + tag + "\r\n");
  EXPECT_EQ(client.read(false).status, 304);
  client.request("GET", "/sw.js");
  EXPECT_EQ(client.read().body, content_of("sw.js"));
}

TEST_F(PageOfServer, every_file_of_it_forbids_what_a_page_need_not_do) {
  for (const std::string path : {"/", "/assets/app-5f2c1a.js", "/sw.js", "/favicon.svg"}) {
    const Reply reply = get(port_, path, kHtml);
    const std::string policy = reply.fields.at("content-security-policy");
    for (const char* rule : {"default-src 'none'", "script-src 'self';", "frame-ancestors 'none'",
                             "require-trusted-types-for 'script'"})
      EXPECT_NE(policy.find(rule), std::string::npos) << path << rule;
    EXPECT_EQ(policy.find("unsafe"), std::string::npos);
    EXPECT_EQ(reply.fields.at("x-content-type-options"), "nosniff");
    EXPECT_EQ(reply.fields.at("referrer-policy"), "no-referrer");
    EXPECT_EQ(reply.fields.count("strict-transport-security"), 0u);
  }
}

TEST_F(PageOfServer, what_is_not_of_it_is_not_there) {
  for (const std::string path :
       {"/assets/", "/assets/app.js", "/assets/../index.html", "/assets/..%2Findex.html",
        "/assets/%2e%2e%2findex.html", "/assets/%00", "/assets/a/b.js", "/index.html",
        "/licences.txt", "/assets/.hidden", "/ui", "/ui/"})
    EXPECT_EQ(get(port_, path, kGzip).status, 404) << path;
}

TEST(PageOfKeys, it_is_open_and_what_it_starts_from_holds_no_secret) {
  server::ServerOptions options = with_page();
  ASSERT_TRUE(options.service.keys.add("admin:hidden-word"));
  options.service.version = "1.2.3";
  const TestServer server(std::move(options));
  EXPECT_EQ(get(server.port(), "/", kHtml).status, 200);
  const Reply boot = get(server.port(), "/ui/boot.json");
  EXPECT_EQ(text(boot.json(), "auth"), "key");
  EXPECT_EQ(text(boot.json(), "version"), "1.2.3");
  EXPECT_EQ(boot.body.find("hidden-word"), std::string::npos);
  EXPECT_EQ(boot.body.find("bundled"), std::string::npos);
  EXPECT_EQ(get(server.port(), "/v1/models").status, 401);
}

TEST(PageOfKeys, without_keys_none_is_asked_for) {
  const TestServer server;
  const Json boot = get(server.port(), "/ui/boot.json").json();
  EXPECT_EQ(text(boot, "auth"), "none");
  EXPECT_EQ((*boot.find("languages").array())[1].string().value_or(""), "zh");
  EXPECT_GT(whole(boot.find("limits").find("body_bytes")), 0);
}

TEST(PageBelowAPrefix, begins_behind_its_slash) {
  server::ServerOptions options = with_page();
  options.service.prefix = "/x";
  const TestServer server(std::move(options));
  EXPECT_EQ(get(server.port(), "/x/", kHtml).body, content_of("index.html"));
  EXPECT_EQ(get(server.port(), "/x/sw.js").body, content_of("sw.js"));
  const Reply lead = get(server.port(), "/x", kHtml);
  EXPECT_EQ(lead.status, 308);
  EXPECT_EQ(lead.fields.at("location"), "/x/");
  EXPECT_EQ(get(server.port(), "/", kHtml).status, 404);
  EXPECT_EQ(get(server.port(), "/xy", kHtml).status, 404);
}

TEST(PageLeftOut, programs_are_told_the_same_and_browsers_no_less) {
  const TestServer server;
  EXPECT_EQ(get(server.port(), "/", kHtml).body, "Ollama is running");
  EXPECT_EQ(get(server.port(), "/sw.js").status, 404);
}

TEST(PageOfAFolder, is_read_anew_and_never_kept) {
  const TempFolder folder;
  fs::copy(kFolder, folder.path(), fs::copy_options::recursive);
  const TestServer server(with_folder(folder.path()));
  EXPECT_EQ(get(server.port(), "/", kHtml + kGzip).body, content_of("index.html"));
  const Reply before = get(server.port(), "/assets/app-5f2c1a.js");
  EXPECT_EQ(before.fields.at("cache-control"), "no-cache");
  std::ofstream(folder.path() / "assets/app-5f2c1a.js") << "another";
  const Reply after = get(server.port(), "/assets/app-5f2c1a.js");
  EXPECT_EQ(after.body, "another");
  EXPECT_NE(after.fields.at("etag"), before.fields.at("etag"));
  fs::remove(folder.path() / "sw.js");
  EXPECT_EQ(get(server.port(), "/sw.js").status, 404);
}

TEST(PageOfAFolder, leads_nowhere_else) {
  const TempFolder folder;
  fs::create_directories(folder.path() / "page/assets/deep");
  std::ofstream(folder.path() / "secret.txt") << "secret";
  std::ofstream(folder.path() / "page/index.html") << "page";
  std::ofstream(folder.path() / "page/assets/.hidden") << "secret";
  std::ofstream(folder.path() / "page/assets/deep/a.js") << "secret";
  fs::create_symlink(folder.path() / "secret.txt", folder.path() / "page/assets/link.txt");
  fs::create_symlink(folder.path() / "secret.txt", folder.path() / "page/sw.js");
  const TestServer server(with_folder(folder.path() / "page"));
  EXPECT_EQ(get(server.port(), "/", kHtml).body, "page");
  for (const std::string path : {"/assets/link.txt", "/sw.js", "/assets/..%2f..%2fsecret.txt",
                                 "/assets/.hidden", "/assets/%2e%2e", "/assets/deep",
                                 "/assets/deep%2Fa.js", "/assets/deep/a.js", "/assets/a%00.js"}) {
    const Reply reply = get(server.port(), path);
    EXPECT_EQ(reply.status, 404) << path;
    EXPECT_EQ(reply.body.find("secret\""), std::string::npos) << path;
  }
}

TEST(PageOfAFolder, has_to_be_one) {
  const TempFolder folder;
  const auto page = server::Page::of(folder.path());
  ASSERT_FALSE(page);
  EXPECT_NE(page.error().message.find("index.html"), std::string::npos);
}

// Where it was built.
TEST(PageOfTheProgram, is_whole) {
  for (const server::EmbeddedFile& file : server::embedded_page()) {
    const auto content = server::Page::of(server::embedded_page()).read(file.name, false);
    ASSERT_TRUE(content) << file.name;
    const std::string digest = hex(sha256(std::as_bytes(std::span(content->bytes))));
    EXPECT_EQ(digest.substr(0, file.digest.size()), file.digest) << file.name;
  }
}

}  // namespace
}  // namespace skein::test

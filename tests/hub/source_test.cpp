// What a name or an address asks for.
#include "hub/source.h"

#include <gtest/gtest.h>

#include "hub/address.h"

namespace skein::hub {
namespace {

TEST(Sources, a_name_of_the_hub_becomes_an_address) {
  const auto plain = hub_file(kHub, "user/repo/a folder/a%b.gguf");
  ASSERT_TRUE(plain) << plain.error().message;
  EXPECT_EQ(plain->url, "https://huggingface.co/user/repo/resolve/main/a%20folder/a%25b.gguf");
  EXPECT_EQ(plain->file_name, "a%b.gguf");
  EXPECT_EQ(plain->shown(), "huggingface.co/user/repo");
  const auto branch = hub_file("https://mirror.example", "user/repo/f.pth@refs/pr/1");
  ASSERT_TRUE(branch) << branch.error().message;
  EXPECT_EQ(branch->url, "https://mirror.example/user/repo/resolve/refs%2Fpr%2F1/f.pth");
  EXPECT_EQ(tree_url(kHub, {"user/repo", "main"}),
            "https://huggingface.co/api/models/user/repo/tree/main?recursive=true");
}

TEST(Sources, a_page_of_the_hub_is_the_file_that_it_shows) {
  for (const char* kind : {"blob", "resolve"}) {
    const auto page = at_address("https://hub.example/user/repo/" + std::string(kind) +
                                 "/main/folder/a%20b.gguf?download=true#top");
    ASSERT_TRUE(page) << page.error().message;
    EXPECT_EQ(page->endpoint, "https://hub.example");
    EXPECT_EQ(page->repo, "user/repo");
    EXPECT_EQ(page->path, "folder/a b.gguf");
    EXPECT_EQ(page->url, "https://hub.example/user/repo/resolve/main/folder/a%20b.gguf");
  }
  const auto other = at_address("https://example.org/files/x.gguf?key=1");
  ASSERT_TRUE(other) << other.error().message;
  EXPECT_EQ(other->url, "https://example.org/files/x.gguf?key=1");
  EXPECT_EQ(other->file_name, "x.gguf");
  EXPECT_TRUE(other->repo.empty());
  EXPECT_EQ(other->shown(), "example.org");
}

TEST(Sources, what_would_be_a_path_is_no_file_name) {
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string("a/b"), std::string(".a"),
        std::string("a\\b"), std::string("a\nb"), std::string("a\xff"), std::string("a.part"),
        std::string("-a"), std::string(201, 'a'), std::string("a\0b", 3)})
    EXPECT_FALSE(check_file_name(name)) << name;
  for (const std::string name : {"a.gguf", "Eng99%-Other1%.pth", "模型.pth"})
    EXPECT_TRUE(check_file_name(name)) << name;
  for (const char* address : {"https://x/", "https://x/a/..", "https://x/%2e%2e%2fa"}) {
    const auto source = at_address(address);
    ASSERT_TRUE(source) << address;
    EXPECT_TRUE(source->file_name.empty()) << address;
  }
  for (const char* address : {"https://x", "x.gguf", ""})
    EXPECT_FALSE(at_address(address)) << address;
}

TEST(Sources, a_name_that_others_chose_means_nothing_to_a_shell) {
  for (const std::string name :
       {"$(touch x).pth", "`x`.pth", "a b.pth", "a;b.pth", "a'b.pth", "a\"b.pth", "~a.pth",
        "-a.pth", "a&b.pth", "*.pth", "a|b.pth", ".a.pth", "模型.pth", "a.pth.part"}) {
    const auto source = hub_file(kHub, "user/repo", "main", name);
    ASSERT_TRUE(source) << name;
    EXPECT_TRUE(source->file_name.empty()) << name;
  }
  const std::string good = "RWKV-4_a+b-Eng99%-Other1%.v2.pth";
  EXPECT_EQ(hub_file(kHub, "user/repo", "main", good)->file_name, good);
}

TEST(Addresses, this_machine_is_told_from_others) {
  for (const char* host : {"localhost", "127.0.0.1", "127.255.0.9", "[::1]"})
    EXPECT_TRUE(is_loopback({"http", host, "80"})) << host;
  for (const char* host : {"", "127.0.0.1.example.org", "127.0.0", "127.0.0.256", "1270.0.0.1",
                           "128.0.0.1", "127.0.0.1.", "localhost.example.org", "127.0.0.-1"})
    EXPECT_FALSE(is_loopback({"http", host, "80"})) << host;
}

TEST(Addresses, a_redirect_never_leaves_encryption) {
  const Address hub = {"https", "hub.example", "443"}, local = {"http", "127.0.0.1", "80"};
  EXPECT_TRUE(check_redirect(hub, {"https", "cdn.example", "443"}));
  EXPECT_TRUE(check_redirect(local, hub));
  EXPECT_TRUE(check_redirect(local, local));
  EXPECT_FALSE(check_redirect(hub, local));
  EXPECT_FALSE(check_redirect(hub, {"http", "hub.example", "80"}));
  EXPECT_FALSE(check_redirect(hub, {"file", "", ""}));
}

}  // namespace
}  // namespace skein::hub

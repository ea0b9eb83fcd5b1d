// What a pull will not do: names, addresses and redirects that are refused, tokens that stay
// secret, and what is said when a hub or a network refuses.
#include <filesystem>

#include "cli/hub_test.h"
#include "support/sanitizers.h"

namespace skein::test {
namespace {

namespace fs = std::filesystem;

class PullRefused : public HubTest {
 protected:
  void expect_refusal(const Ran& ran, int code, const std::string& says) const {
    EXPECT_EQ(ran.code, code) << ran.err;
    EXPECT_TRUE(contains(ran.err, says)) << ran.err << " should say " << says;
    EXPECT_TRUE(names().empty());
  }
};

TEST_F(PullRefused, names_that_would_be_paths_are_refused_before_anything_is_asked) {
  for (const std::string name :
       {"hf:a/b/../../c.pth", "hf:a/b/.hidden", "hf:a/b/c.part", "hf:../b/c.pth", "hf:a/b/c\n.pth",
        "hf:a/b/d\\..\\c.pth", "hf:a/b/c.pth@../x", "hf:a/b//c.pth"})
    expect_refusal(skein({"pull", name}), 2, "error: ");
  const std::string address = hub_.endpoint();
  expect_refusal(skein({"pull", address + "/plain/%2e%2e%2fx.pth"}), 2, "--as");
  expect_refusal(skein({"pull", address + "/plain/"}), 2, "names no file");
  for (const std::string as : {"../x", "a/b", ".x", "x.part", "-x"})
    expect_refusal(skein({"pull", "hf:a/b/c.pth", "--as=" + as}), 2, "no name for a file here");
  for (const std::string name : {"$(touch x).pth", "a b.pth", "a;b.pth", "模型.pth"})
    expect_refusal(skein({"pull", "hf:a/b/" + name}), 2, "--as says what to call it");
  EXPECT_TRUE(hub_.seen().empty());
  EXPECT_FALSE(fs::exists(models())) << "nothing came, so no folder is needed";
}

TEST_F(PullRefused, a_model_is_called_so_that_it_can_be_found_again) {
  const std::string address = hub_.endpoint() + "/plain/download?id=1";
  expect_refusal(skein({"pull", address}), 2, "does not end like a model (.skein, .gguf");
  expect_refusal(skein({"pull", address, "--as", "mine"}), 2, "--as NAME says what to call it");
  expect_refusal(skein({"pull", "hf:a/b/readme.md"}), 2, "does not end like a model");
  expect_refusal(skein({"pull", "vocab", "--as", "x"}), 2, "--as is not for it");
  EXPECT_TRUE(hub_.seen().empty());
  hub_.put("someone/models", "deep/-a.bin", "content");
  EXPECT_EQ(skein({"pull", "hf:someone/models/deep/-a.bin", "--as", "mine"}).code, 0);
  EXPECT_EQ(names(), std::vector<std::string>{"mine.bin"});
  EXPECT_EQ(skein({"rm", "mine", "-y"}).code, 0);
  EXPECT_TRUE(names().empty());
}

TEST_F(PullRefused, unknown_names_say_what_would_be_known) {
  expect_refusal(skein({"pull", "g1-0.5b"}), 2, "did you mean g1-0.1b?");
  expect_refusal(skein({"pull", "llama"}), 2, "`skein list --remote` shows them");
  expect_refusal(skein({"pull", "someone/models/x.gguf"}), 2,
                 "did you mean hf:someone/models/x.gguf?");
  expect_refusal(skein({"pull"}), 2, "NAME is missing");
}

TEST_F(PullRefused, only_encrypted_connections_leave_this_machine) {
  expect_refusal(skein({"pull", "http://example.org/x.gguf"}), 2, "use https");
  expect_refusal(skein({"pull", "g1-0.1b", "--endpoint", "http://127.0.0.1.example.org"}), 2,
                 "use https");
  expect_refusal(skein({"pull", "ftp://127.0.0.1/x.gguf"}), 2, "use https");
  expect_refusal(skein({"pull", "file:///etc/passwd.bin"}), 2, "use https");
  const Ran ran = skein({"pull", "https://me:secret@example.org/x.gguf"});
  expect_refusal(ran, 2, "a name or a password");
  EXPECT_FALSE(contains(ran.err, "secret")) << ran.err;
}

TEST_F(PullRefused, redirects_are_counted_and_lead_to_no_other_place) {
  const std::string name = "hf:someone/models/x.gguf";
  hub_.set({.redirects_to = "loop"});
  expect_refusal(skein({"pull", name}), 5, "on and on, 10 times");
  hub_.set({.redirects_to = "file:///etc/passwd"});
  expect_refusal(skein({"pull", name}), 5, "sends us to a place that is not opened");
  hub_.set({.redirects_to = "http://example.org/x.gguf"});
  expect_refusal(skein({"pull", name}), 5, "use https");
  hub_.set({.redirects_to = "ftp://127.0.0.1/x"});
  expect_refusal(skein({"pull", name}), 5, "ftp: is no way to fetch a file");
}

TEST_F(PullRefused, a_token_is_for_the_hub_alone_and_never_shown) {
  hub_.put("someone/models", "x.bin", "content");
  hub_.put_plain("y.bin", "content");
  const std::vector<std::string> token = {"HF_TOKEN=hf_secret"};
  const Ran ran = skein({"pull", "hf:someone/models/x.bin", "-v"}, token);
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_FALSE(contains(ran.out + ran.err, "hf_secret"));
  skein({"pull", hub_.bytes_endpoint() + "/y.bin", "-v"}, token);
  skein({"pull", hub_.bytes_endpoint() + "/a/b/resolve/main/y.bin", "-v"}, token);
  bool heard = false;
  for (const Seen& seen : hub_.seen()) {
    const bool has = seen.headers.contains("authorization");
    EXPECT_EQ(has, !seen.of_bytes) << seen.target;
    heard = heard || has;
  }
  EXPECT_TRUE(heard);
  EXPECT_EQ(skein({"pull", "hf:someone/models/x.bin"}, {"HF_TOKEN=a b"}).code, 2);
}

TEST_F(PullRefused, what_the_hub_refuses_is_said_in_words) {
  const std::string name = "hf:someone/models/rwkv-0.4b-q8.gguf";
  hub_.set({.refuses_with = 403, .error_code = "GatedRepo"});
  expect_refusal(skein({"pull", name}), 5, "put a token of yours into HF_TOKEN");
  expect_refusal(skein({"pull", name}, {"HF_TOKEN=t"}), 5, "use the token of who did");
  hub_.set({.refuses_with = 429});
  expect_refusal(skein({"pull", name}), 5, "asked too often");
  hub_.set({.refuses_with = 503});
  expect_refusal(skein({"pull", name}), 5, "answers 503");
  hub_.set({});
  expect_refusal(skein({"pull", name}), 5, "there is no such repository, or it is private");
  hub_.put("someone/models", "rwkv-0.1b-q8.gguf", "1");
  hub_.put("someone/models", "rwkv-0.4b-q4.gguf", "4");
  hub_.put("someone/models", "readme.md", "no model");
  expect_refusal(skein({"pull", name}), 5,
                 "has no rwkv-0.4b-q8.gguf; it has rwkv-0.4b-q4.gguf, rwkv-0.1b-q8.gguf");
  expect_refusal(skein({"pull", name + "@v9"}), 5, "no such revision");
  expect_refusal(skein({"pull", "hf:someone/models"}), 2, "is a repository; name a file of it");
  hub_.set({.bytes_refuse_with = 403});
  expect_refusal(skein({"pull", "hf:someone/models/rwkv-0.1b-q8.gguf"}), 5, "refuses");
}

TEST_F(PullRefused, without_a_network_the_exit_code_is_5) {
  expect_refusal(skein({"pull", "g1-0.1b", "--endpoint", "http://127.0.0.1:1"}), 5,
                 "127.0.0.1:1: no connection");
  const Ran ran = skein({"pull", "g1-0.1b", "--endpoint", "http://127.0.0.1:1", "--json"});
  EXPECT_TRUE(contains(ran.out, R"({"error":{"code":"network")")) << ran.out;
}

TEST_F(PullRefused, a_proxy_carries_only_what_is_encrypted) {
  const std::string proxy = hub_.endpoint();
  const Ran away = skein({"pull", "https://example.org/x.gguf", "--tries", "1"},
                         {"https_proxy=" + proxy, "HF_TOKEN=t"});
  EXPECT_EQ(away.code, 5) << away.err;
  ASSERT_EQ(hub_.seen().size(), 1u);
  EXPECT_EQ(hub_.seen()[0].target, "example.org:443");
  EXPECT_FALSE(hub_.seen()[0].headers.contains("authorization"));
  // This machine is asked itself, and no other hears its token.
  hub_.put("someone/models", "x.bin", "content");
  for (const std::string variable : {"http_proxy=", "all_proxy=", "ALL_PROXY="}) {
    const Ran ran =
        skein({"pull", "hf:someone/models/x.bin", "-f"}, {variable + proxy, "HF_TOKEN=t"});
    EXPECT_EQ(ran.code, 0) << ran.err;
  }
  for (const Seen& seen : hub_.seen())
    EXPECT_FALSE(seen.target.starts_with("http://")) << seen.target;
}

TEST_F(PullRefused, who_hears_the_token_is_not_for_a_folder_to_say) {
  const fs::path here = home_ / "here", config = home_ / "skein" / "config.toml";
  fs::create_directory(here);
  hub_.put("someone/models", "x.bin", "content");
  const auto pull_there = [&] {
    return run({"pull", "hf:someone/models/x.bin", "-f"},
               {.environment = environment({"HF_ENDPOINT=", "HF_TOKEN=t"}), .folder = here});
  };
  const std::string key = "[pull]\nendpoint = '" + hub_.endpoint() + "'\n";
  write_text(here / "skein.toml", key);
  const Ran ran = pull_there();
  EXPECT_EQ(ran.code, 2);
  EXPECT_TRUE(contains(ran.err, "skein.toml:2: endpoint is not for the file of a folder to say"))
      << ran.err;
  EXPECT_TRUE(hub_.seen().empty());
  fs::rename(here / "skein.toml", config);
  EXPECT_EQ(pull_there().code, 0) << "the user's own file";
  fs::remove(config);
  EXPECT_EQ(skein({"pull", "hf:someone/models/x.bin", "-f"},
                  {"HF_ENDPOINT=", "SKEIN_ENDPOINT=" + hub_.endpoint()})
                .code,
            0);
}

TEST_F(PullRefused, without_libcurl_it_says_what_to_install) {
  if (kAddressSanitizer || kThreadSanitizer)
    GTEST_SKIP() << "SKIPPED: a sanitizer wants to be loaded first";
  const Ran ran = skein({"pull", "g1-0.1b"}, {"LD_PRELOAD=" SKEIN_NO_CURL});
  expect_refusal(ran, 1, "libcurl, which is not installed (Debian and Ubuntu: libcurl4");
}

}  // namespace
}  // namespace skein::test

// The models that are here: listed, removed, and the vocabularies beside them.
#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "cli/hub_test.h"
#include "cli/terminal.h"
#include "support/fixtures.h"
#include "support/make_model.h"

namespace skein::test {
namespace {

namespace fs = std::filesystem;

class Store : public HubTest {
 protected:
  Store() { fs::create_directories(models()); }

  void put_here(const std::string& name) const {
    fs::copy_file(fs::path(SKEIN_SOURCE_DIR) / "models/bundled-0.pth", model(name));
  }
  Json listed(const std::vector<std::string>& words) const {
    const Ran ran = skein(words);
    EXPECT_EQ(ran.code, 0) << ran.err;
    auto json = parse_json(ran.out, 1 << 20);
    EXPECT_TRUE(json) << ran.out;
    return json ? *json : Json();
  }
};

TEST_F(Store, a_list_says_what_is_here_and_what_it_takes) {
  put_here("mine.pth");
  put_here("rwkv7-g1d-0.1b-20260129-ctx8192.pth");
  write_text(model("notes.txt"), "no model");
  write_text(model("broken.gguf"), "GGUF");
  write_text(model("x.pth.0123456789abcdef.part"), "abc");
  const Ran ran = skein({"list"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_TRUE(contains(ran.out, "mine.pth ")) << ran.out;
  EXPECT_TRUE(contains(ran.out, "g1-0.1b ")) << ran.out;
  EXPECT_TRUE(contains(ran.out, "RWKV-7 \"Goose\" 1.2M")) << ran.out;
  EXPECT_TRUE(contains(ran.out, "x.pth: unfinished, 3 B are here")) << ran.out;
  EXPECT_FALSE(contains(ran.out, "notes.txt")) << ran.out;
  const Json json = listed({"list", "--json"});
  size_t own = 0;
  for (const Json one : json.find("models").array()) {
    const std::string name(one.find("name").string().value_or(""));
    if (one.find("file").string()->starts_with(models().string())) ++own;
    EXPECT_EQ(one.find("fits").boolean().value_or(false), name != "broken.gguf") << name;
  }
  EXPECT_EQ(own, 3u);
  EXPECT_FALSE(contains(skein({"list", "--fits"}).out, "broken"));
}

TEST_F(Store, what_can_be_fetched_is_listed_without_a_connection) {
  put_here("rwkv7-g1d-0.1b-20260129-ctx8192.pth");
  const Ran ran = skein({"list", "--remote"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_TRUE(contains(ran.out, "world4-7b")) << ran.out;
  EXPECT_TRUE(contains(ran.out, "  here  the newest of BlinkDL/rwkv7-g1")) << ran.out;
  EXPECT_TRUE(hub_.seen().empty());
  const Json json = listed({"list", "--remote", "--fits", "--json"});
  for (const Json one : json.find("models").array()) EXPECT_EQ(one.find("fits").boolean(), true);
}

TEST_F(Store, a_repository_of_the_hub_is_listed) {
  hub_.put("someone/models", "deep/a.gguf", std::string(3000, 'x'));
  hub_.put("someone/models", "readme.md", "no model");
  const Ran ran = skein({"list", "--remote", "hf:someone/models"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(contains(ran.out, "hf:someone/models/deep/a.gguf   2.9 KiB")) << ran.out;
  EXPECT_FALSE(contains(ran.out, "readme"));
  EXPECT_EQ(skein({"pull", "hf:someone/models/deep/a.gguf"}).code, 0);
  EXPECT_TRUE(contains(skein({"list", "--remote", "someone/models"}).out, "  here")) << ran.out;
  EXPECT_EQ(skein({"list", "hf:someone/models"}).code, 2);
  EXPECT_EQ(skein({"list", "--remote", "hf:no"}).code, 2);
  EXPECT_EQ(skein({"list", "--remote", "hf:no/body"}).code, 5);
}

TEST_F(Store, a_model_is_removed_with_what_was_left_of_it) {
  put_here("mine.pth");
  put_here("other.pth");
  write_text(model("mine.pth.0123456789abcdef.part"), "abc");
  const Ran asked = skein({"rm", "mine"});
  EXPECT_EQ(asked.code, 2);
  EXPECT_TRUE(contains(asked.err, "--yes")) << asked.err;
  EXPECT_EQ(names().size(), 3u);
  const Ran ran = skein({"rm", "mine", "--yes"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(contains(ran.out, "removed mine.pth: 2.4 MiB freed")) << ran.out;
  EXPECT_EQ(names(), std::vector<std::string>{"other.pth"});
}

TEST_F(Store, a_name_that_is_half_fetched_is_removed) {
  write_text(model("rwkv7-g1d-0.1b-20260129-ctx8192.pth.0123456789abcdef.part"), "abc");
  EXPECT_EQ(skein({"rm", "g1-0.1b", "-y"}).code, 0);
  EXPECT_TRUE(names().empty());
}

TEST_F(Store, all_that_is_half_fetched_of_a_line_is_named_and_removed) {
  write_text(model("rwkv7-g1d-0.1b-20260129-ctx8192.pth.0123456789abcdef.part"), "abc");
  write_text(model("rwkv7-g1e-0.1b-20260329-ctx8192.pth.0123456789abcdef.part"), "defg");
  const Ran ran = skein({"rm", "g1-0.1b", "-y"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(contains(ran.out,
                       "removed rwkv7-g1d-0.1b-20260129-ctx8192.pth, "
                       "rwkv7-g1e-0.1b-20260329-ctx8192.pth: 7 B freed"))
      << ran.out;
  EXPECT_TRUE(names().empty());
}

TEST_F(Store, a_name_means_the_file_that_would_be_run) {
  put_here("x.gguf");
  put_here("x.bin");
  put_here("x.skein");
  const std::string opened = skein({"inspect", "x", "--json"}).out;
  EXPECT_TRUE(contains(opened, "x.skein")) << opened;
  const Ran ran = skein({"rm", "x", "-y"});
  EXPECT_TRUE(contains(ran.out, "removed x.skein")) << ran.out;
  EXPECT_FALSE(fs::exists(model("x.skein")));
  EXPECT_EQ(names().size(), 2u);
}

TEST_F(Store, two_names_of_one_model_are_one) {
  put_here("x.pth");
  put_here("rwkv7-g1d-0.1b-20260129-ctx8192.pth");
  const Ran ran = skein({"rm", "x.pth", "x", "x.pth", "g1-0.1b", "G1-0.1B",
                         "rwkv7-g1d-0.1b-20260129-ctx8192.pth", "-y"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(names().empty());
}

TEST_F(Store, nothing_else_is_removed) {
  put_here("mine.pth");
  const fs::path outside = home_ / "outside.pth";
  write_text(outside, "x");
  fs::create_symlink(outside, model("link.pth"));
  fs::create_directory(model("folder"));
  write_text(model("folder") / "config.json", "{}");
  for (const std::string& name :
       {outside.string(), std::string("../../outside.pth"), std::string("folder"),
        std::string("min"), std::string("bundled-0"), std::string("g1-0.1b")})
    EXPECT_EQ(skein({"rm", name, "--yes"}).code, 2) << name;
  // All or nothing.
  EXPECT_EQ(skein({"rm", "mine", "nope", "--yes"}).code, 2);
  EXPECT_TRUE(fs::exists(model("mine.pth")));
  ASSERT_EQ(::mkfifo(model("pipe.pth").c_str(), 0600), 0);
  EXPECT_TRUE(contains(skein({"rm", "pipe.pth", "--yes"}).out, "removed pipe.pth: 0 B freed"));
  EXPECT_EQ(skein({"rm", "link", "--yes"}).code, 0);
  EXPECT_TRUE(fs::exists(outside));
}

TEST_F(Store, a_terminal_is_asked) {
  SK_NEEDS_TERMINAL();
  put_here("mine.pth");
  for (const bool yes : {false, true}) {
    Terminal terminal({"rm", "mine"}, environment());
    terminal.wait_for("[y/N]");
    terminal.send(yes ? "y\n" : "\n");
    EXPECT_EQ(terminal.finish(), 0);
    EXPECT_EQ(fs::exists(model("mine.pth")), !yes);
  }
}

// A World model, its vocabulary, and the way of that through a GGUF.
class WorldStore : public Store {
 protected:
  static std::string world_model() {
    ModelSizes sizes;
    sizes.layers = 1;
    sizes.width = 32;
    sizes.vocab = 65536;
    const auto bytes = as_safetensors(random_model(sizes));
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  fs::path vocabulary() const { return home_ / "skein" / "vocab" / "rwkv_vocab_v20230424.txt"; }
};

TEST_F(WorldStore, a_model_brings_the_vocabulary_that_it_lacks) {
  SK_NEEDS_SHARED("data/rwkv_vocab_v20230424.txt");
  const std::string text = text_of_file(shared_file("data/rwkv_vocab_v20230424.txt"));
  write_text(model("world.safetensors"), world_model());
  const Ran without = skein({"tokenize", "world", "hello"});
  EXPECT_EQ(without.code, 1);
  EXPECT_TRUE(contains(without.err, "`skein pull vocab` fetches it")) << without.err;

  hub_.put("RWKV/v5-Eagle-7B-HF", "rwkv_vocab_v20230424.txt", text + "changed", false);
  EXPECT_EQ(skein({"pull", "vocab"}).code, 5);
  EXPECT_FALSE(fs::exists(vocabulary()));
  hub_.put("RWKV/v5-Eagle-7B-HF", "rwkv_vocab_v20230424.txt", text, false);
  hub_.put("someone/models", "w.safetensors", text_of_file(model("world.safetensors")));
  const Ran ran = skein({"pull", "hf:someone/models/w.safetensors"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(contains(ran.out, "the World vocabulary, 1.0 MiB, sha256 right")) << ran.out;
  EXPECT_TRUE(text_of_file(vocabulary()) == text);
  EXPECT_EQ(skein({"tokenize", "world", "hello"}).code, 0);
  EXPECT_TRUE(contains(skein({"pull", "vocab"}).out, "is the same"));
}

TEST_F(WorldStore, a_gguf_gives_the_official_vocabulary_back) {
  SK_NEEDS_SHARED("data/rwkv_vocab_v20230424.txt");
  const fs::path official = shared_file("data/rwkv_vocab_v20230424.txt");
  write_text(model("world.safetensors"), world_model());
  ASSERT_EQ(
      skein({"convert", "world", model("world.gguf").string(), "--vocab", official.string()}).code,
      0);
  const Ran ran = skein({"vocab", model("world.gguf").string()});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(contains(ran.out, "byte for byte the official file")) << ran.out;
  EXPECT_TRUE(text_of_file(vocabulary()) == text_of_file(official));
  EXPECT_EQ(skein({"vocab", model("world.gguf").string()}).code, 1) << "it is there already";
  EXPECT_EQ(skein({"vocab", model("world.gguf").string(), "-f"}).code, 0);
  EXPECT_EQ(skein({"vocab", model("world.safetensors").string()}).code, 3);
  const std::string self = model("world.gguf").string();
  EXPECT_EQ(skein({"vocab", self, self, "-f"}).code, 2);
}

}  // namespace
}  // namespace skein::test

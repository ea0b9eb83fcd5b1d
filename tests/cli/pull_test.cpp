// Fetching from a hub: what comes is whole and right, or nothing does, and what has come is not
// fetched again.
#include <filesystem>

#include "base/json.h"
#include "cli/hub_test.h"
#include "support/sanitizers.h"

namespace skein::test {
namespace {

namespace fs = std::filesystem;

constexpr size_t kSize = 2'000'000;
const std::string kName = "hf:someone/models/big.bin";

class Pull : public HubTest {
 protected:
  void put_big(uint64_t seed = 1) {
    big_ = random_bytes(kSize, seed);
    hub_.put("someone/models", "big.bin", big_);
  }
  void expect_big() const {
    EXPECT_EQ(sha256_of(text_of_file(model("big.bin"))), sha256_of(big_));
    EXPECT_EQ(names(), std::vector<std::string>{"big.bin"});
  }
  std::string big_;
};

TEST_F(Pull, the_newest_of_a_line_comes_and_has_a_short_name) {
  const std::string content = text_of_file(fs::path(SKEIN_SOURCE_DIR) / "models/bundled-0.pth");
  const std::string newest = "rwkv7-g1k-0.1b-20260930-ctx25600.pth";
  hub_.put("BlinkDL/rwkv7-g1", "rwkv7-g1d-0.1b-20260129-ctx8192.pth", "an older one");
  hub_.put("BlinkDL/rwkv7-g1", "rwkv7-g1h_preview12-0.1b-20261101-ctx8192.pth", "a trial");
  hub_.put("BlinkDL/rwkv7-g1", newest, content);
  const Ran before = skein({"inspect", "g1-0.1b"});
  EXPECT_EQ(before.code, 2);
  EXPECT_TRUE(contains(before.err, "`skein pull g1-0.1b` fetches it")) << before.err;

  const Ran ran = skein({"pull", "G1-0.1B"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(contains(ran.out, newest)) << ran.out;
  EXPECT_TRUE(contains(ran.out, "sha256 right")) << ran.out;
  EXPECT_TRUE(contains(ran.err, "free on the disk")) << ran.err;
  EXPECT_TRUE(contains(ran.err, "skein run g1-0.1b")) << ran.err;
  EXPECT_TRUE(text_of_file(model(newest)) == content);
  EXPECT_EQ(skein({"inspect", "g1-0.1b"}).code, 0);

  const Ran again = skein({"pull", "g1-0.1b", "--json"});
  const auto json = parse_json(again.out, 1 << 20);
  ASSERT_TRUE(json) << again.out;
  EXPECT_EQ(json->find("files").array()[0].find("outcome").string(), "was there");
}

TEST_F(Pull, without_a_list_of_files_the_newest_known_one_comes) {
  hub_.put("BlinkDL/rwkv7-g1", "rwkv7-g1d-0.4b-20260210-ctx8192.pth", random_bytes(1000));
  hub_.set({.no_list = true});
  EXPECT_EQ(skein({"pull", "g1-0.4b"}).code, 0);
  EXPECT_TRUE(fs::exists(model("rwkv7-g1d-0.4b-20260210-ctx8192.pth")));
}

TEST_F(Pull, a_hub_cannot_pass_another_file_off_as_an_official_one) {
  hub_.put("BlinkDL/rwkv-7-world", "RWKV-x070-World-0.1B-v2.8-20241210-ctx4096.pth", "poison");
  const Ran ran = skein({"pull", "world7-0.1b"});
  EXPECT_EQ(ran.code, 5);
  EXPECT_TRUE(contains(ran.err, "the one known here is 60c98129b952")) << ran.err;
  EXPECT_TRUE(names().empty());
}

TEST_F(Pull, another_size_than_the_known_one_is_refused_before_the_bytes_come) {
  hub_.put("BlinkDL/rwkv-7-world", "RWKV-x070-World-0.1B-v2.8-20241210-ctx4096.pth", "poison");
  hub_.set({.no_checksum = true});
  const Ran ran = skein({"pull", "world7-0.1b"});
  EXPECT_EQ(ran.code, 5);
  EXPECT_TRUE(contains(ran.err, "has 6 bytes, and the one known here has")) << ran.err;
  EXPECT_FALSE(fs::exists(models()));
}

TEST_F(Pull, killed_twenty_times_it_ends_with_the_same_bytes) {
  put_big();
  constexpr size_t kPiece = kSize / 21;
  hub_.set({.cut_after = kPiece, .stalls = true});
  for (size_t i = 1; i <= 20; ++i) ASSERT_NO_FATAL_FAILURE(pull_and_kill(kName, i * kPiece));
  const size_t there = part_size();
  EXPECT_EQ(there, 20 * kPiece);
  hub_.set({});
  const Ran ran = skein({"pull", kName});
  EXPECT_EQ(ran.code, 0) << ran.err;
  expect_big();
  EXPECT_EQ(hub_.seen().back().headers["range"], "bytes=" + std::to_string(there) + "-");
}

TEST_F(Pull, a_connection_that_is_cut_is_gone_on_with_unasked) {
  put_big();
  hub_.set({.cuts = 5, .cut_after = 300'000});
  const Ran ran = skein({"pull", kName, "--tries", "1"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  expect_big();
}

TEST_F(Pull, a_connection_that_brings_nothing_is_given_up) {
  put_big();
  hub_.set({.cuts = 100, .cut_after = 1000});
  const Ran ran = skein({"pull", kName, "--tries", "1"});
  EXPECT_EQ(ran.code, 5);
  EXPECT_TRUE(contains(ran.err, "the connection was cut")) << ran.err;
  EXPECT_TRUE(contains(ran.err, "the same command goes on")) << ran.err;
  hub_.set({});
  EXPECT_EQ(skein({"pull", kName}).code, 0);
  expect_big();
}

TEST_F(Pull, wrong_bytes_are_told_and_not_kept) {
  put_big();
  hub_.set({.wrong_byte = true});
  const Ran ran = skein({"pull", kName});
  EXPECT_EQ(ran.code, 5);
  EXPECT_TRUE(contains(ran.err, "should be " + sha256_of(big_))) << ran.err;
  EXPECT_TRUE(contains(ran.err, "nothing of it was kept")) << ran.err;
  EXPECT_TRUE(names().empty());
}

TEST_F(Pull, a_part_that_was_damaged_is_not_made_a_model) {
  put_big();
  hub_.set({.cut_after = 1'000'000, .stalls = true});
  ASSERT_NO_FATAL_FAILURE(pull_and_kill(kName, 1'000'000));
  const fs::path part = model(names().at(0));
  std::string bytes = text_of_file(part);
  bytes[500'000] = static_cast<char>(bytes[500'000] ^ 1);
  write_text(part, bytes);
  hub_.set({});
  EXPECT_EQ(skein({"pull", kName}).code, 5);
  EXPECT_TRUE(names().empty());
  EXPECT_EQ(skein({"pull", kName}).code, 0);
  expect_big();
}

TEST_F(Pull, a_file_that_changed_meanwhile_is_fetched_anew) {
  put_big();
  hub_.set({.cut_after = 1'000'000, .stalls = true});
  ASSERT_NO_FATAL_FAILURE(pull_and_kill(kName, 1'000'000));
  hub_.set({});
  put_big(2);
  EXPECT_EQ(skein({"pull", kName}).code, 0);
  expect_big();
}

TEST_F(Pull, a_file_that_changes_under_way_is_no_mixture) {
  hub_.put_plain("x.gguf", random_bytes(kSize));
  hub_.set({.cuts = 1, .cut_after = 1'000'000, .changes_after = 1});
  const Ran ran = skein({"pull", hub_.endpoint() + "/plain/x.gguf"});
  EXPECT_EQ(ran.code, 5);
  EXPECT_TRUE(contains(ran.err, "was changed there meanwhile")) << ran.err;
  EXPECT_TRUE(names().empty());
}

TEST_F(Pull, a_server_without_ranges_begins_anew) {
  put_big();
  hub_.set({.cut_after = 1'000'000, .stalls = true});
  ASSERT_NO_FATAL_FAILURE(pull_and_kill(kName, 1'000'000));
  hub_.set({.ignores_ranges = true});
  const Ran ran = skein({"pull", kName});
  EXPECT_EQ(ran.code, 0);
  EXPECT_TRUE(contains(ran.err, "begins anew")) << ran.err;
  expect_big();
}

TEST_F(Pull, sizes_that_are_not_said_or_not_true_do_no_harm) {
  const std::string content = text_of_file(fs::path(SKEIN_SOURCE_DIR) / "models/bundled-0.pth");
  const std::string address = hub_.endpoint() + "/plain/x.pth";
  hub_.put_plain("x.pth", content);
  for (const Faults& faults :
       {Faults{.ignores_ranges = true, .no_length = true},
        Faults{.ignores_ranges = true, .chunked = true}, Faults{.no_length = true}}) {
    hub_.set(faults);
    const Ran ran = skein({"pull", address, "-f"});
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_TRUE(text_of_file(model("x.pth")) == content);
    fs::remove(model("x.pth"));
  }
  Faults cut = {.cuts = 9, .cut_after = 5000, .ignores_ranges = true, .chunked = true};
  hub_.set(cut);
  EXPECT_EQ(skein({"pull", address, "--tries", "1"}).code, 5);
  hub_.set({.ignores_ranges = true, .says_more = 7});
  EXPECT_EQ(skein({"pull", address, "--tries", "1"}).code, 5);
  EXPECT_FALSE(fs::exists(model("x.pth")));
  put_big();
  hub_.set({.ignores_ranges = true, .says_more = 7});
  const Ran ran = skein({"pull", kName});
  EXPECT_EQ(ran.code, 5);
  EXPECT_TRUE(contains(ran.err, "and where it lies it has 2000007")) << ran.err;
}

TEST_F(Pull, what_a_disk_has_no_room_for_is_not_begun) {
  hub_.put_plain("x.gguf", "GGUF");
  hub_.set({.claims = size_t{1} << 60});
  const Ran ran = skein({"pull", hub_.endpoint() + "/plain/x.gguf"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_TRUE(contains(ran.err, "needs 1152921504606846976 bytes more, and the disk has"))
      << ran.err;
  EXPECT_TRUE(contains(ran.err, "will not fit the memory")) << ran.err;
  EXPECT_TRUE(names().empty());
}

TEST_F(Pull, a_file_whose_size_nobody_says_does_not_fill_the_disk) {
  if (kAddressSanitizer || kThreadSanitizer)
    GTEST_SKIP() << "SKIPPED: a sanitizer wants to be loaded first";
  hub_.put_plain("x.gguf", std::string(20'000'000, 'x'));
  hub_.set({.ignores_ranges = true, .no_length = true});
  const Ran ran = skein({"pull", hub_.endpoint() + "/plain/x.gguf", "--tries", "1"},
                        {"LD_PRELOAD=" SKEIN_SMALL_DISK});
  EXPECT_EQ(ran.code, 1);
  EXPECT_TRUE(contains(ran.err, "nobody says how much comes, and the disk has")) << ran.err;
  EXPECT_FALSE(fs::exists(model("x.gguf")));
  EXPECT_LT(part_size(), 17u << 20);
}

TEST_F(Pull, a_disk_that_fills_up_keeps_what_came) {
  put_big();
  const Ran ran = run({"pull", kName}, {.environment = environment(), .file_limit = 1'000'000});
  EXPECT_EQ(ran.code, 1);
  EXPECT_TRUE(contains(ran.err, "cannot be written")) << ran.err;
  EXPECT_TRUE(contains(ran.err, "are kept, and the same command goes on")) << ran.err;
  EXPECT_EQ(part_size(), 1'000'000u);
  EXPECT_EQ(skein({"pull", kName}).code, 0);
  expect_big();
}

TEST_F(Pull, interrupted_it_keeps_what_came) {
  put_big();
  hub_.set({.cut_after = 1'000'000, .stalls = true});
  Process process = start({"pull", kName});
  ASSERT_TRUE(process.wait_until([&] { return part_size() >= 1'000'000; }));
  process.send(SIGINT);
  EXPECT_EQ(process.finish(), 130);
  const std::string said = text_of_file(home_ / "err");
  EXPECT_TRUE(contains(said, "interrupted")) << said;
  EXPECT_TRUE(contains(said, "the same command goes on")) << said;
  EXPECT_EQ(part_size(), 1'000'000u);
}

TEST_F(Pull, two_at_once_do_not_write_one_file) {
  put_big();
  hub_.set({.cut_after = 1'000'000, .stalls = true});
  Process process = start({"pull", kName});
  ASSERT_TRUE(process.wait_until([&] { return part_size() >= 1'000'000; }));
  const Ran ran = skein({"pull", kName});
  EXPECT_EQ(ran.code, 1);
  EXPECT_TRUE(contains(ran.err, "another process is fetching it")) << ran.err;
  EXPECT_EQ(part_size(), 1'000'000u);
}

TEST_F(Pull, what_stalls_is_given_up_by_patience) {
  put_big();
  hub_.set({.cut_after = 500, .stalls = true});
  const Ran ran = skein({"pull", kName, "--patience", "1", "--tries", "1"});
  EXPECT_EQ(ran.code, 5);
  EXPECT_LT(ran.seconds, 15);
  EXPECT_TRUE(contains(ran.err, "too little came for 1 s")) << ran.err;
}

TEST_F(Pull, a_file_that_is_there_is_compared_and_not_lost) {
  put_big();
  EXPECT_EQ(skein({"pull", kName}).code, 0);
  const Ran same = skein({"pull", kName});
  EXPECT_EQ(same.code, 0);
  EXPECT_TRUE(contains(same.out, "is the same")) << same.out;
  const std::string old = big_;
  put_big(2);
  const Ran other = skein({"pull", kName});
  EXPECT_EQ(other.code, 2);
  EXPECT_TRUE(contains(other.err, "-f replaces it, --as NAME keeps both")) << other.err;
  EXPECT_EQ(skein({"pull", kName, "--as", "new.bin"}).code, 0);
  EXPECT_TRUE(text_of_file(model("new.bin")) == big_);
  EXPECT_TRUE(text_of_file(model("big.bin")) == old);
  EXPECT_EQ(skein({"pull", kName, "-f"}).code, 0);
  EXPECT_TRUE(text_of_file(model("big.bin")) == big_);
}

TEST_F(Pull, a_small_file_is_compared_by_the_name_that_git_gives_it) {
  hub_.put("someone/models", "config.bin", "not a model", /*large=*/false);
  const Ran ran = skein({"pull", "hf:someone/models/config.bin@main"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(contains(ran.out, "git's sha1 right")) << ran.out;
  EXPECT_TRUE(contains(ran.err, "it cannot be read")) << ran.err;
}

TEST_F(Pull, a_link_to_another_disk_is_filled_there) {
  const std::string content = text_of_file(fs::path(SKEIN_SOURCE_DIR) / "models/bundled-0.pth");
  hub_.put_plain("x.pth", content);
  const fs::path disk = home_ / "disk";
  fs::create_directory(disk);
  fs::create_directories(models());
  fs::create_symlink(disk / "far.pth", model("x.pth"));
  write_text(disk / "far.pth.fedcba9876543210.part", "of an older one");
  const Ran ran = skein({"pull", hub_.endpoint() + "/plain/x.pth"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(fs::is_symlink(model("x.pth")));
  EXPECT_TRUE(text_of_file(disk / "far.pth") == content);
  EXPECT_FALSE(fs::exists(disk / "far.pth.fedcba9876543210.part"));
}

TEST_F(Pull, what_is_being_fetched_is_not_removed) {
  put_big();
  hub_.set({.cut_after = 1'000'000, .stalls = true});
  Process process = start({"pull", kName});
  ASSERT_TRUE(process.wait_until([&] { return part_size() >= 1'000'000; }));
  const Ran removed = skein({"rm", "big.bin", "-y"});
  EXPECT_EQ(removed.code, 1);
  EXPECT_TRUE(contains(removed.err, "another process is fetching it")) << removed.err;
  // Another pull, which ends with another file of this name.
  hub_.set({});
  put_big(2);
  EXPECT_EQ(skein({"pull", kName}).code, 0);
  EXPECT_EQ(part_size(), 1'000'000u);
  process.send(SIGINT);
  EXPECT_EQ(process.finish(), 130);
  EXPECT_EQ(skein({"rm", "big", "-y"}).code, 0);
  EXPECT_TRUE(names().empty());
}

TEST_F(Pull, what_no_checksum_vouches_for_has_to_be_a_model) {
  hub_.put_plain("x.pth", "<!DOCTYPE html><html>Sign in</html>");
  const Ran ran = skein({"pull", hub_.endpoint() + "/plain/x.pth"});
  EXPECT_EQ(ran.code, 3);
  EXPECT_TRUE(contains(ran.err, "what came is no model")) << ran.err;
  EXPECT_TRUE(contains(ran.err, "states no checksum")) << ran.err;
  EXPECT_TRUE(names().empty());
}

TEST_F(Pull, a_dry_run_fetches_nothing) {
  put_big();
  const Ran ran = skein({"pull", kName, "--dry-run"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_TRUE(contains(ran.err, "1.9 MiB")) << ran.err;
  EXPECT_TRUE(contains(ran.err, "free on the disk")) << ran.err;
  EXPECT_TRUE(contains(ran.err, "a vocabulary that it needs")) << ran.err;
  EXPECT_FALSE(fs::exists(models()));
}

TEST_F(Pull, what_came_before_a_failure_is_told) {
  put_big();
  const Ran ran = skein({"pull", kName, "hf:someone/models/none.bin", "--json"});
  EXPECT_EQ(ran.code, 5);
  const auto json = parse_json(ran.out, 1 << 20);
  ASSERT_TRUE(json) << ran.out;
  EXPECT_EQ(json->find("error").find("code").string(), "network");
  ASSERT_EQ(json->find("files").array().size(), 1u) << ran.out;
  EXPECT_EQ(json->find("files").array()[0].find("file").string(), model("big.bin").string());
}

TEST_F(Pull, a_repository_that_was_renamed_still_says_what_its_files_are) {
  put_big();
  hub_.rename("nobody/old", "someone/models");
  const Ran ran = skein({"pull", "hf:nobody/old/big.bin"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(contains(ran.out, "sha256 right")) << ran.out;
  EXPECT_FALSE(contains(ran.err, "no checksum")) << ran.err;
  expect_big();
}

TEST_F(Pull, a_mirror_that_hands_out_the_bytes_itself_says_what_they_are) {
  put_big();
  hub_.set({.one_host = true});
  const Ran ran = skein({"pull", kName});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(contains(ran.out, "sha256 right")) << ran.out;
  hub_.set({.wrong_byte = true, .one_host = true});
  EXPECT_EQ(skein({"pull", kName, "--as", "x.bin"}).code, 5);
}

TEST_F(Pull, a_page_of_the_hub_stands_for_its_file) {
  put_big();
  const Ran ran = skein({"pull", hub_.endpoint() + "/someone/models/blob/main/big.bin?x=1"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  expect_big();
}

}  // namespace
}  // namespace skein::test

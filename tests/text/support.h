// Small vocabularies, test vectors, random texts.
#pragma once

#include <gtest/gtest.h>
#include <pthread.h>

#include <ctime>
#include <fstream>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "support/fixtures.h"
#include "text/tokenizer.h"

namespace skein::text::test {

inline std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

inline std::string from_base64(std::string_view text) {
  const std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text.substr(0, text.find('='))) {
    bits = bits << 6 | static_cast<uint32_t>(digits.find(c));
    count += 6;
    if (count >= 8) out += static_cast<char>(bits >> (count -= 8) & 0xff);
  }
  return out;
}

struct Vector {
  std::string text;
  std::vector<int32_t> ids;
};

inline std::vector<Vector> read_vectors(const std::filesystem::path& path,
                                        std::string_view key = "ids") {
  std::vector<Vector> out;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const auto json = parse_json(line, 1 << 20);
    EXPECT_TRUE(json) << path << ": " << line;
    if (!json) continue;
    Vector vector{from_base64(*json->find("text")->string()), {}};
    for (const Json& id : *json->find(key)->array()) {
      int64_t value = -1;
      EXPECT_TRUE(id.integer(value));
      vector.ids.push_back(static_cast<int32_t>(value));
    }
    out.push_back(std::move(vector));
  }
  EXPECT_FALSE(out.empty()) << path;
  return out;
}

// A token as a line of a rwkv_vocab file.
inline std::string vocab_line(int id, std::string_view bytes) {
  std::string out = std::to_string(id) + " b'";
  for (const char c : bytes) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  return out + "' " + std::to_string(bytes.size()) + "\n";
}

// Ids 1 to 256 are the bytes; `more` follow from 257 on.
inline std::string small_vocab(const std::vector<std::string>& more = {}) {
  std::string out;
  for (int byte = 0; byte < 256; ++byte)
    out += vocab_line(byte + 1, std::string(1, static_cast<char>(byte)));
  for (size_t n = 0; n < more.size(); ++n) out += vocab_line(257 + static_cast<int>(n), more[n]);
  return out;
}

inline TokenizerPtr must(Result<TokenizerPtr> result) {
  EXPECT_TRUE(result) << (result ? "" : result.error().message);
  return result ? *result : byte_tokenizer_257();
}

inline TokenizerPtr open_file(const std::filesystem::path& path) {
  auto file = File::map(path);
  EXPECT_TRUE(file) << path;
  return file ? must(open_tokenizer(file->bytes(), file->name())) : byte_tokenizer_257();
}

inline std::string random_bytes(std::mt19937& rng, size_t length) {
  std::string out(length, '\0');
  for (char& c : out) c = static_cast<char>(rng() & 0xff);
  return out;
}

inline size_t below(std::mt19937& rng, size_t bound) { return rng() % bound; }

// `count` of `pieces`, one after the other.
inline std::string random_text(std::mt19937& rng, std::span<const std::string_view> pieces,
                               size_t count) {
  std::string out;
  for (size_t n = 0; n < count; ++n) out += pieces[below(rng, pieces.size())];
  return out;
}

// `text` cut at random places; empty pieces occur.
inline std::vector<std::string> random_cuts(std::mt19937& rng, std::string_view text) {
  std::vector<std::string> out;
  const size_t longest = 1 + below(rng, 8);
  while (!text.empty()) {
    const size_t length = std::min(text.size(), below(rng, longest + 1));
    out.emplace_back(text.substr(0, length));
    text.remove_prefix(length);
  }
  return out;
}

inline void run_with_small_stack(const std::function<void()>& work) {
  pthread_attr_t attributes;
  ASSERT_EQ(pthread_attr_init(&attributes), 0);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, 256 * 1024), 0);
  pthread_t thread;
  const auto entry = [](void* argument) -> void* {
    (*static_cast<const std::function<void()>*>(argument))();
    return nullptr;
  };
  std::function<void()> copy = work;
  ASSERT_EQ(pthread_create(&thread, &attributes, entry, &copy), 0);
  ASSERT_EQ(pthread_join(thread, nullptr), 0);
  pthread_attr_destroy(&attributes);
}

// Processor time, so that a busy machine fails nothing; an unoptimized build proves nothing.
inline void expect_under_a_second(const std::string& name, const std::function<void()>& work) {
  const std::clock_t start = std::clock();
  run_with_small_stack(work);
#ifdef NDEBUG
  EXPECT_LT(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC, 1.0) << name;
#else
  static_cast<void>(name);
  static_cast<void>(start);
#endif
}

// Texts that broke other tokenizers: a recursion or a square in the length of one word shows here.
inline std::vector<std::pair<std::string, std::string>> hard_texts() {
  std::string marks, mixed_marks;
  for (int n = 0; n < 300'000; ++n) marks += "\u0301";
  for (int n = 0; n < 60'000; ++n) mixed_marks += "\u0301\u0323";
  for (int n = 0; n < 60'000; ++n) mixed_marks += "\u0323";
  std::string markers;
  for (int n = 0; n < 30'000; ++n) markers += "<|endoftext|";
  return {{"Z", std::string(131'072, 'Z')},
          {"line ends", std::string(300'000, '\n')},
          {"combining marks", marks},
          {"unordered combining marks", mixed_marks},
          {"spaces", std::string(300'000, ' ')},
          {"unfinished markers", markers}};
}

}  // namespace skein::text::test

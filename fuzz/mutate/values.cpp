#include "fuzz/mutate/values.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>

namespace skein::mutate {

int64_t near_number(int64_t value, test::Random& random) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  const auto wrapped = [](int64_t a, uint64_t b) {
    return static_cast<int64_t>(static_cast<uint64_t>(a) + b);
  };
  switch (random.below(14)) {
    case 0: return wrapped(value, 1);
    case 1: return wrapped(value, UINT64_MAX);
    case 2: return static_cast<int64_t>(static_cast<uint64_t>(value) * 2);
    case 3: return value / 2;
    case 4: return 0;
    case 5: return -1;
    case 6: return static_cast<int64_t>(0 - static_cast<uint64_t>(value));
    case 7: return wrapped(value, 16 + random.below(64));
    case 8: return int64_t{1} << random.below(63);
    case 9:
      return pick(random, {int64_t{INT32_MAX}, int64_t{INT32_MAX} + 1, int64_t{UINT32_MAX}, kMost,
                           std::numeric_limits<int64_t>::min()});
    case 10: return wrapped(value, uint64_t{1} << 32);
    case 11: return 1;
    case 12: return wrapped(value, random.below(9) - 4);
    default: return static_cast<int64_t>(random.next() >> random.below(64));
  }
}

float odd_float(test::Random& random) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  return pick(random,
              {std::numeric_limits<float>::quiet_NaN(), kInfinity, -kInfinity, 1e30f, -1e30f, 3e38f,
               1e7f, -1e7f, 70000.0f, 1e-40f, -1e-45f, -0.0f, 0.0f, 1.0f, -1.0f, 100.0f});
}

void change_name(std::string& name, test::Random& random) {
  const auto at = [&] { return static_cast<size_t>(random.below(name.size() + 1)); };
  switch (random.below(12)) {
    case 0:
      name.insert(0, pick(random, {"module.", "model.", "_forward_module.", "_orig_mod.",
                                   "module._orig_mod.", "base_model.model.", "rwkv."}));
      return;
    case 1: name.insert(at(), 1, static_cast<char>(random.below(256))); return;
    case 2:
      name.insert(at(), pick(random, {".", "..", "/", "../", "\\", "%s", " ", "weight"}));
      return;
    case 3: name.clear(); return;
    case 4: name = std::string(pick(random, {255, 256, 257, 70000}), 'n'); return;
    case 5:
      if (const size_t dot = name.find('.'); dot != name.npos) name.erase(0, dot + 1);
      return;
    case 6:
      if (const size_t dot = name.rfind('.'); dot != name.npos) name.resize(dot);
      return;
    case 7:  // another layer
      for (char& c : name)
        if (c >= '0' && c <= '9') {
          name.replace(static_cast<size_t>(&c - name.data()), 1,
                       pick(random, {"0", "1", "2", "9", "01", "-1", "1024", "99999999999"}));
          return;
        }
      return;
    case 8:
      if (!name.empty()) name.erase(random.below(name.size()), 1);
      return;
    case 9:
      if (!name.empty()) name[random.below(name.size())] ^= static_cast<char>(1 << random.below(8));
      return;
    case 10: name += pick(random, {".bias", ".weight", ".lora_A", "_scale", ".0"}); return;
    default: std::reverse(name.begin(), name.end()); return;
  }
}

std::string change_bytes(std::string& bytes, std::string_view other, test::Random& random) {
  if (bytes.empty()) return "nothing to change";
  // Half of the time near the beginning, where headers are.
  const auto place = [&] {
    const size_t limit = random.below(2) == 0 ? std::min<size_t>(bytes.size(), 512) : bytes.size();
    return static_cast<size_t>(random.below(limit));
  };
  const size_t at = place();
  switch (random.below(8)) {
    case 0: bytes.resize(at); return fmt::format("cut at {}", at);
    case 1: {
      const size_t count = std::min<size_t>(bytes.size() - at, 1 + random.below(64));
      bytes.erase(at, count);
      return fmt::format("{} bytes dropped at {}", count, at);
    }
    case 2: {
      const std::string part = bytes.substr(at, 1 + random.below(64));
      bytes.insert(at, part);
      return fmt::format("{} bytes doubled at {}", part.size(), at);
    }
    case 3: {
      if (other.empty()) break;
      const size_t from = random.below(other.size());
      const std::string_view part = other.substr(from, 1 + random.below(4096));
      bytes.replace(at, part.size(), part);
      return fmt::format("{} bytes of another file at {}", part.size(), at);
    }
    case 4: {
      const size_t width = pick(random, {2, 4, 8});
      if (at + width > bytes.size()) break;
      int64_t value = 0;
      std::memcpy(&value, bytes.data() + at, width);
      value = near_number(value, random);
      std::memcpy(bytes.data() + at, &value, width);
      return fmt::format("a number of {} bytes at {}", width, at);
    }
    default: break;
  }
  const size_t count = 1 + random.below(4);
  for (size_t i = 0; i < count; ++i)
    bytes[place()] = static_cast<char>(random.below(3) == 0 ? 0xff : random.below(256));
  return fmt::format("{} bytes changed", count);
}

}  // namespace skein::mutate

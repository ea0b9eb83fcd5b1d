// F3: a pickle by itself, and as the object of a legacy checkpoint whose storages follow it.
#include <vector>

#include "base/limits.h"
#include "fuzz/oracle.h"
#include "io/pickle.h"
#include "io/pth.h"

namespace {

using skein::fuzz::require;
using skein::io::Pickle;
using skein::io::PickleKind;

// Every value that the root holds is of a known kind and readable.
void walk(const Pickle& pickle) {
  std::vector<bool> seen;
  std::vector<Pickle::Id> open{pickle.root()};
  while (!open.empty()) {
    const Pickle::Id id = open.back();
    open.pop_back();
    if (id >= seen.size()) seen.resize(id + 1, false);
    if (seen[id]) continue;
    seen[id] = true;
    switch (pickle.kind(id)) {
      case PickleKind::tuple:
      case PickleKind::list:
      case PickleKind::dict:
        for (const Pickle::Id child : pickle.items(id)) open.push_back(child);
        break;
      case PickleKind::text: require(pickle.text(id).size() <= pickle.bytes_read()); break;
      case PickleKind::long_integer:
        require(pickle.long_integer(id).size() <= pickle.bytes_read());
        break;
      case PickleKind::tensor: require(pickle.tensor(id).storage < pickle.storages().size()); break;
      case PickleKind::none:
      case PickleKind::boolean:
      case PickleKind::integer:
      case PickleKind::real:
      case PickleKind::global:
      case PickleKind::storage: break;
      default: require(false);
    }
  }
  for (const auto& storage : pickle.storages()) require(storage.elements >= 0);
}

// Magic, version 1001 and a little-endian machine; behind the input the storages "0" and "1" of
// six numbers each.
void read_as_checkpoint(std::span<const std::byte> input) {
  using namespace std::string_view_literals;
  constexpr auto kBefore =
      "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
      "\x80\x02M\xe9\x03."
      "\x80\x02}X\x0d\0\0\0little_endian\x88s."sv;
  constexpr auto kBehind = "\x80\x02](X\1\0\0\0000X\1\0\0\0001e."sv;
  std::vector<std::byte> file;
  const auto append = [&file](std::span<const std::byte> part) {
    file.insert(file.end(), part.begin(), part.end());
  };
  append(std::as_bytes(std::span(kBefore)));
  append(input);
  append(std::as_bytes(std::span(kBehind)));
  for (int storage = 0; storage < 2; ++storage) {
    const int64_t count = 6;
    const float numbers[6] = {};
    append(std::as_bytes(std::span(&count, 1)));
    append(std::as_bytes(std::span(numbers)));
  }
  skein::fuzz::check_answer(skein::io::read_pth_legacy(file), file);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = skein::fuzz::bytes_of(data, size);
  const auto pickle = Pickle::read(bytes);
  if (!pickle) {
    skein::fuzz::check_error(pickle.error());
    return 0;
  }
  require(pickle->bytes_read() <= size);
  walk(*pickle);
  read_as_checkpoint(bytes.first(pickle->bytes_read()));
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  return skein::fuzz::mutate_behind("\x80\x02", data, size, max_size, seed);
}

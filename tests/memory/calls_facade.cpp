// calls_facade MODEL VOCAB THREADS: the same through skein.hpp, where memory that runs out is an
// exception: skein::Error with SK_MEMORY, or the program's own bad_alloc.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <new>
#include <skein/skein.hpp>

namespace {

bool retried = false;

template <typename Call>
auto again(const Call& call) {
  try {
    return call();
  } catch (const skein::Error& error) {
    if (error.code() != SK_MEMORY || retried) throw;
  } catch (const std::bad_alloc&) {
    if (retried) throw;
  }
  retried = true;
  return call();
}

void say(const char* what, const void* data, std::size_t size) {
  std::uint64_t hash = 14695981039346656037u;
  for (std::size_t i = 0; i < size; ++i)
    hash = (hash ^ static_cast<const unsigned char*>(data)[i]) * 1099511628211u;
  char line[128];
  const int length =
      std::snprintf(line, sizeof line, "%s %016llx\n", what, static_cast<unsigned long long>(hash));
  if (::write(STDOUT_FILENO, line, static_cast<std::size_t>(length)) != length) std::_Exit(9);
}

void say(const char* what, const std::vector<float>& numbers) {
  say(what, numbers.data(), numbers.size() * sizeof(float));
}

}  // namespace

int main(int, char** argv) try {
  auto model = again([&] {
    skein::Options options;
    options.vocab = argv[2];
    options.threads = std::atoi(argv[3]);
    options.progress = [](int64_t, int64_t) { return true; };
    return skein::Model(argv[1], options);
  });
  const auto ids = again([&] { return model.tokenize("The sun was red, and Mia laughed."); });
  say("ids", ids.data(), ids.size() * sizeof ids[0]);
  const auto text = again([&] { return model.detokenize(ids); });
  say("text", text.data(), text.size());
  auto state = again([&] { return model.new_state(); });
  auto logits = again([&] { return model.eval(state, ids); });
  say("logits", logits);
  auto twin = again([&] { return state; });
  say("all", again([&] { return model.eval_all(twin, ids); }));
  std::vector<float> one, two;
  again([&] {
    model.eval_batch(std::vector<skein::Job>{{state, ids, skein::Want::last, &one},
                                             {twin, ids, skein::Want::last, &two}});
    return 0;
  });
  say("batch", one);
  say("batch", two);
  const auto bytes = again([&] { return twin.export_as(); });
  auto back = again([&] { return model.import_state(bytes); });
  say("imported", again([&] { return model.eval(back, ids); }));
  auto sampler = again([&] { return skein::Sampler(model); });
  for (std::uint64_t i = 0; i < 4; ++i) {
    const int32_t id = again([&] { return sampler.sample(logits, i); });
    again([&] { return sampler.accept(id), 0; });
    say("drawn", &id, sizeof id);
  }
  return retried ? 4 : 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}

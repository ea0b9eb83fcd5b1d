// Models, states, samplers and vocabularies of skein.hpp, which is what programs include.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "skein/skein.h"

namespace skein {
// A namespace of its own, so that a program may contain facades of two versions.
inline namespace v0 {

class Error : public std::runtime_error {
 public:
  Error(int32_t code, const std::string& message) : std::runtime_error(message), code_(code) {}
  sk_code code() const noexcept { return static_cast<sk_code>(code_); }

 private:
  int32_t code_;
};

namespace detail {

inline void check(int32_t code) {
  if (code != SK_OK) throw Error(code, sk_last_error());
}

// What a function gives whose result has an unknown size: `call` takes a buffer (NULL at first),
// how much it holds, and where to say how much there is.
template <typename Container, typename Call>
Container fetched(const Call& call) {
  size_t size = 0;
  check(call(nullptr, size_t{0}, &size));
  Container out;
  out.resize(size);
  if (size > 0) check(call(out.data(), out.size(), &size));
  return out;
}

template <typename T, void (*Free)(T*)>
struct Deleter {
  void operator()(T* object) const noexcept { Free(object); }
};
template <typename T, void (*Free)(T*)>
using Handle = std::unique_ptr<T, Deleter<T, Free>>;

}  // namespace detail

// Numbers that somebody else owns: converts from vectors, arrays, spans and braces. It is meant for
// parameters; one that is kept must not outlive what it was made from, for braces the statement.
template <typename T>
class View {
 public:
  View(const T* data, size_t size) : data_(data), size_(size) {}
  View(std::initializer_list<T> list) : size_(list.size()) { data_ = list.begin(); }
  template <typename Container, typename = decltype(std::declval<const Container&>().data() +
                                                    std::declval<const Container&>().size())>
  View(const Container& container) : data_(container.data()), size_(container.size()) {}

  const T* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  const T* data_;
  size_t size_;
};
using Ids = View<int32_t>;

enum class Numerics : int32_t { exact = SK_NUMERICS_EXACT, fast = SK_NUMERICS_FAST };
enum class Sparse : int32_t { detect = SK_SPARSE_AUTO, off = SK_SPARSE_OFF, on = SK_SPARSE_ON };

// A file that RWKV-PEFT made beside a model.
struct Adapter {
  std::string path;
  double alpha = 0;       // of a LoRA, which has to be said
  double blend = 1;       // of the change
  std::string only{};     // glob over the names of the matrices to change; empty: all
  std::string initial{};  // PiSSA's initial pair
};

// What a model can be opened on.
struct Device {
  std::string name;  // for Options::device
  std::string about;
};
// The first is the one that a model takes by itself.
inline std::vector<Device> devices() {
  size_t count = 0;
  detail::check(sk_device_count(&count));
  std::vector<Device> out;
  for (size_t i = 0; i < count; ++i) {
    struct sk_device_info info = {};
    info.size = sizeof info;
    detail::check(sk_device_info(i, &info));
    out.push_back({info.name, info.about});
  }
  return out;
}

// A program's own strings and callbacks for sk_model_params.
struct Options {
  int threads = 0;
  int chunk = 0;
  std::string vocab;
  std::string device;
  std::string isa;
  std::function<bool(int64_t done, int64_t total)> progress;  // false gives up
  Numerics numerics = Numerics::exact;
  Sparse sparse = Sparse::detect;
  std::vector<Adapter> adapters;  // merged one after the other
};

enum class Want : int32_t { none = SK_WANT_NONE, last = SK_WANT_LAST, all = SK_WANT_ALL };

enum class StateFormat : int32_t {
  detect = SK_STATE_AUTO,
  native = SK_STATE_NATIVE,
  pth = SK_STATE_PTH,
  time_state = SK_STATE_TIME_STATE,
  f32 = SK_STATE_F32,
  time_state_st = SK_STATE_TIME_STATE_ST,
};

// Comes from Model::new_state() or Model::import_state(), may outlive the model. A state that was
// moved from can be assigned to and destroyed, nothing else.
class State {
 public:
  State(State&&) noexcept = default;
  State& operator=(State&&) noexcept = default;
  State(const State& other) : handle_(clone(other.get())) {}
  State& operator=(const State& other) {
    if (this != &other) handle_.reset(clone(other.get()));
    return *this;
  }

  uint64_t tokens_read() const {
    uint64_t count = 0;
    detail::check(sk_state_tokens_read(get(), &count));
    return count;
  }
  struct sk_state_info info() const {
    struct sk_state_info out = {};
    out.size = sizeof out;
    detail::check(sk_state_info(get(), &out));
    return out;
  }
  void reset() { detail::check(sk_state_reset(get())); }
  // The numbers of StateFormat::f32.
  std::vector<float> read() const {
    std::vector<float> numbers(info().numbers);
    detail::check(sk_state_read(get(), numbers.data(), numbers.size()));
    return numbers;
  }
  void write(View<float> numbers) {
    detail::check(sk_state_write(get(), numbers.data(), numbers.size()));
  }

  std::vector<uint8_t> export_as(StateFormat format = StateFormat::native) const {
    return detail::fetched<std::vector<uint8_t>>([&](uint8_t* out, size_t capacity, size_t* size) {
      return sk_state_export(get(), static_cast<int32_t>(format), out, capacity, size);
    });
  }

  // The native format with what the state has read.
  std::vector<uint8_t> save(Ids tokens, std::string_view text) const {
    return detail::fetched<std::vector<uint8_t>>([&](uint8_t* out, size_t capacity, size_t* size) {
      return sk_state_save(get(), tokens.data(), tokens.size(), text.data(), text.size(), out,
                           capacity, size);
    });
  }

  friend bool operator==(const State& a, const State& b) {
    int32_t equal = 0;
    detail::check(sk_state_equal(a.get(), b.get(), &equal));
    return equal != 0;
  }
  friend bool operator!=(const State& a, const State& b) { return !(a == b); }

  // For the C functions. The State stays the owner.
  sk_state* get() { return handle_.get(); }
  const sk_state* get() const { return handle_.get(); }

 private:
  friend class Model;
  friend class Generation;
  explicit State(sk_state* handle) : handle_(handle) {}

  static sk_state* clone(const sk_state* from) {
    sk_state* out = nullptr;
    detail::check(sk_state_clone(from, &out));
    return out;
  }

  detail::Handle<sk_state, sk_state_free> handle_{};
};

// What State::save() was told, empty where it was told nothing.
inline std::vector<int32_t> saved_tokens(View<uint8_t> data) {
  return detail::fetched<std::vector<int32_t>>([&](int32_t* out, size_t capacity, size_t* count) {
    return sk_saved_tokens(data.data(), data.size(), out, capacity, count);
  });
}
inline std::string saved_text(View<uint8_t> data) {
  return detail::fetched<std::string>([&](char* out, size_t capacity, size_t* size) {
    return sk_saved_text(data.data(), data.size(), out, capacity, size);
  });
}

// One sequence's share of a batch.
struct Job {
  State& state;
  Ids tokens;
  Want want = Want::last;
  std::vector<float>* logits = nullptr;  // resized; may be null when want is none
  size_t tail = 0;  // with Want::all: the logits after so many last tokens; 0: after all of them
};

class Model {
 public:
  explicit Model(const std::string& path, const Options& options = {}) {
    // An exception of the callback waits here until the C function has returned.
    struct Progress {
      const Options& options;
      std::exception_ptr thrown;
    } progress{options, nullptr};
    sk_model_params params = {};
    params.size = sizeof params;
    params.threads = options.threads;
    params.chunk = options.chunk;
    params.vocab = text_or_null(options.vocab);
    params.device = text_or_null(options.device);
    params.isa = text_or_null(options.isa);
    params.numerics = static_cast<int32_t>(options.numerics);
    params.sparse = static_cast<int32_t>(options.sparse);
    std::vector<sk_adapter> adapters;
    for (const Adapter& adapter : options.adapters) {
      if (adapter.blend == 0) continue;  // leaves the model as it is, and is all of it in C
      adapters.push_back({adapter.path.c_str(), text_or_null(adapter.initial),
                          text_or_null(adapter.only), adapter.alpha, adapter.blend, 0});
    }
    params.adapters = adapters.data();
    params.adapter_count = adapters.size();
    if (options.progress) {
      params.progress = [](int64_t done, int64_t total, void* user) -> int32_t {
        auto& p = *static_cast<Progress*>(user);
        try {
          return p.options.progress(done, total) ? 0 : 1;
        } catch (...) {
          p.thrown = std::current_exception();
          return 1;
        }
      };
      params.progress_user = &progress;
    }
    sk_model* out = nullptr;
    const int32_t code = sk_model_open(path.c_str(), &params, &out);
    handle_.reset(out);
    if (progress.thrown) std::rethrow_exception(progress.thrown);
    detail::check(code);
    info_.size = sizeof info_;
    detail::check(sk_model_info(get(), &info_));
  }

  // Its strings live as long as the model.
  const struct sk_model_info& info() const { return info_; }
  size_t vocab() const { return static_cast<size_t>(info_.vocab); }

  State new_state() const {
    sk_state* out = nullptr;
    detail::check(sk_state_new(get(), &out));
    return State(out);
  }
  State import_state(View<uint8_t> data, StateFormat format = StateFormat::detect) const {
    sk_state* out = nullptr;
    detail::check(
        sk_state_import(get(), static_cast<int32_t>(format), data.data(), data.size(), &out));
    return State(out);
  }

  // Feeds tokens without asking for logits.
  void feed(State& state, Ids tokens) {
    detail::check(
        sk_eval(get(), state.get(), tokens.data(), tokens.size(), SK_WANT_NONE, nullptr, 0));
  }
  // Feeds tokens and returns the logits after the last one.
  std::vector<float> eval(State& state, Ids tokens) {
    std::vector<float> logits;
    eval_into(logits, state, tokens, Want::last);
    return logits;
  }
  // Those after each of them, [tokens, vocab].
  std::vector<float> eval_all(State& state, Ids tokens) {
    std::vector<float> logits;
    eval_into(logits, state, tokens, Want::all);
    return logits;
  }
  // The same into a vector that is used again, as a loop over tokens does.
  void eval_into(std::vector<float>& logits, State& state, Ids tokens, Want want = Want::last) {
    logits.resize(rows(want, tokens.size()) * vocab());
    detail::check(sk_eval(get(), state.get(), tokens.data(), tokens.size(),
                          static_cast<int32_t>(want), logits.data(), logits.size()));
  }
  void eval_batch(View<Job> jobs) {
    std::vector<sk_job> given(jobs.size());
    for (size_t i = 0; i < jobs.size(); ++i) {
      const Job& job = jobs.data()[i];
      sk_job& to = given[i];
      to.state = job.state.get();
      to.tokens = job.tokens.data();
      to.count = job.tokens.size();
      to.want = static_cast<int32_t>(job.want);
      if (!job.logits) continue;
      size_t wanted = rows(job.want, to.count);
      if (job.want == Want::all && job.tail > 0 && job.tail < wanted) {
        wanted = job.tail;
        to.flags = SK_JOB_TAIL;
      }
      job.logits->resize(wanted * vocab());
      to.logits = job.logits->data();
      to.capacity = job.logits->size();
    }
    detail::check(sk_eval_batch(get(), given.data(), given.size()));
  }

  // What the logits after the last token, or after each, would be computed from: [width] or
  // [tokens, width]. For embeddings.
  std::vector<float> hidden(State& state, Ids tokens, Want want = Want::last) {
    const auto width = static_cast<size_t>(info().width);
    std::vector<float> out(rows(want, tokens.size()) * width);
    detail::check(sk_eval_hidden(get(), state.get(), tokens.data(), tokens.size(),
                                 static_cast<int32_t>(want), out.data(), out.size()));
    return out;
  }

  // The log-probability of each token but the first, given those before it; `state` reads all.
  std::vector<double> score(State& state, Ids tokens) {
    std::vector<double> out(tokens.size() > 0 ? tokens.size() - 1 : 0);
    detail::check(sk_score(get(), state.get(), tokens.data(), tokens.size(), out.data(), nullptr));
    return out;
  }

  std::vector<int32_t> tokenize(std::string_view text) const {
    return detail::fetched<std::vector<int32_t>>([&](int32_t* out, size_t capacity, size_t* count) {
      return sk_tokenize(get(), text.data(), text.size(), out, capacity, count);
    });
  }
  std::string detokenize(Ids ids) const {
    return detail::fetched<std::string>([&](char* out, size_t capacity, size_t* size) {
      return sk_detokenize(get(), ids.data(), ids.size(), out, capacity, size);
    });
  }

  sk_model* get() { return handle_.get(); }
  const sk_model* get() const { return handle_.get(); }

 private:
  static const char* text_or_null(const std::string& text) {
    return text.empty() ? nullptr : text.c_str();
  }
  static size_t rows(Want want, size_t tokens) {
    return want == Want::all ? tokens : want == Want::last ? 1 : 0;
  }

  detail::Handle<sk_model, sk_model_close> handle_{};
  struct sk_model_info info_ = {};
};

// sk_sampling with its defaults in place.
struct Sampling : sk_sampling {
  Sampling() {
    size = sizeof(sk_sampling);
    detail::check(sk_sampling_init(this));
  }
};

// Draws an id without remembering anything.
inline int32_t sample(View<float> logits, const sk_sampling& sampling, uint64_t position) {
  int32_t id = 0;
  detail::check(sk_sample(logits.data(), logits.size(), &sampling, position, &id));
  return id;
}

// Remembers what was said for the penalties. A copy remembers the same.
class Sampler {
 public:
  // For the text of a model, or for bare ids.
  explicit Sampler(const Model& model, const sk_sampling& sampling = Sampling()) {
    sk_sampler* out = nullptr;
    detail::check(sk_sampler_new(model.get(), &sampling, &out));
    handle_.reset(out);
  }
  explicit Sampler(size_t vocab, const sk_sampling& sampling = Sampling()) {
    sk_sampler* out = nullptr;
    detail::check(sk_sampler_new_for_ids(vocab, &sampling, &out));
    handle_.reset(out);
  }
  Sampler(Sampler&&) noexcept = default;
  Sampler& operator=(Sampler&&) noexcept = default;
  Sampler(const Sampler& other) : handle_(clone(other)) {}
  Sampler& operator=(const Sampler& other) {
    if (this != &other) handle_.reset(clone(other));
    return *this;
  }

  int32_t sample(View<float> logits, uint64_t position) {
    int32_t id = 0;
    detail::check(sk_sampler_sample(get(), logits.data(), logits.size(), position, &id));
    return id;
  }
  void accept(int32_t id) { detail::check(sk_sampler_accept(get(), id)); }
  void reset() { detail::check(sk_sampler_reset(get())); }

  sk_sampler* get() { return handle_.get(); }

 private:
  static sk_sampler* clone(const Sampler& other) {
    sk_sampler* out = nullptr;
    detail::check(sk_sampler_clone(other.handle_.get(), &out));
    return out;
  }

  detail::Handle<sk_sampler, sk_sampler_free> handle_{};
};

// A vocabulary by itself.
class Vocabulary {
 public:
  explicit Vocabulary(const std::string& path) {
    sk_vocab* out = nullptr;
    detail::check(sk_vocab_open(path.c_str(), &out));
    handle_.reset(out);
  }
  // The model's.
  explicit Vocabulary(const Model& model) {
    sk_vocab* out = nullptr;
    detail::check(sk_vocab_of(model.get(), &out));
    handle_.reset(out);
  }

  size_t size() const {
    size_t out = 0;
    detail::check(sk_vocab_size(get(), &out));
    return out;
  }
  std::vector<int32_t> tokenize(std::string_view text) const {
    return detail::fetched<std::vector<int32_t>>([&](int32_t* out, size_t capacity, size_t* count) {
      return sk_vocab_tokenize(get(), text.data(), text.size(), out, capacity, count);
    });
  }
  std::string detokenize(Ids ids) const {
    return detail::fetched<std::string>([&](char* out, size_t capacity, size_t* size) {
      return sk_vocab_detokenize(get(), ids.data(), ids.size(), out, capacity, size);
    });
  }
  // The bytes of one id, or a special token's name. They live as long as the vocabulary.
  std::string_view token(int32_t id, bool* special = nullptr) const {
    const char* text = nullptr;
    size_t size = 0;
    int32_t is_special = 0;
    detail::check(sk_vocab_token(get(), id, &text, &size, &is_special));
    if (special) *special = is_special != 0;
    return {text, size};
  }

  const sk_vocab* get() const { return handle_.get(); }

 private:
  detail::Handle<sk_vocab, sk_vocab_free> handle_{};
};

}  // namespace v0
}  // namespace skein

#include "api/border.h"
#include "api/first_version.h"
#include "api/handles.h"
#include "api/sized.h"
#include "base/limits.h"
#include "io/container.h"
#include "run/state_file.h"

using namespace skein;
using namespace skein::api;

namespace {

constexpr std::string_view kName = "the data";  // what messages about an import call them

Result<std::vector<std::byte>> exported(const State& state, int32_t format) {
  SK_TRY_STATUS(check_exportable(state));
  switch (format) {
    case SK_STATE_NATIVE: {
      SK_TRY(const StateFile file, StateFile::make(state, {}, {}));
      return file.bytes();
    }
    case SK_STATE_PTH: return export_pth(state);
    case SK_STATE_TIME_STATE: return export_time_state(state);
    case SK_STATE_F32: {
      SK_TRY(const std::vector<float> values, official_values(state));
      const auto bytes = std::as_bytes(std::span(values));
      return std::vector<std::byte>(bytes.begin(), bytes.end());
    }
    default: return fail(Code::argument, "format {} is none that a state is written in", format);
  }
}

Result<uint64_t> exported_size(const State& state, int32_t format) {
  const StateLayout& layout = state.layout();
  switch (format) {
    case SK_STATE_NATIVE: return state_file_size(state, 0, 0);
    case SK_STATE_PTH: return pth_size(layout);
    case SK_STATE_TIME_STATE: return time_state_size(layout);
    case SK_STATE_F32: return static_cast<uint64_t>(layout.numbers()) * sizeof(float);
    default: return fail(Code::argument, "format {} is none that a state is written in", format);
  }
}

Result<State> from_flat(std::span<const std::byte> bytes,
                        std::shared_ptr<const StateLayout> layout) {
  const size_t expected = static_cast<size_t>(layout->numbers()) * sizeof(float);
  if (bytes.size() != expected)
    return fail(Code::mismatch, "{}: {} bytes, but this model's state has {}", kName, bytes.size(),
                expected);
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return from_official_values(values, std::move(layout), kName);
}

// A file of another program: a list of tensors, or tuned start states.
Result<State> from_tensors(std::span<const std::byte> bytes,
                           std::shared_ptr<const StateLayout> layout, bool list, bool swapped) {
  if (is_saved_state(bytes))
    return fail(Code::unsupported, "{}: a state in Skein's own format, not the one asked for",
                kName);
  SK_TRY(const Container container, io::read_container(bytes, kName));
  if (container.list != list)
    return fail(Code::unsupported, "{}: {}, not {}", kName,
                container.list ? "a list of tensors" : "tensors with names",
                list ? "a list of tensors" : "tuned states");
  return import_state(bytes, kName, std::move(layout), swapped);
}

Result<State> imported(std::span<const std::byte> bytes, int32_t format,
                       std::shared_ptr<const StateLayout> layout) {
  switch (format) {
    case SK_STATE_AUTO: return import_state(bytes, kName, std::move(layout));
    case SK_STATE_NATIVE: {
      SK_TRY(const SavedState saved, parse_saved_state(bytes, kName));
      return to_state(saved, bytes, std::move(layout), kName);
    }
    case SK_STATE_PTH: return from_tensors(bytes, std::move(layout), true, false);
    case SK_STATE_TIME_STATE: return from_tensors(bytes, std::move(layout), false, false);
    case SK_STATE_TIME_STATE_ST: return from_tensors(bytes, std::move(layout), false, true);
    case SK_STATE_F32: return from_flat(bytes, std::move(layout));
    default: return fail(Code::argument, "format {} is none that a state is read from", format);
  }
}

Result<SavedState> parse_native(std::span<const std::byte> bytes) {
  if (!is_saved_state(bytes))
    return fail(Code::unsupported, "{}: no state in Skein's own format", kName);
  return parse_saved_state(bytes, kName);
}

// All of the tokens that the state has read, or none.
Status check_history(const State& state, std::span<const int32_t> tokens) {
  if (tokens.empty()) return {};
  State fresh(state.shared_layout());
  fresh.set_history(0, 0);
  fresh.note(tokens);
  if (fresh.tokens_read() != state.tokens_read() || fresh.tokens_hash() != state.tokens_hash())
    return fail(Code::argument, "these {} tokens are not the {} that the state has read",
                tokens.size(), state.tokens_read());
  return {};
}

Status check_count(const State& state, size_t count) {
  const auto numbers = static_cast<size_t>(state.layout().numbers());
  if (count != numbers)
    return fail(Code::argument, "{} numbers; this state has {}", count, numbers);
  return {};
}

}  // namespace

int32_t sk_state_new(const sk_model* model, sk_state** out) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(model, "model"));
    SK_TRY_STATUS(require(out, "out"));
    SK_TRY(State state, State::make(model->model->state_layout()));
    *out = new sk_state{std::move(state)};
    return {};
  });
}

int32_t sk_state_clone(const sk_state* state, sk_state** out) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(state, "state"));
    SK_TRY_STATUS(require(out, "out"));
    *out = new sk_state(*state);
    return {};
  });
}

void sk_state_free(sk_state* state) { delete state; }

int32_t sk_state_copy(sk_state* to, const sk_state* from) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(to, "to"));
    SK_TRY_STATUS(require(from, "from"));
    if (!to->state.layout().fits(from->state.layout()))
      return fail(Code::mismatch, "the two states belong to different models");
    if (to->state.layout().pool == from->state.layout().pool) {
      to->state = from->state;  // nothing is allocated for what does not grow
      return {};
    }
    SK_TRY(to->state, from->state.copy_into(to->state.shared_layout()));
    return {};
  });
}

int32_t sk_state_reset(sk_state* state) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(state, "state"));
    SK_TRY(state->state, State::make(state->state.shared_layout()));
    return {};
  });
}

int32_t sk_state_info(const sk_state* state, struct sk_state_info* out) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(state, "state"));
    SK_TRY_STATUS(require(out, "out"));
    const State& s = state->state;
    struct sk_state_info value = {};
    value.numbers = static_cast<uint64_t>(s.layout().numbers());
    value.tokens_read = s.tokens_read();
    value.tokens_hash = s.tokens_hash();
    const Digest& fingerprint = s.layout().fingerprint;
    std::memcpy(value.fingerprint, fingerprint.data(), fingerprint.size());
    return write_sized(value, first_version::kStateInfo, "sk_state_info", out);
  });
}

int32_t sk_state_tokens_read(const sk_state* state, uint64_t* count) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(state, "state"));
    SK_TRY_STATUS(require(count, "count"));
    *count = state->state.tokens_read();
    return {};
  });
}

int32_t sk_state_equal(const sk_state* a, const sk_state* b, int32_t* equal) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(a, "the first state"));
    SK_TRY_STATUS(require(b, "the second state"));
    SK_TRY_STATUS(require(equal, "equal"));
    *equal = a->state == b->state ? 1 : 0;
    return {};
  });
}

int32_t sk_state_export(const sk_state* state, int32_t format, void* buf, size_t capacity,
                        size_t* size) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(state, "state"));
    SK_TRY_STATUS(require(size, "size"));
    SK_TRY(const uint64_t needed, exported_size(state->state, format));
    if (!buf || capacity < needed) return hand_over_size(needed, buf, capacity, size, "bytes");
    SK_TRY(const std::vector<std::byte> bytes, exported(state->state, format));
    return hand_over(std::span(bytes), static_cast<std::byte*>(buf), capacity, size, "bytes");
  });
}

int32_t sk_state_save(const sk_state* state, const int32_t* tokens, size_t token_count,
                      const char* text, size_t text_size, void* buf, size_t capacity,
                      size_t* size) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(state, "state"));
    SK_TRY_STATUS(require(size, "size"));
    if (token_count > 0) SK_TRY_STATUS(require(tokens, "tokens"));
    if (text_size > 0) SK_TRY_STATUS(require(text, "text"));
    const std::span ids(tokens, token_count);
    SK_TRY_STATUS(check_history(state->state, ids));
    if (text_size > limits::kStateFileBytes)
      return fail(Code::argument, "a text of {} bytes, at most {} are allowed", text_size,
                  limits::kStateFileBytes);
    const uint64_t needed = state_file_size(state->state, token_count, text_size);
    if (!buf || capacity < needed) return hand_over_size(needed, buf, capacity, size, "bytes");
    SK_TRY_STATUS(check_exportable(state->state));
    SK_TRY(const StateFile file,
           StateFile::make(state->state, ids, {text_size > 0 ? text : "", text_size}));
    auto* at = static_cast<std::byte*>(buf);
    for (const auto piece : file.pieces()) at = std::copy(piece.begin(), piece.end(), at);
    *size = needed;
    return {};
  });
}

int32_t sk_saved_tokens(const void* data, size_t size, int32_t* ids, size_t capacity,
                        size_t* count) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(data, "data"));
    SK_TRY_STATUS(require(count, "count"));
    SK_TRY(const SavedState saved, parse_native({static_cast<const std::byte*>(data), size}));
    return hand_over(std::span(saved.tokens), ids, capacity, count, "ids");
  });
}

int32_t sk_saved_text(const void* data, size_t size, char* text, size_t capacity,
                      size_t* text_size) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(data, "data"));
    SK_TRY_STATUS(require(text_size, "text_size"));
    SK_TRY(const SavedState saved, parse_native({static_cast<const std::byte*>(data), size}));
    return hand_over(std::span<const char>(saved.text), text, capacity, text_size, "bytes");
  });
}

int32_t sk_state_import(const sk_model* model, int32_t format, const void* data, size_t size,
                        sk_state** out) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(model, "model"));
    SK_TRY_STATUS(require(data, "data"));
    SK_TRY_STATUS(require(out, "out"));
    const std::span bytes(static_cast<const std::byte*>(data), size);
    SK_TRY(State state, imported(bytes, format, model->model->state_layout()));
    *out = new sk_state{std::move(state)};
    return {};
  });
}

int32_t sk_state_read(const sk_state* state, float* numbers, size_t count) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(state, "state"));
    SK_TRY_STATUS(require(numbers, "numbers"));
    SK_TRY_STATUS(check_count(state->state, count));
    SK_TRY(const std::vector<float> values, official_values(state->state));
    std::copy(values.begin(), values.end(), numbers);
    return {};
  });
}

int32_t sk_state_write(sk_state* state, const float* numbers, size_t count) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(state, "state"));
    SK_TRY_STATUS(require(numbers, "numbers"));
    SK_TRY_STATUS(check_count(state->state, count));
    SK_TRY(state->state,
           from_official_values({numbers, count}, state->state.shared_layout(), kName));
    return {};
  });
}

#include "store/redis_images.h"

#include "store/framed_image.h"

namespace skein::store {
namespace {

// In which a node is said to have it.
constexpr std::string_view kUnclaimedSeconds = "600";

RedisLink::Options unheard(RedisLink::Options options) {
  options.tells = false;
  return options;
}

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

RedisImages::RedisImages(const RedisLink::Options& options, const std::shared_ptr<RedisNews>& news)
    : read_{{unheard(options), news}, {}}, write_{{unheard(options), news}, {}} {}

std::string RedisImages::key(std::string_view id) const {
  return read_.link.options().prefix + "image:" + std::string(id);
}

Stored<RedisReply> RedisImages::ask(Way& way, std::initializer_list<std::string_view> words) {
  RedisCommands commands;
  commands.add(words);
  const std::lock_guard lock(way.mutex);
  RedisPatience patience = way.link.patience();
  SK_TRY(auto replies, way.link.exchange(commands, patience));
  SK_TRY_STATUS(way.link.judge(replies.back()));
  return std::move(replies.back());
}

Stored<void> RedisImages::put(std::string_view id, std::vector<std::byte> image) {
  const ImageFrame frame = frame_of(id, image);
  std::string framed;
  framed.reserve(frame.head.size() + image.size() + frame.sum.size());
  framed += text_of(frame.head);
  framed += text_of(image);
  framed += text_of(frame.sum);
  SK_TRY_STATUS(ask(write_, {"SET", key(id), framed, "EX", kUnclaimedSeconds}));
  return {};
}

Stored<std::optional<std::vector<std::byte>>> RedisImages::get(std::string_view id) {
  SK_TRY(const RedisReply reply, ask(read_, {"GET", key(id)}));
  if (reply.kind != RedisReply::Kind::text) return std::nullopt;
  const auto bytes = std::as_bytes(std::span(reply.text));
  return image_in({bytes.begin(), bytes.end()}, id);
}

void RedisImages::drop(std::string_view id) { static_cast<void>(ask(write_, {"DEL", key(id)})); }

void RedisImages::tend() {
  static_cast<void>(read_.link.tend());
  static_cast<void>(write_.link.tend());
}

}  // namespace skein::store

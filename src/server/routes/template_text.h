// How a model writes a conversation, as other servers' clients show it: a turn with names in
// braces for what stands in it. The text is the whole of it; nothing else is ever filled in.
#pragma once

#include <string>
#include <string_view>

#include "text/template.h"

namespace skein::server {

// `system` and `user` stand for their texts.
inline std::string template_text(const text::Profile& profile, std::string_view system,
                                 std::string_view user) {
  const text::Message messages[] = {{.role = text::Role::system, .text = std::string(system)},
                                    {.text = std::string(user)}};
  return text::render(profile, messages, text::ThinkMode::none).text;
}

}  // namespace skein::server

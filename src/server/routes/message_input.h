// What a request of Anthropic's API says: its blocks as the messages of a conversation, and the
// places in them where it asks for a state to be kept (cache_control).
#pragma once

#include <set>
#include <span>
#include <string>
#include <vector>

#include "server/fields.h"
#include "text/template.h"

namespace skein::server {

class MessageInput {
 public:
  // `knows_calls`: a result may be of a call that is not in the messages, as behind a state.
  MessageInput(const text::Profile& profile, bool knows_calls)
      : profile_(profile), knows_calls_(knows_calls) {}

  // `system`: a string or blocks; before the messages.
  Asked<void> add_system(const Json& system);
  // `messages`. Errors name the block, "messages[2].content[0].type".
  Asked<void> add(const Json& messages);
  // What stands before the messages, whole: the tools are told of there.
  Asked<void> mark_beginning(const Json& block, const std::string& where);
  // All of it.
  Asked<void> mark_end(const Json& body);

  std::vector<text::Message>& messages() { return messages_; }
  // Bytes of the prompt, which begins as the messages do, after which a state is asked for.
  // `inserted`: messages that were put before them.
  std::vector<size_t> marks(std::string_view prompt, text::ThinkMode think, size_t inserted) const;

 private:
  struct Mark {
    size_t message = 0;
    size_t bytes = std::string::npos;  // of its text; npos: all of it
  };

  Asked<bool> is_marked(const Json& block, const std::string& where);
  Asked<void> add_message(const Json& message, const std::string& where);
  Asked<void> add_blocks(text::Role role, const Json& content, const std::string& where);
  Asked<void> add_block(text::Role role, const Json& block, const std::string& where);
  Asked<void> add_result(const Json& block, const std::string& where);
  Asked<void> add_call(const Json& block, const std::string& where);
  void say(text::Role role, std::string_view text);

  const text::Profile& profile_;
  const bool knows_calls_;
  std::vector<text::Message> messages_;
  bool begun_ = false;                        // the last message is of the turn that is being read
  std::set<std::string, std::less<>> calls_;  // ids
  std::vector<Mark> marks_;
  size_t marked_ = 0;  // blocks
};

// A text block's text, or a document's where it is one. `where` names the block.
Asked<std::string> read_text_block(const Json& block, const std::string& where);

}  // namespace skein::server

// Functions that a model may call: how it is told of them, how a call is written, and a call read
// from an answer as it comes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "text/profile.h"

namespace skein::text {

struct Tool {
  std::string name;
  std::string description = {};
  Json parameters = {};  // a JSON Schema; false: there are none
};

// A call is `trigger`, `before_name`, the name as a JSON string, `before_arguments`, the arguments
// as a JSON value, and `end`; between two calls stands `between`. A text that has the trigger in it
// goes on as a call.
struct CallForm {
  std::string_view trigger, before_name, before_arguments, end, between;
};
const CallForm& call_form(const Profile& profile);

// What stands in the system text: the functions, and how to call one. `must_call`: nothing but a
// call is wanted. RWKV's own models know functions as `name(argument: type, ...)`.
std::string render_tools(const Profile& profile, std::span<const Tool> tools, bool must_call);

// What an answer says that calls a function; `arguments` is JSON already.
std::string render_call(const CallForm& form, std::string_view name, std::string_view arguments);
inline std::string render_call(const Profile& profile, std::string_view name,
                               std::string_view arguments) {
  return render_call(call_form(profile), name, arguments);
}

// Calls in an answer, told apart from its text while it comes. Whoever constrains the answer sees
// to it that what follows a trigger is a call.
class CallReader {
 public:
  struct Piece {
    enum class Kind : uint8_t {
      text,       // of the answer, to be shown now
      call,       // one begins: its name
      arguments,  // some of its arguments' JSON
      end,        // it is whole
    };
    Kind kind = Kind::text;
    std::string text;
  };

  // The form outlives this: those of call_form() always do.
  explicit CallReader(const CallForm& form) : form_(&form) {}

  // What the next bytes of the answer bring. Text that may be the beginning of a trigger is held
  // back, and so are the blanks before a call.
  std::vector<Piece> push(std::string_view bytes);
  // The answer has ended: what was held back is shown after all, unless a call came before it.
  std::vector<Piece> finish();

  size_t calls() const { return calls_; }  // begun
  bool inside() const { return at_ != At::text; }

 private:
  enum class At : uint8_t { text, before_name, name, before_arguments, arguments, end };

  void take(char c, std::vector<Piece>& out);
  void take_text(char c, std::vector<Piece>& out);
  void take_argument(char c, std::vector<Piece>& out);
  bool is_through(std::string_view literal);

  const CallForm* form_;
  At at_ = At::text;
  size_t passed_ = 0;  // bytes of the literal that stands here
  std::string held_;   // of a text that may be a trigger, or a name
  size_t calls_ = 0;
  int64_t depth_ = 0;       // of brackets in the arguments
  bool in_string_ = false;  // of a name or an argument
  bool escaped_ = false;
};

}  // namespace skein::text

#include "server/names.h"

#include <algorithm>

namespace skein::server {
namespace {

constexpr size_t kNameBytes = 64;

// A profile only points to its words.
struct Named {
  std::string user, assistant, system;
  std::vector<std::string_view> role_words;
  text::Profile profile;
};

// A turn begins with it, so it must not look like the end of one, or like more than a name.
bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= kNameBytes &&
         std::none_of(name.begin(), name.end(),
                      [](char c) { return (c >= '\0' && c < ' ') || c == ':' || c == '\x7f'; }) &&
         name.front() != ' ' && name.back() != ' ';
}

void take(Fields& fields, std::string_view param, const Json& value, std::string& name) {
  if (!value || value.is_null()) return;
  const auto text = value.string();
  if (!text || !is_name(*text))
    return fields.refuse(param, fmt::format("a name has to be 1 to {} bytes on one line, without "
                                            "a colon",
                                            kNameBytes));
  name = *text;
}

}  // namespace

std::shared_ptr<const text::Profile> read_names(const text::Profile& wording, Fields& fields) {
  const auto named = std::make_shared<Named>();
  if (const Json names = fields.find("names")) {
    if (!names.object()) fields.refuse("names", "names has to be an object of roles and names");
    for (const auto& [role, name] : names.object()) {
      const std::string param = "names." + escaped(role, 40);
      if (role == "user" || role == "User")
        take(fields, param, name, named->user);
      else if (role == "assistant" || role == "Assistant")
        take(fields, param, name, named->assistant);
      else if (role == "system" || role == "System")
        take(fields, param, name, named->system);
    }
  }
  take(fields, "user_name", fields.find("user_name"), named->user);
  take(fields, "assistant_name", fields.find("assistant_name"), named->assistant);
  if (fields.error() || (named->user.empty() && named->assistant.empty() && named->system.empty()))
    return nullptr;
  text::Profile& profile = named->profile;
  profile = wording;
  if (!profile.has_template()) return nullptr;
  if (!named->user.empty()) profile.user = named->user;
  if (!named->assistant.empty()) profile.assistant = named->assistant;
  if (!named->system.empty()) profile.system = named->system;
  named->role_words.assign(wording.role_words.begin(), wording.role_words.end());
  for (const std::string* name : {&named->user, &named->assistant, &named->system})
    if (!name->empty()) named->role_words.push_back(*name);
  profile.role_words = named->role_words;
  return {named, &named->profile};
}

Served with_wording(const Served& served, const std::shared_ptr<const text::Profile>& wording) {
  Served out = served;
  if (wording) out.wording = wording.get();
  return out;
}

}  // namespace skein::server

#include "hub/redirects.h"

#include <utility>

namespace skein::hub {
namespace {
constexpr int kMost = 10;

bool tells(const Answer& answer) { return !answer.header("x-linked-etag").empty(); }

}  // namespace

Result<Answers> get_following(Http& http, Request request,
                              const std::function<Status(const Answers&)>& begin,
                              const std::function<Result<bool>(std::span<const std::byte>)>& take) {
  SK_TRY(Address at, http.address(request.url));
  SK_TRY_STATUS(check_address(at));
  const Address origin = at;
  const std::string token = request.token;
  Answers answers;
  const auto note = [&](const Answer& answer) {
    if (at == origin && (tells(answer) || !tells(answers.hub))) answers.hub = answer;
    answers.last = answer;
  };
  for (int hop = 0; hop <= kMost; ++hop) {
    request.token = at == origin ? token : std::string();
    const auto begin_here = [&](const Answer& answer) {
      note(answer);
      return begin(answers);
    };
    SK_TRY(const Answer answer, http.get(request, begin_here, take));
    note(answer);
    if (!answers.last.is_redirect()) return answers;
    const auto to = http.address(answers.last.location);
    if (!to)
      return fail(Code::network, "{} sends us to {}, which is no address", at.shown(),
                  escaped(answers.last.location));
    SK_TRY_STATUS(check_redirect(at, *to));
    at = *to;
    request.url = answers.last.location;
  }
  return fail(Code::network, "{} sends us on and on, {} times", origin.shown(), kMost);
}

}  // namespace skein::hub

// A request that goes where the answers send it.
#pragma once

#include "hub/http.h"

namespace skein::hub {

// What was heard on the way: of the host that was asked the last answer, or that in which a hub
// says what the file is (X-Linked-ETag), and the last of all, which may be the same one. Another
// host's word about the file is none.
struct Answers {
  Answer hub, last;
};

// At most ten redirects, each to an address that check_redirect() lets pass. The token is heard by
// the origin of `request.url` alone. `begin` and `take` as in Http::get(). Errors: those of it;
// network (too many redirects, or one that is refused); argument (the first address).
Result<Answers> get_following(Http& http, Request request,
                              const std::function<Status(const Answers&)>& begin,
                              const std::function<Result<bool>(std::span<const std::byte>)>& take);

}  // namespace skein::hub

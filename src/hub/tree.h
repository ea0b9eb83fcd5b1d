// What files a repository of the hub has.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hub/http.h"
#include "hub/source.h"

namespace skein::hub {

struct RemoteFile {
  std::string path;
  uint64_t bytes = 0;
};

// Those that may be models, by their endings, in the hub's order; of very many the first thousand.
// Errors: network, and those of get_following().
Result<std::vector<RemoteFile>> model_files(Http& http, std::string_view endpoint,
                                            const Repository& repository, const std::string& token);

// What an answer that is no success means for whoever asked for this. Error: network, always.
// `place`: the host, with the repository if there is one.
tl::unexpected<Error> refusal(const Answer& answer, const std::string& place,
                              const std::string& what, bool with_token);

}  // namespace skein::hub

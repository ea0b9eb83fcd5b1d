#include "hub/tree.h"

#include <utility>

#include "base/json.h"
#include "base/limits.h"
#include "hub/redirects.h"
#include "io/model_endings.h"

namespace skein::hub {
tl::unexpected<Error> refusal(const Answer& answer, const std::string& place,
                              const std::string& what, bool with_token) {
  const std::string_view kind = answer.header("x-error-code");
  if (kind == "GatedRepo")
    return fail(
        Code::network, "{}: its owner wants terms to be accepted first: do so on https://{} and {}",
        place, place,
        with_token ? "use the token of who did (HF_TOKEN)" : "put a token of yours into HF_TOKEN");
  if (kind == "RepoNotFound" || (kind.empty() && answer.status == 401))
    return fail(Code::network, "{}: there is no such repository, or it is private{}", place,
                with_token ? "" : " (a token in HF_TOKEN opens those of yours)");
  if (kind == "RevisionNotFound") return fail(Code::network, "{}: has no such revision", place);
  switch (answer.status) {
    case 401:
    case 403:
      return fail(Code::network, "{}: refuses {} ({}{})", place, what, answer.status,
                  with_token ? "" : "; a token in HF_TOKEN may help");
    case 404: return fail(Code::network, "{}: has no {}", place, what);
    case 429: return fail(Code::network, "{}: has been asked too often; try again later", place);
    default:
      return fail(Code::network, "{}: answers {} when asked for {}", place, answer.status, what);
  }
}

Result<std::vector<RemoteFile>> model_files(Http& http, std::string_view endpoint,
                                            const Repository& repository,
                                            const std::string& token) {
  Request request;
  request.url = tree_url(endpoint, repository);
  request.token = token;
  std::string text;
  const auto begin = [](const Answers&) { return Status(); };
  const auto take = [&](std::span<const std::byte> bytes) -> Result<bool> {
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (text.size() > limits::kFolderJsonBytes)
      return fail(Code::network, "{}: sends a list of more than {} bytes", repository.name,
                  limits::kFolderJsonBytes);
    return true;
  };
  SK_TRY(const Address host, http.address(request.url));
  SK_TRY(const Answers answers, get_following(http, request, begin, take));
  if (!answers.last.is_success())
    return refusal(answers.last, host.shown() + "/" + repository.name, "list of files",
                   !token.empty());
  const auto json = parse_json(text, limits::kFolderJsonBytes);
  if (!json || !json->array())
    return fail(Code::network, "{}: the list of its files cannot be read", repository.name);
  std::vector<RemoteFile> out;
  for (const Json entry : json->array()) {
    const auto type = entry.find("type").string();
    const auto path = entry.find("path").string();
    int64_t size = 0;
    if (!type || *type != "file" || !path || io::model_ending(*path).empty()) continue;
    if (!entry.find("size").integer(size) || size < 0) size = 0;
    out.push_back({std::string(*path), static_cast<uint64_t>(size)});
  }
  return out;
}

}  // namespace skein::hub

// How long masks take. Reads JSON texts token by token under a grammar of JSON, twice over one
// constraint: each place's first mask is made, the second is found. All times are
// one thread's processor time, half a microsecond of which goes to asking for it.
//
//   build/constrain_bench VOCABULARY [FILES]   a text in each file; without files, one of its own
#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <vector>

#include "base/file.h"
#include "constrain/json_grammar.h"
#include "constrain/matcher.h"
#include "constrain/times.h"

namespace skein::constrain {
namespace {

using test::Times;

std::string sample() {
  return R"({"name": "Ada Lovelace", "born": 1815, "tags": ["mathematics", "poetry", "engines"],
 "address": {"street": "12 St James's Square", "city": "London", "rooms": [3, 4.25, -1, true, null]},
 "notes": "She wrote \"notes\" on the engine,\nlonger than the paper itself. \u00c9t\u00e9, 東京, 😀."})";
}

struct Run {
  Times compile, first_mask, warm_mask, first_accept, warm_accept;

  Status pass(Matcher matcher, const std::vector<int32_t>& ids, Times& masks, Times& accepts) {
    for (const int32_t id : ids) {
      SK_TRY(const MaskPtr mask, masks.measure([&] { return matcher.mask(); }));
      if (!mask->ids[id]) break;
      SK_TRY(const bool read, accepts.measure([&] { return matcher.accept(id); }));
      if (!read) return fail(Code::internal, "a word of the mask was not accepted");
    }
    return {};
  }

  Status text(const std::string& text, const std::shared_ptr<const Words>& words) {
    SK_TRY(const std::vector<int32_t> ids, words->tokenizer().encode(text));
    auto constraint =
        compile.measure([&] { return Constraint::make(test::json_grammar(), words); });
    if (!constraint) return fail(Code::internal, "{}", constraint.error()[0].message);
    SK_TRY_STATUS(pass(Matcher(*constraint), ids, first_mask, first_accept));
    return pass(Matcher(*constraint), ids, warm_mask, warm_accept);
  }
};

Status bench(int count, char** arguments) {
  if (count < 2) return fail(Code::argument, "usage: constrain_bench VOCABULARY [FILES]");
  SK_TRY(const File file, File::map(arguments[1]));
  SK_TRY(auto tokenizer, text::open_tokenizer(file.bytes(), file.name()));
  Times load;
  const auto words =
      load.measure([&] { return std::make_shared<const Words>(std::move(tokenizer)); });
  Run run;
  if (count == 2) SK_TRY_STATUS(run.text(sample(), words));
  for (int n = 2; n < count; ++n) {
    SK_TRY(const File text, File::map(arguments[n]));
    const auto bytes = text.bytes();
    SK_TRY_STATUS(
        run.text(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()), words));
  }
  fmt::print("{} words, {:.1f} MB\n", words->size(),
             static_cast<double>(words->bytes_held()) / 1e6);
  load.print("words and slices");
  run.compile.print("compile");
  run.first_mask.print("mask, first visit");
  run.warm_mask.print("mask, warm");
  run.first_accept.print("accept, first visit");
  run.warm_accept.print("accept, warm");
  return {};
}

}  // namespace
}  // namespace skein::constrain

int main(int count, char** arguments) {
  const skein::Status status = skein::constrain::bench(count, arguments);
  if (!status) fmt::print(stderr, "constrain_bench: {}\n", status.error().message);
  return status ? 0 : 1;
}

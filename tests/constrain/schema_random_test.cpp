#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "constrain/matcher.h"
#include "constrain/random_grammar.h"
#include "constrain/random_schema.h"
#include "constrain/schema.h"
#include "constrain/schema_validator.h"
#include "support/thorough.h"

namespace skein::constrain {
namespace {

constexpr size_t kMostBytes = 3000;

struct Drawn {
  std::string text;
  bool whole = false;  // or too long, and so cut
};

// Draws ids of the mask, each as likely as the others, until the end is drawn.
Drawn draw(const ConstraintPtr& constraint, std::mt19937& random) {
  Matcher matcher(constraint);
  for (;;) {
    const auto mask = matcher.mask();
    const auto can_end = matcher.can_end();
    if (!mask || !can_end) {
      ADD_FAILURE() << "an answer could not go on: " << matcher.text();
      return {};
    }
    std::vector<int32_t> ids;
    for (int32_t id = 0; id < constraint->words().size(); ++id)
      if ((**mask).ids[id]) ids.push_back(id);
    const bool ends = *can_end;
    EXPECT_TRUE(ends || !ids.empty()) << "a dead end after " << matcher.text();
    if (ids.empty() || (ends && random() % (ids.size() + 1) == 0))
      return {std::string(matcher.text()), ends};
    if (matcher.text().size() > kMostBytes) return {std::string(matcher.text()), false};
    const auto read = matcher.accept(ids[random() % ids.size()]);
    EXPECT_TRUE(read && *read);
  }
}

TEST(RandomSchemas, every_answer_drawn_under_the_mask_is_valid) {
  const uint32_t schemas = skein::test::thorough() ? 2000 : 150;
  const int answers = skein::test::thorough() ? 10 : 4;
  size_t accepted = 0;
  size_t whole = 0;
  std::ofstream out;  // for judges of others: a line of {schema, answers} for each
  if (const char* path = getenv("SKEIN_ANSWERS")) out.open(path);
  for (uint32_t seed = 1; seed <= schemas; ++seed) {
    const std::string schema = test::RandomSchema(seed).text();
    SchemaOptions options;
    options.open_objects = seed % 2 == 0;
    options.blanks = static_cast<JsonBlanks>(seed % 3);
    Grammar grammar;
    const auto term = add_schema(grammar, schema, options);
    if (!term) continue;
    grammar.root = *term;
    auto constraint = Constraint::make(std::move(grammar), test::small_words());
    if (!constraint) {
      EXPECT_EQ(constraint.error().front().code, "unsatisfiable") << schema;
      continue;
    }
    ++accepted;
    test::Validator validator(*parse_json(schema, 1 << 20));
    std::mt19937 random(seed);
    std::string list;
    for (int i = 0; i < answers; ++i) {
      const Drawn drawn = draw(*constraint, random);
      if (!drawn.whole) continue;
      ++whole;
      // A name that is drawn twice is the reader's last, which parse_json() has none of.
      const auto value = parse_json(drawn.text, 1 << 20);
      if (!value && value.error().message.find("stands twice") != std::string::npos) continue;
      ASSERT_TRUE(value) << value.error().message << "\n" << schema << "\n" << drawn.text;
      EXPECT_TRUE(validator.valid(*value)) << "seed " << seed << "\n"
                                           << schema << "\n"
                                           << drawn.text;
      std::string line = drawn.text;
      for (char& c : line)
        if (c == '\n' || c == '\r') c = ' ';
      list += (list.empty() ? "" : ",") + line;
    }
    if (out.is_open()) out << "{\"schema\":" << schema << ",\"answers\":[" << list << "]}\n";
    if (testing::Test::HasFailure()) break;
  }
  EXPECT_GT(accepted, schemas / 2);
  EXPECT_GT(whole, accepted);
  RecordProperty("accepted", static_cast<int>(accepted));
}

}  // namespace
}  // namespace skein::constrain

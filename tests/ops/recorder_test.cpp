#include "ops/recorder.h"

#include <gtest/gtest.h>

#include "op_program.h"

namespace skein {
namespace {

using test::OpProgram;

TEST(Recorder, tables_are_read_first_wherever_they_were_recorded) {
  OpProgram p(1);
  const ops::Var a = p.recorder.unary("a", p.input(4), ops::Unary::tanh);
  p.finish(a - p.input(4));
  ASSERT_EQ(p.program.ops.size(), 6u);
  EXPECT_EQ(p.program.ops[0].kind, ops::OpKind::rows);
  EXPECT_EQ(p.program.ops[1].kind, ops::OpKind::rows);
  EXPECT_EQ(p.program.ops[2].kind, ops::OpKind::unary);
  EXPECT_EQ(p.program.ops[3].kind, ops::OpKind::sub);
  EXPECT_EQ(p.program.ops[3].in[0], a.id());
}

TEST(Recorder, widths_follow_from_the_operands) {
  OpProgram p(2);
  const ops::Var x = p.input(6), m = p.input(24);
  EXPECT_EQ(p.recorder.repeat_heads("heads", x, 2, 8).width(), 24);
  EXPECT_EQ(p.recorder.token_matmul("product", x, m).width(), 4);
  EXPECT_EQ(p.recorder.rms_norm("rms", x, p.vector(6), 1e-6f).width(), 6);
  EXPECT_EQ((x - x).width(), 6);
}

TEST(RecorderDeathTest, wrong_shapes_do_not_pass) {
  OpProgram p(3);
  ops::Recorder& b = p.recorder;
  const ops::Var k = p.input(4), wide = p.input(6);
  const ops::Weight w = p.vector(4);
  const auto aa = b.slot("aa", 4), bb = b.slot("bb", 4);
  b.slot("pp", 5);
  const auto kv = b.slot("kv", 8);
  EXPECT_DEATH(b.wkv4("y", k, k, w, w, aa), "wkv4");  // pp has another size
  EXPECT_DEATH(b.wkv4("y", k, wide, w, w, aa), "wkv4");
  EXPECT_DEATH(b.wkv4("y", k, k, w, w, kv), "wkv4");  // there are no three slots from there on
  EXPECT_DEATH(b.wkv6("y", k, k, k, w, w, bb, 2), "wkv6");  // two heads of 2 x 2 need 8
  EXPECT_DEATH(b.wkv6("y", k, k, wide, w, w, kv, 2), "wkv6");
  EXPECT_DEATH(b.wkv6("y", k, k, k, wide, w, kv, 2), "wkv6");
  EXPECT_DEATH(b.wkv6("y", k, k, k, {}, w, kv, 2), "wkv6");  // only u may be left out
  EXPECT_DEATH(b.wkv7("y", k, k, k, k, k, wide, kv, 2), "wkv7");
  EXPECT_DEATH(b.bonus("y", k, k, wide, w, 2), "bonus");
  EXPECT_DEATH(b.bonus("y", k, k, k, w, 3), "bonus");
  EXPECT_DEATH(b.repeat_heads("y", k, 3, 6), "repeat_heads");
  EXPECT_DEATH(b.repeat_heads("y", k, 2, 5), "repeat_heads");
  EXPECT_DEATH(b.token_matmul("y", k, wide), "token_matmul");
  EXPECT_DEATH(b.token_matmul("y", k, k, 3), "token_matmul");
  EXPECT_DEATH(b.rms_norm("y", wide, w, 1e-6f), "rms_norm");
  EXPECT_DEATH(b.lerp("y", k, wide, w), "lerp");
  EXPECT_DEATH(b.linear("y", k, w, ops::Unary::none, p.vector(6)), "linear");
  EXPECT_DEATH(b.shift("y", wide, aa), "shift");
}

}  // namespace
}  // namespace skein

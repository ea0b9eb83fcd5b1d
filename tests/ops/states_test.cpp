// States in this process's memory: what copies share, what they do not, and who counts it.
#include "ops/states.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <thread>

#include "ops/host_states.h"
#include "support/random.h"
#include "tensor/slabs.h"

namespace skein::ops {
namespace {

std::span<const std::byte> bytes_of(const std::vector<int32_t>& numbers) {
  return std::as_bytes(std::span(numbers));
}

// A fixed slot, and two that grow: rows of one number, and rows so wide that few fill a page.
std::vector<Slot> slots() {
  return {{.name = "x", .size = 600'000, .offset = 0},
          {.name = "ids", .size = 1, .type = DType::i32, .growth = Growth::growing},
          {.name = "keys", .size = 5000, .type = DType::i32, .growth = Growth::growing},
          {.name = "y", .size = 7, .offset = 2'400'000}};
}

std::vector<int32_t> row(int32_t number, int64_t width) {
  std::vector<int32_t> out(static_cast<size_t>(width));
  for (size_t i = 0; i < out.size(); ++i) out[i] = number * 31 + static_cast<int32_t>(i);
  return out;
}

// What a state should hold: the numbers its rows were made from, and one fixed number.
struct Model {
  float fixed = 0;
  std::vector<int32_t> rows;
};

void append(DeviceState& state, Model& model, int32_t number) {
  ASSERT_TRUE(state.reserve(1));
  ASSERT_TRUE(state.append_rows(1, bytes_of(row(number, 1))));
  ASSERT_TRUE(state.append_rows(2, bytes_of(row(number, 5000))));
  const std::vector<float> y(7, static_cast<float>(number));
  ASSERT_TRUE(state.write(3, std::as_bytes(std::span(y))));
  model.rows.push_back(number);
  model.fixed = static_cast<float>(number);
}

void expect_holds(const DeviceState& state, const Model& model) {
  std::vector<float> y(7);
  ASSERT_TRUE(state.read(3, std::as_writable_bytes(std::span(y))));
  EXPECT_EQ(y, std::vector<float>(7, model.fixed));
  for (const SlotId slot : {1, 2}) {
    const int64_t width = slot == 1 ? 1 : 5000;
    ASSERT_EQ(state.rows(slot), static_cast<int64_t>(model.rows.size()));
    std::vector<int32_t> all(model.rows.size() * static_cast<size_t>(width)), expected;
    ASSERT_TRUE(state.read_rows(slot, 0, std::as_writable_bytes(std::span(all))));
    for (const int32_t number : model.rows) {
      const auto one = row(number, width);
      expected.insert(expected.end(), one.begin(), one.end());
    }
    EXPECT_TRUE(all == expected) << "slot " << slot;
  }
}

TEST(HostStates, a_fresh_one_is_zeros_without_rows_also_where_another_was) {
  const auto pool = HostStates::of(slots());
  for (int round = 0; round < 2; ++round) {
    const auto state = pool->make();
    ASSERT_TRUE(state);
    expect_holds(**state, {});
    Model model;
    append(**state, model, 5);
  }
}

// Copies of copies that are continued, replaced and ended in any order hold what they should.
TEST(HostStates, forks_hold_what_separate_states_would) {
  const auto pool = HostStates::of(slots());
  test::Random random(3);
  std::vector<std::unique_ptr<DeviceState>> states;
  std::vector<Model> models;
  for (int step = 0; step < 1500; ++step) {
    const size_t one = states.empty() ? 0 : random.below(states.size());
    switch (states.empty() ? 0 : random.below(8)) {
      case 0: {
        auto made = pool->make();
        ASSERT_TRUE(made);
        states.push_back(std::move(*made));
        models.emplace_back();
        break;
      }
      case 1: {
        auto copy = pool->copy(*states[one]);
        ASSERT_TRUE(copy);
        states.push_back(std::move(*copy));
        models.push_back(models[one]);
        break;
      }
      case 2: {
        const size_t from = random.below(states.size());
        ASSERT_TRUE(states[one]->copy_from(*states[from]));
        models[one] = models[from];
        break;
      }
      case 3:
        if (states.size() < 5) break;
        states.erase(states.begin() + static_cast<ptrdiff_t>(one));
        models.erase(models.begin() + static_cast<ptrdiff_t>(one));
        break;
      default: append(*states[one], models[one], step);
    }
    if (step % 50 == 0)
      for (size_t i = 0; i < states.size(); ++i) expect_holds(*states[i], models[i]);
  }
  for (size_t i = 0; i < states.size(); ++i) expect_holds(*states[i], models[i]);
  EXPECT_EQ(pool->usage().states, static_cast<int64_t>(states.size()));
  states.clear();
  EXPECT_EQ(pool->usage().states, 0);
  EXPECT_EQ(pool->usage().bytes, 0);
}

TEST(HostStates, a_fork_takes_the_fixed_slots_and_less_than_a_page_of_what_grew) {
  const auto pool = HostStates::of(slots());
  const auto state = pool->make();
  ASSERT_TRUE(state);
  Model model;
  for (int32_t i = 0; i < 100; ++i) append(**state, model, i);
  const int64_t before = pool->usage().bytes;
  EXPECT_GT(before, pool->bytes_each() + 100 * 5001 * 4);
  std::vector<std::unique_ptr<DeviceState>> forks;
  for (int i = 0; i < 10; ++i) {
    auto fork = pool->copy(**state);
    ASSERT_TRUE(fork);
    forks.push_back(std::move(*fork));
  }
  EXPECT_EQ(pool->usage().bytes, before + 10 * pool->bytes_each());
  Model longer = model;
  append(*forks[0], longer, 1000);
  EXPECT_LE(pool->usage().bytes, before + 10 * pool->bytes_each() + 2 * (64 << 10));
  expect_holds(*forks[0], longer);
  expect_holds(*forks[1], model);
  // Going back gives the pages behind it up.
  ASSERT_TRUE((*state)->copy_from(*pool->make().value()));
  forks.clear();
  EXPECT_EQ(pool->usage().bytes, pool->bytes_each());
}

TEST(HostStates, the_bound_is_of_all_of_them_and_what_is_alive_goes_on) {
  const auto pool = HostStates::of(slots());
  const auto state = pool->make();
  ASSERT_TRUE(state);
  pool->bound(2 * pool->bytes_each());
  {
    const auto second = pool->make();
    ASSERT_TRUE(second);
    const auto third = pool->copy(**state);
    ASSERT_FALSE(third);
    EXPECT_EQ(third.error().code, Code::memory);
    const Status row = (*second)->reserve(1);
    ASSERT_FALSE(row);
    EXPECT_EQ(row.error().code, Code::memory);
    EXPECT_TRUE((*second)->copy_from(**state));
  }
  EXPECT_TRUE(pool->make());
  pool->bound(0);
  const auto second = pool->make(), third = pool->make();
  EXPECT_TRUE(second && third);
}

TEST(HostStates, numbers_that_are_none_are_found_in_fixed_slots_and_rows) {
  const auto pool = HostStates::of(
      std::vector<Slot>{{.name = "x", .size = 3, .offset = 0},
                        {.name = "keys", .size = 2, .growth = Growth::growing},
                        {.name = "ids", .size = 1, .type = DType::i32, .growth = Growth::growing}});
  const auto state = pool->make();
  ASSERT_TRUE(state);
  const float fine[] = {1, 2, 3, 4}, bad[] = {1, INFINITY, 2};
  const int32_t looks_bad = -1;
  ASSERT_TRUE((*state)->append_rows(1, std::as_bytes(std::span(fine))));
  ASSERT_TRUE((*state)->append_rows(2, std::as_bytes(std::span(&looks_bad, 1))));
  EXPECT_TRUE((*state)->all_finite().value());
  const auto copy = pool->copy(**state);
  ASSERT_TRUE(copy);
  ASSERT_TRUE((*state)->write(0, std::as_bytes(std::span(bad))));
  EXPECT_FALSE((*state)->all_finite().value());
  EXPECT_TRUE((*copy)->all_finite().value());
  ASSERT_TRUE((*copy)->append_rows(1, std::as_bytes(std::span(bad)).first(8)));
  EXPECT_FALSE((*copy)->all_finite().value());
}

// Each thread goes on from a copy of one state, while others do and end theirs.
TEST(HostStates, threads_copy_and_continue_what_they_share) {
  const auto pool = HostStates::of(slots());
  const auto shared = pool->make();
  ASSERT_TRUE(shared);
  Model start;
  for (int32_t i = 0; i < 5; ++i) append(**shared, start, i);
  std::vector<std::unique_ptr<DeviceState>> own;
  for (int i = 0; i < 4; ++i) own.push_back(std::move(*pool->copy(**shared)));
  std::vector<std::thread> threads;
  for (int32_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      Model model = start;
      for (int32_t i = 0; i < 20; ++i) {
        append(*own[static_cast<size_t>(t)], model, 1000 * t + i);
        auto fork = pool->copy(*own[static_cast<size_t>(t)]);
        ASSERT_TRUE(fork);
        Model forked = model;
        append(**fork, forked, -i);
        expect_holds(**fork, forked);
      }
      expect_holds(*own[static_cast<size_t>(t)], model);
    });
  for (std::thread& thread : threads) thread.join();
  expect_holds(**shared, start);
}

// The child has another thread's place in the middle of a change, or its blocks for good. What it
// ends there ends quietly.
TEST(Slabs, a_forked_child_ends_what_a_thread_of_its_parent_was_using) {
  auto slabs = std::make_unique<Slabs>(1000);
  std::atomic<bool> stop = false;
  std::thread busy([&] {
    while (!stop)
      if (const auto block = slabs->take()) slabs->give(*block);
  });
  const auto mine = slabs->take();
  ASSERT_TRUE(mine);
  for (int i = 0; i < 100; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      slabs->give(*mine);
      slabs.reset();
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  stop = true;
  busy.join();
  slabs->give(*mine);
}

TEST(Slabs, blocks_are_apart_aligned_and_used_again) {
  Slabs slabs(100);
  EXPECT_EQ(slabs.block_bytes(), 128u);
  std::vector<std::byte*> blocks;
  for (int i = 0; i < 300; ++i) {
    const auto block = slabs.take();
    ASSERT_TRUE(block);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(*block) % 64, 0u);
    std::fill_n(*block, slabs.block_bytes(), static_cast<std::byte>(i));
    blocks.push_back(*block);
  }
  for (size_t i = 0; i < blocks.size(); ++i)
    EXPECT_TRUE(std::all_of(blocks[i], blocks[i] + slabs.block_bytes(),
                            [&](std::byte b) { return b == static_cast<std::byte>(i); }));
  const size_t most = slabs.mapped_bytes();
  for (std::byte* block : blocks) slabs.give(block);
  EXPECT_LE(slabs.mapped_bytes(), most / 4) << "one slab stays";
  const auto again = slabs.take();
  ASSERT_TRUE(again);
  EXPECT_LE(slabs.mapped_bytes(), most / 4);
  slabs.give(*again);
}

TEST(Slabs, a_block_larger_than_a_slab_is_one) {
  Slabs slabs(size_t{70} << 20);
  const auto one = slabs.take(), two = slabs.take();
  ASSERT_TRUE(one && two);
  EXPECT_GE(slabs.mapped_bytes(), size_t{140} << 20);
  slabs.give(*one);
  slabs.give(*two);
  EXPECT_LE(slabs.mapped_bytes(), size_t{72} << 20);
}

}  // namespace
}  // namespace skein::ops

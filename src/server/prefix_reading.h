// Reads the rest of a prompt whose beginning somebody has read, and leaves states where others may
// begin.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <vector>

#include "run/task.h"
#include "server/prefix_states.h"

namespace skein::server {

// A task of an engine. Afterwards the session has the logits of what comes next. All but the calls
// of Task belong to the thread that steps the engine, between two steps.
class PrefixReading final : public Task {
 public:
  // The session has read the first `begin` of `ids`. `states`: where states are kept, at `marks`
  // and at the end; null: nowhere.
  PrefixReading(Session& session, std::span<const int32_t> ids, size_t begin, Start start,
                std::vector<size_t> marks, PrefixStates* states);

  const Status& status() const { return status_; }
  std::span<const int32_t> ids() const { return ids_; }
  const Start& start() const { return start_; }
  size_t read_count() const { return read_; }
  size_t fresh_count() const { return read_ - begin_; }  // of those, by this

  // Keeps the state after so many tokens for somebody who waits, until he takes it or waits no
  // more. False: it is past them.
  bool share(size_t at);
  // Once for each share(): the state there, or where it was left before that. Null: there is none,
  // or there was no memory for it.
  StateTree::Found take_share(size_t at) noexcept;
  // Whoever steps it no more, for now or for ever, leaves what it came to for others.
  // `for_ever`: the session's state may go with it.
  void leave(bool for_ever) noexcept;
  // It goes on.
  void resume() { left_ = {}; }

  Next next(Scratch& scratch) override;
  Reading reading() override;
  Next took(Done done, Scratch& scratch) override;
  void abandon() noexcept override { status_ = no_memory(); }

 private:
  size_t next_stop() const;
  void keep_here();

  Session* session_;
  const std::vector<int32_t> ids_;
  const Start start_;
  PrefixStates* const states_;
  struct Share {
    StateTree::Kept kept;
    size_t waiting = 0;
  };
  std::vector<size_t> marks_;       // ascending
  std::map<size_t, Share> shares_;  // by tokens
  StateTree::Found left_;           // for those whose share is not there yet
  const size_t begin_;
  size_t read_;
  Status status_;
};

// Where a prompt that is read from `begin` on should leave states: at those of `wanted` that lie
// apart, and at marks that stand further apart the further they are from its beginning, so that a
// change high up costs little.
std::vector<size_t> choose_marks(size_t begin, size_t end, std::vector<size_t> wanted);

}  // namespace skein::server

// Makes nodes of a request's prompt and of its answers: they have ids before the first token, grow
// while the answer does, and stay when its client leaves in the middle.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "server/history.h"
#include "server/workers.h"

namespace skein::server {

class TurnKeeper : public std::enable_shared_from_this<TurnKeeper> {
 public:
  // `prompt`: tokens behind the history, the last `opening` of which are the answers' already.
  TurnKeeper(store::Store& store, Workers& workers, Host& host, History history,
             std::vector<int32_t> prompt, size_t opening, size_t answers, bool is_chat);
  // What nobody finished is finished as it is, but a session does not move then.
  ~TurnKeeper();

  // On a worker's thread: the ids are good from here on.
  Asked<void> begin();
  // Nobody answers after all: what begin() made is gone.
  void undo();
  // On the host's thread.
  void told(size_t answer, const Event& event, const Generation& generation);
  // On a worker's thread, before the last byte leaves. Error: 409 (the session has moved), those of
  // the store; answers are kept all the same, as far as there is room for them.
  Asked<void> finish();

  // Where the answers' states are wanted beside them: their files, one after the other. `then` is
  // called behind the last, on a worker's thread or at once; one that could not be made is missing.
  bool wants_files() const { return history_.returned == Returned::base64; }
  void read_files(const Source& source, std::function<bool()> gone, std::function<void()> then);

  // {"id","prompt_id"} and, once it is finished, all that is known.
  void write(JsonWriter& json, size_t answer = 0) const;
  size_t answers() const { return answers_.size(); }
  const std::string& prompt_id() const { return prompt_id_; }
  // Empty: it is not there.
  std::string answer_id(size_t index) const;

 private:
  struct Answer {
    std::string id;
    std::vector<int32_t> ids;  // with the opening
    size_t certain = 0;        // that belong to it whatever follows
    size_t sent = 0;           // that the store has
    std::string finish;
    bool growing = false;  // in the store
    bool whole = false;    // there, too
    std::string file{};    // of its state, as base64
  };

  void read_file(size_t index, const Source& source, std::function<bool()> gone,
                 std::function<void()> then);
  std::string text_of(std::span<const int32_t> ids) const;
  std::string notes_of(std::string_view kind, std::string_view finish = {}) const;
  void append();
  store::Finish rest_of(const Answer& answer) const;
  std::optional<store::StoreError> finish_each(std::vector<store::Finish> rests);
  store::SessionMove session_move() const;
  Asked<void> move_session();
  void keep_snapshots() const;
  // False: nobody has it.
  bool keep_snapshot(const std::string& id, std::span<const int32_t> ids) const;

  store::Store& store_;
  Workers& workers_;
  Host& host_;
  const History history_;
  const std::vector<int32_t> prompt_;
  const size_t opening_;
  const bool is_chat_;
  std::string prompt_id_;
  std::vector<Answer> answers_;
  uint64_t version_ = 0;  // of the session, once it has moved
  bool begun_ = false;
  bool appending_ = false;    // somebody will
  mutable std::mutex mutex_;  // of the answers
  std::mutex order_;          // of appends
};

}  // namespace skein::server

// TableStore's transactions, which several of its files make.
#pragma once

#include "store/table_store.h"

namespace skein::store {

template <typename Work>
std::invoke_result_t<const Work&> TableStore::attempt(const Work& work, int tries) {
  // Whatever ends it early, memory that runs out too.
  struct Open {
    Tables* tables;
    ~Open() {
      if (tables) tables->rollback();
    }
  };
  while (true) {
    added_ = {};
    added_of_.clear();
    unwanted_.clear();
    SK_TRY_STATUS(tables_->begin());
    Open open{tables_.get()};
    auto outcome = work();
    // What was decided by rows of two moments is decided again.
    if (!outcome && (!may_be_of_two_moments(outcome.error()) || !tables_->outdated()))
      return outcome;
    if (outcome) {
      SK_TRY(const bool done, tables_->commit());
      open.tables = nullptr;
      if (done) {
        totals_.log_bytes += added_.log_bytes;
        totals_.snapshot_bytes += added_.snapshot_bytes;
        for (const auto& [tenant, bytes] : added_of_)
          if (const auto known = log_of_.find(tenant); known != log_of_.end())
            known->second += bytes;
        for (const std::string& id : unwanted_) images_->drop(id);
        return outcome;
      }
    }
    if (--tries == 0)
      return refuse(Trouble::unavailable, "too many change the same at once; try again");
    ++repeated_;
    give_way();
  }
}

template <typename Work>
std::invoke_result_t<const Work&> TableStore::transact(const Work& work) {
  auto outcome = attempt(work);
  if (outcome || outcome.error().trouble != Trouble::full) return outcome;
  const auto freed = free_disk();
  if (!freed || freed->empty()) return outcome;
  outcome = attempt(work);
  // Where this fails, beginning() will find that they are gone.
  (void)attempt([&] { return forget_images(*freed); });
  return outcome;
}

}  // namespace skein::store

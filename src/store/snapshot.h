// A session's snapshot as the bytes that a store keeps: the state's file (run/saved_state.h), and
// what was said to come next, so that a text can go on from there without a token of its own.
//   "SkeinSn1"  u64 bytes of the state's file  the file  u64 n  f32 logit[n] (none where they are
//   not known)
#pragma once

#include "run/session.h"
#include "store/store.h"

namespace skein::store {

// The snapshot is held until its bytes were written; nobody changes it meanwhile.
Image image_of(std::shared_ptr<const skein::Session::Snapshot> snapshot);

// Errors: corrupt, mismatch (of another model); memory.
Result<skein::Session::Snapshot> to_snapshot(std::span<const std::byte> image,
                                             std::shared_ptr<const StateLayout> layout);

}  // namespace skein::store

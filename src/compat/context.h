// What stands behind the opaque pointer of compat/rwkv.h.
#pragma once

#include <atomic>
#include <memory>

#include "base/turn.h"
#include "compat/state_order.h"
#include "run/model.h"

struct rwkv_context {
  explicit rwkv_context(std::shared_ptr<skein::Model> opened)
      : model(std::move(opened)), order(*model->state_layout()), state(model->state_layout()) {}

  std::shared_ptr<skein::Model> model;
  skein::compat::StateOrder order;

  // Functions that only look at a context can fail too.
  mutable std::atomic<int> last_error = 0;
  std::atomic<bool> print_errors = true;

  skein::Turn busy;    // held while `state` is in use
  skein::State state;  // the caller's state in Skein's order; between two calls it means nothing
};

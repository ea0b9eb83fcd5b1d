// What a page shows in a line while it is open, asked every few seconds: at once, on the
// connections' thread, and a KiB at most.
#include <utility>

#include "base/platform.h"
#include "server/service.h"

namespace skein::server {

void answer_status(Service& service, const std::shared_ptr<Exchange>& exchange) {
  const auto models = service.models().all();
  // Of several the one that has most to do; in numbers they are added up.
  const Host* busiest = nullptr;
  Load sum;
  double rate = 0;
  StateTree::Usage kept;
  int64_t budget = 0;
  for (const ServedPtr& served : models) {
    const Host& host = *served->host;
    if (!busiest || host.orders() > busiest->orders()) busiest = &host;
    const Load load = host.load();
    sum.active += load.active;
    sum.waiting += load.waiting;
    if (load.active > 0) rate += host.tokens_per_second();
    const StateTree::Usage usage = host.states().usage();
    kept.states += usage.states;
    kept.bytes += usage.bytes;
    budget += host.states().budget();
  }
  constexpr size_t kName = 200;
  JsonWriter json;
  json.begin_object().key("model");
  busiest ? json.value(busiest->name().substr(0, kName)) : json.null();
  json.key("device");
  busiest ? json.value(busiest->model().info().device.substr(0, kName)) : json.null();
  json.member("state_bytes", busiest ? busiest->model().info().state_bytes : 0);
  json.member("tok_s", rate).member("queue", sum.waiting).member("active", sum.active);
  json.member("rss", resident_bytes());
  json.key("states").begin_object().member("n", kept.states).member("bytes", kept.bytes);
  json.member("budget", budget).end_object().end_object();
  exchange->answer->send({.fields = {{"Cache-Control", "no-store"}}, .body = json.text()});
}

}  // namespace skein::server

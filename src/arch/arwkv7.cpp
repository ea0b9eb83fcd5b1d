// ARWKV (arXiv 2501.15570): a Qwen2 decoder whose attention became RWKV-7's time mix, with or
// without its gate and its group norm.
#include "arch/goose.h"
#include "arch/qwen.h"

namespace skein::arch {
namespace {

class Arwkv7 final : public Goose {
 public:
  explicit Arwkv7(const Config& config) : Goose(config) {}
  using Goose::ChannelMemory;
  using Goose::Config;
  using Goose::Parts;
  using Goose::read_time_mix;

 private:
  void channel_weights(LayerWeights& w) const override { add_swiglu(w, frame()); }

  Var channel_mix(const Layer& p, Var x) const override { return swiglu(p, x); }
};

}  // namespace

Result<std::unique_ptr<Architecture>> open_arwkv7(const NamedModel& model,
                                                  std::string_view file_name) {
  Arwkv7::Config c;
  c.channel_memory = Arwkv7::ChannelMemory::none;  // the feed-forward remembers nothing
  SK_TRY_STATUS(read_qwen_frame(model, file_name, c));
  SK_TRY_STATUS(Arwkv7::read_time_mix(model, file_name, Arwkv7::Parts::without_gate_or_norm, c));
  return std::make_unique<Arwkv7>(c);
}

}  // namespace skein::arch

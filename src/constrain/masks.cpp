#include "constrain/masks.h"

#include <algorithm>

namespace skein::constrain {
namespace {

constexpr size_t kMostTargets = 4;  // more configurations side by side are not followed

}  // namespace

Masks::Masks(const Words& words, Automaton& automaton, const Options& options)
    : words_(words), automaton_(automaton), options_(options), path_(words.longest() + 1) {
  if (!options_.slices) return;
  for (const Slice& slice : words.slices()) {
    std::vector<std::vector<Joint>>& joint = joints_.emplace_back();
    for (const auto& steps : slice.steps()) {
      std::vector<Joint>& out = joint.emplace_back();
      std::vector<std::pair<uint8_t, uint8_t>> seen;
      for (size_t byte = 0; byte < 256; ++byte) {
        if (steps[byte] == Slice::kNo) continue;
        const std::pair key{automaton.classes().of[byte], steps[byte]};
        if (std::ranges::find(seen, key) != seen.end()) continue;
        seen.push_back(key);
        out.push_back({static_cast<uint8_t>(byte), steps[byte]});
      }
    }
  }
}

void Masks::clear() {
  character_steps_.clear();
  order_.clear();
  kept_.clear();
  held_ = 0;
}

MaskPtr Masks::of(Automaton::Config config) {
  config = automaton_.clamped(config);
  if (automaton_.trouble() != Automaton::Trouble::none) return nullptr;
  if (const auto it = kept_.find(config); it != kept_.end()) {
    order_.splice(order_.begin(), order_, it->second);
    return it->second->mask;
  }
  MaskPtr mask = make(config);
  if (mask) keep(config, mask);
  return mask;
}

MaskPtr Masks::walked(Automaton::Config config) {
  IdSet ids(words_.size());
  walk(config, words_.trie(), ids);
  return finish(std::move(ids), config);
}

MaskPtr Masks::make(Automaton::Config config) {
  const Use use = usable(config);
  if (!use.slice) return walked(config);
  IdSet ids = use.slice->up_to(use.count);
  if (use.longer) walk(config, use.slice->longer(), ids);
  walk(config, use.slice->others(), ids);
  return finish(std::move(ids), config);
}

MaskPtr Masks::finish(IdSet&& ids, Automaton::Config config) {
  if (automaton_.trouble() != Automaton::Trouble::none) return nullptr;
  for (const Words::Twin& twin : words_.twins())
    if (ids[twin.twin]) ids.set(twin.id);
  automaton_.each_token_set(config, [&](std::span<const Term> list, bool others) {
    if (!others)
      for (const Term id : list) {
        if (static_cast<int32_t>(id) < words_.size()) ids.set(static_cast<int32_t>(id));
      }
    else
      for (int32_t id = 0; id < words_.size(); ++id)
        if (!words_.tokenizer().is_end(id) &&
            !std::ranges::binary_search(list, static_cast<Term>(id)))
          ids.set(id);
  });
  auto mask = std::make_shared<Mask>();
  mask->ids = std::move(ids);
  mask->allowed = mask->ids.count();
  if (mask->allowed == 1) mask->only = mask->ids.first();
  return mask;
}

void Masks::walk(Automaton::Config config, const WordTrie& trie, IdSet& ids) {
  path_[0] = config;
  const WordTrie::Node* const nodes = trie.nodes.data();
  const auto count = static_cast<uint32_t>(trie.nodes.size());
  for (uint32_t at = 0; at < count;) {
    const WordTrie::Node& node = nodes[at];
    const Automaton::Config to = automaton_.next(path_[node.depth - 1], node.byte);
    if (to == Automaton::kDead) {
      if (automaton_.trouble() != Automaton::Trouble::none) return;
      at = node.end;
      continue;
    }
    path_[node.depth] = to;
    if (node.word >= 0) ids.set(node.word);
    ++at;
  }
}

Masks::Use Masks::usable(Automaton::Config config) {
  for (size_t n = 0; n < joints_.size(); ++n)
    if (const Use use = usable(config, n); use.slice) return use;
  return {};
}

Masks::Use Masks::usable(Automaton::Config config, size_t slice) {
  using Kind = CharacterStep::Kind;
  const Slice* const which = &words_.slices()[slice];
  std::vector<Automaton::Config> now{config}, next;
  for (size_t count = 0; count <= Slice::kCounted; ++count) {
    next.clear();
    size_t none = 0;
    for (const Automaton::Config from : now) {
      const CharacterStep& step = character_step(from, slice);
      if (step.kind == Kind::some || step.kind == Kind::unknown) return {};
      none += step.kind == Kind::none;
      next.insert(next.end(), step.to.begin(), step.to.end());
    }
    if (none > 0) {
      if (none < now.size() || count == 0) return {};
      return {which, count, false};
    }
    std::sort(next.begin(), next.end());
    next.erase(std::unique(next.begin(), next.end()), next.end());
    if (next == now) return {which, Slice::kCounted + 1, false};
    if (next.size() > kMostTargets) return {};
    now.swap(next);
  }
  return {which, Slice::kCounted, true};
}

const Masks::CharacterStep& Masks::character_step(Automaton::Config config, size_t slice) {
  using Kind = CharacterStep::Kind;
  CharacterStep& out = character_steps_[uint64_t{config} << 8 | slice];
  if (out.kind != Kind::unknown) return out;
  struct Place {
    uint8_t state;
    Automaton::Config config;
  };
  std::vector<Place> places{{Slice::kStart, config}};
  bool some = false, lack = false;
  for (size_t n = 0; n < places.size(); ++n)
    for (const Joint& joint : joints_[slice][places[n].state]) {
      const Automaton::Config to = automaton_.next(places[n].config, joint.byte);
      if (automaton_.trouble() != Automaton::Trouble::none) return out;
      lack = lack || to == Automaton::kDead;
      some = some || (to != Automaton::kDead && joint.to == Slice::kStart);
      if ((lack && some) || out.to.size() > kMostTargets || places.size() > 64) {
        out = {Kind::some, {}};
        return out;
      }
      if (to == Automaton::kDead) continue;
      if (joint.to == Slice::kStart) {
        if (std::ranges::find(out.to, to) == out.to.end()) out.to.push_back(to);
      } else if (std::ranges::none_of(places, [&](const Place& place) {
                   return place.state == joint.to && place.config == to;
                 })) {
        places.push_back({joint.to, to});
      }
    }
  out.kind = lack ? Kind::none : Kind::all;
  return out;
}

void Masks::keep(Automaton::Config config, const MaskPtr& mask) {
  const size_t size = sizeof(Mask) + mask->ids.bits().size_bytes() + 128;
  order_.push_front({config, mask});
  kept_[config] = order_.begin();
  held_ += size;
  while (held_ > options_.bytes && order_.size() > 1) {
    kept_.erase(order_.back().config);
    order_.pop_back();
    held_ -= size;
  }
}

}  // namespace skein::constrain

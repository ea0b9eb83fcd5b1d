#include "fuzz/mutate/mutant.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/hash.h"
#include "fuzz/mutate/emit.h"
#include "fuzz/mutate/json_tree.h"
#include "fuzz/mutate/values.h"
#include "io/build.h"
#include "io/packed.h"

namespace skein::mutate {
namespace {

using test::Random;

// One step of a mutant: what is changed, at which stage of its making.
enum class Step { draft, field, head, bytes };

Step choose_step(Random& random) {
  const auto at = random.below(100);
  if (at < 55) return Step::draft;
  if (at < 78) return Step::field;
  return at < 90 ? Step::head : Step::bytes;
}

// Puts the checksums of bytes that were changed right, where a container has any.
void sign_again(std::string& file) {
  if (file.starts_with("SkeinSt1") && file.size() > sizeof(Digest)) {
    const std::string body = file.substr(0, file.size() - sizeof(Digest));
    const Digest sum = sha256(test::bytes_of(body));
    std::memcpy(file.data() + body.size(), sum.data(), sum.size());
  }
  using namespace io::packed;
  if (!file.starts_with(kMagic) || file.size() < kHeadBytes) return;
  uint64_t header = 0;
  std::memcpy(&header, file.data() + 16, sizeof(header));
  header = std::min<uint64_t>(header, file.size() - kHeadBytes);
  Sha256 hash;
  hash.update(std::string_view(file).substr(0, kHashedHead));
  hash.update(std::string_view(file).substr(kHeadBytes, header));
  const Digest sum = hash.finish();
  std::memcpy(file.data() + kHashedHead, sum.data(), sum.size());
}

// A vocabulary line by line.
std::string change_lines(std::string& text, Random& random) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size() - 1);
    lines.push_back(text.substr(at, end + 1 - at));
    at = end + 1;
  }
  if (lines.empty()) return "no lines";
  const auto any = [&] { return static_cast<size_t>(random.below(lines.size())); };
  const size_t one = any(), two = any();
  const auto place = lines.begin() + static_cast<ptrdiff_t>(one);
  std::string said;
  switch (random.below(9)) {
    case 0:
      lines.erase(place);
      said = "dropped";
      break;
    case 1:
      lines.insert(place, std::string(lines[two]));
      said = "doubled";
      break;
    case 2:
      std::swap(lines[one], lines[two]);
      said = "exchanged";
      break;
    case 3:
      lines.resize(one);
      said = "and all behind it cut";
      break;
    case 4:
      lines[one] = pick(
          random, {"\n", "\r\n", "# x\n", "1\n", "1 2 3\n", "-1 'a' 1\n", "99999999999 'a' 1\n",
                   "70000 'a' 1\n", "300 '' 0\n", "300 'a\n", "300 b'\\xe4' 2\n",
                   "300 '\\u4f60' 3\n", "300 '\\x4' 1\n", "300 '\\N{BULLET}' 3\n",
                   "300 '\\101' 1\n", "300 'a' 'b' 1\n", "300 \"\"\"a\"\"\" 1\n", "0 'a' 1\n"});
      said = "replaced";
      break;
    case 5: {
      const std::string token(1 + random.below(2000), 'z');
      lines.insert(place, fmt::format("300 '{}' {}\n", token, random.below(2000)));
      said = "behind a long token";
      break;
    }
    case 6:
      if (const size_t space = lines[one].find(' '); space != std::string::npos)
        lines[one].replace(0, space,
                           std::to_string(near_number(static_cast<int64_t>(one), random)));
      said = "of another id";
      break;
    default:
      change_bytes(lines[one], lines[two], random);
      said = "changed";
      break;
  }
  text.clear();
  for (const std::string& line : lines) text += line;
  return fmt::format("line {} {}", one, said);
}

std::string change_text(std::string& text, const std::string& name, Random& random) {
  if (random.below(12) == 0) return change_bytes(text, {}, random);
  return name.ends_with(".txt") ? change_lines(text, random) : change_json_text(text, random);
}

std::string change_part(SavedPart& part, Random& random) {
  switch (random.below(5)) {
    case 0:
      part.name = pick(random, {"", "blocks.0.att.wkv", "\xff", "blocks.9.ffn.x_prev"});
      return "a part's name";
    case 1:
      part.type = pick(random, {DType::f16, DType::i32, DType::u8, DType::q4_0, DType::f64});
      return "a part's type";
    case 2: part.growth = ops::Growth::growing; return "a part that grows";
    case 3: part.rows = near_number(part.rows, random); return "a part's rows";
    default: {
      std::vector<int64_t> axes(part.shape.axes().begin(), part.shape.axes().end());
      axes[random.below(axes.size())] = near_number(axes[0], random);
      part.shape = Shape(axes);
      return "a part's shape";
    }
  }
}

std::string change_chat(SavedChat& chat, Random& random) {
  SavedTurn& turn = chat.turns[random.below(chat.turns.size())];
  switch (random.below(6)) {
    case 0:
      turn.parent = static_cast<int64_t>(random.below(chat.turns.size() + 1)) - 1;
      return "a turn's parent";
    case 1:
      turn.prompt_ids.push_back(static_cast<int32_t>(near_number(7, random)));
      return "a turn's token";
    case 2: chat.branches.push_back(chat.branches[0]); return "a branch twice";
    case 3: turn.user += pick(random, {"\xff", "\x1b[2J", "", "long"}); return "a question";
    case 4: std::swap(chat.turns.front(), chat.turns.back()); return "turns swapped";
    default: chat.branches[0].turn = random.below(chat.turns.size() + 1); return "a branch's end";
  }
}

std::string change_saved(StateDraft& state, Random& random) {
  if (state.parts.empty()) return "no parts";
  const size_t one = random.below(state.parts.size());
  std::string& bytes = state.parts[one];
  const auto number_at = [&](size_t at) {
    const float value = odd_float(random);
    std::memcpy(bytes.data() + at, &value, sizeof value);
  };
  const size_t count = bytes.size() / sizeof(float);
  if (state.saved.chat && random.below(3) == 0) return change_chat(*state.saved.chat, random);
  switch (random.below(9)) {
    case 0: number_at(random.below(count) * sizeof(float)); return "a value";
    case 1:
      for (size_t i = 0; i < count; ++i) number_at(i * sizeof(float));
      return "all of a part";
    case 2: bytes.resize(random.below(bytes.size() + 1)); return "values cut";
    case 3: bytes.resize(bytes.size() + random.below(100)); return "values more";
    case 4:
      state.saved.tokens.push_back(static_cast<int32_t>(near_number(7, random)));
      return "a token";
    case 5: state.saved.text += pick(random, {"\xff", "\x1b[2J", "", "long"}); return "the text";
    case 6: std::swap(state.saved.parts[one], state.saved.parts[0]); return "parts swapped";
    case 7: state.first_version = !state.first_version; return "the other version";
    default: return change_part(state.saved.parts[one], random);
  }
}

}  // namespace

const Seeds::Seed& Seeds::choose(Random& random) const {
  const auto family =
      std::next(families_.begin(), static_cast<ptrdiff_t>(random.below(families_.size())));
  return seeds_[family->second[random.below(family->second.size())]];
}

// `random` is null for a seed as it is.
Mutant Seeds::written(const Seed& seed, Random* random) const {
  Mutant out = {seed.kind, seed.family, seed.name, {}, seed.base, {}};
  const auto say = [&](const std::string& what) {
    if (!what.empty()) out.changes += (out.changes.empty() ? "" : "; ") + what;
  };
  std::vector<Step> steps;
  if (random) {
    const auto more = random->below(10);
    for (uint64_t i = 0; i < (more < 7 ? 1u : more < 9 ? 2u : 4u); ++i)
      steps.push_back(choose_step(*random));
  }
  const auto has = [&](Step step) {
    return std::find(steps.begin(), steps.end(), step) != steps.end();
  };
  // Of a folder either a text or a part is changed.
  const bool in_text =
      random && !seed.texts.empty() && (seed.drafts.empty() || random->below(3) != 0);
  const size_t part = random && !seed.drafts.empty() ? random->below(seed.drafts.size()) : 0;
  for (size_t i = 0; i < seed.drafts.size(); ++i) {
    const auto& [name, honest_draft] = seed.drafts[i];
    Draft draft = honest_draft;
    const bool changed = random && !in_text && i == part;
    if (changed)
      for (const Step step : steps) {
        if (step != Step::draft) continue;
        const Seed& other = choose(*random);
        say(change_draft(draft, other.drafts.empty() ? draft : other.drafts[0].second, *random));
      }
    ChangeHead change_head;
    if (changed && has(Step::head))
      change_head = [&](std::string& head) {
        if (draft.format == Format::pth_zip || draft.format == Format::pth_legacy)
          say(change_pickle(head, *random));
        else if (draft.format == Format::safetensors)
          say(change_json_text(head, *random));
        else
          say("head: " + change_bytes(head, {}, *random));
      };
    Liar honest;
    if (changed && has(Step::field)) {
      emit(draft, honest);
      Liar liar(honest, *random);
      out.files[name] = emit(draft, liar, change_head);
      say(liar.said());
    } else {
      out.files[name] = emit(draft, honest, change_head);
    }
  }
  if (!seed.states.empty()) {
    StateDraft state = seed.states[0];
    if (has(Step::draft)) say(change_saved(state, *random));
    Liar honest;
    std::string bytes = emit_state(state, honest);
    if (has(Step::field) || has(Step::head)) {
      Liar liar(honest, *random);
      bytes = emit_state(state, liar);
      say(liar.said());
    }
    out.files["s.state"] = std::move(bytes);
  }
  const size_t chosen = in_text ? random->below(seed.texts.size()) : 0;
  size_t index = 0;
  for (const auto& [name, text] : seed.texts) {
    std::string& file = out.files[name] = text;
    if (in_text && index++ == chosen)
      for (size_t i = 0; i < steps.size(); ++i) say(change_text(file, name, *random));
  }
  if (has(Step::bytes) && !in_text) {
    auto file =
        std::next(out.files.begin(), static_cast<ptrdiff_t>(random->below(out.files.size())));
    const Seed& other = choose(*random);
    Liar honest;
    const std::string lender = other.drafts.empty() ? "" : emit(other.drafts[0].second, honest);
    say(change_bytes(file->second, lender, *random));
    if (random->below(2) == 0) sign_again(file->second);
  }
  return out;
}

Mutant Seeds::mutant(uint64_t number) const {
  Random random(number * 0x9e3779b97f4a7c15 + 1);
  return written(choose(random), &random);
}

std::vector<Mutant> Seeds::unchanged() const {
  std::vector<Mutant> out;
  for (const Seed& seed : seeds_) out.push_back(written(seed, nullptr));
  return out;
}

}  // namespace skein::mutate

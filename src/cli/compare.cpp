// skein compare: what a quantised file costs in quality, beside its source.
#include "run/comparison.h"

#include <cmath>

#include "base/limits.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "run/opening.h"
#include "run/sample_text.h"
#include "run/vocabulary.h"

namespace skein::cli {
namespace {

constexpr uint64_t kTextBytes = 16 * limits::kMiB;

class Compare final : public Command {
 public:
  void declare(Options& options) override;
  int run(Console& console) override;

 private:
  struct Text {
    Documents documents;
    std::string what;  // "the built-in text"
    size_t bytes = 0;  // that its predicted tokens stand for; 0: not known
  };
  Status look(Console& console);
  Result<Text> read_text_of() const;
  Result<Text> write_own(Console& console) const;
  void print(Console& console, const Text& text, const Comparison& found) const;
  JsonWriter json_of(const Text& text, const Comparison& found) const;
  bool has_second() const { return !second_.empty(); }

  std::string first_, second_, text_, vocab_, numerics_ = "exact";
  int64_t own_ = 0, prompt_ = 0, threads_ = 0;
  bool separately_ = false;
  ComparedModel a_, b_;
  ModelInfo info_a_, info_b_;
  int64_t bytes_a_ = 0, bytes_b_ = 0;  // of tensors
  text::TokenizerPtr tokenizer_;
};

void Compare::declare(Options& options) {
  options.argument("A", first_, "the model as it was").model();
  options.argument("B", second_, "its quantised copy; without it, how well A predicts")
      .model()
      .optional();
  options
      .value("-f,--text", text_, "FILE",
             "the text; -: standard input; else a short one is built in")
      .file()
      .unset_elsewhere();
  options
      .value("--own", own_, "N",
             "instead of a text about N tokens that A writes itself, in documents of 256")
      .range(0, 1 << 24);
  options.value("--prompt", prompt_, "N", "predict only after the first N tokens of each document")
      .range(0, 1 << 20);
  options.value("--numerics", numerics_, "MODE", "how B computes prompts: exact or fast")
      .one_of({"exact", "fast"});
  options.flag("--separately", separately_,
               "never have both models in memory; by itself where there is no room for both");
  options.value("--vocab", vocab_, "FILE", "the vocabulary, if it is not found by itself").file();
  options.value("-t,--threads", threads_, "N", "threads; 0: one for each physical core")
      .range(0, static_cast<double>(limits::kThreads));
}

// What both are, and whose tokenizer makes ids of the text.
Status Compare::look(Console& console) {
  a_ = {.path = first_, .options = {}};
  a_.options.threads = static_cast<int>(threads_);
  b_ = {.path = second_, .options = a_.options};
  b_.options.numerics = numerics_ == "fast" ? Numerics::fast : Numerics::exact;
  console.suggest("skein inspect " + escaped(first_));
  SK_TRY(const Opening a, Opening::look(a_.path, a_.options));
  SK_TRY_STATUS(a.fits());
  info_a_ = a.info();
  bytes_a_ = a.prospect().tensor_bytes;
  const auto tokenizer_of = [&](const Opening& of) {
    return find_tokenizer(ModelText{of.path(), of.info().dimensions.vocab, &of.metadata()}, vocab_);
  };
  auto tokenizer = tokenizer_of(a);
  if (has_second()) {
    console.suggest("skein inspect " + escaped(second_));
    SK_TRY(const Opening b, Opening::look(b_.path, b_.options));
    SK_TRY_STATUS(b.fits());
    info_b_ = b.info();
    bytes_b_ = b.prospect().tensor_bytes;
    // A GGUF that was made of a .pth carries the vocabulary that the .pth lacks.
    if (!tokenizer && tokenizer.error().code == Code::io && vocab_.empty())
      if (auto other = tokenizer_of(b)) tokenizer = std::move(other);
  }
  console.suggest("");
  if (own_ > 0) return {};
  if (!tokenizer)
    return fail(tokenizer.error().code, "{}; or let the model write its own text: --own 4096",
                tokenizer.error().message);
  tokenizer_ = *tokenizer;
  return {};
}

Result<Compare::Text> Compare::read_text_of() const {
  std::string bytes(sample_text());
  if (!text_.empty()) {
    SK_TRY(bytes, read_text(text_, kTextBytes));
  }
  SK_TRY(std::vector<int32_t> ids, tokenizer_->encode(bytes));
  if (ids.empty()) return fail(Code::argument, "{} is empty", escaped(text_));
  Text out = {.documents = {},
              .what = text_.empty() ? "the built-in text" : escaped(text_),
              .bytes = prompt_ > 0 ? 0 : bytes.size()};
  // What separates documents comes first, as models were trained; so every token is predicted.
  const int32_t begin = tokenizer_->end_of_text();
  if (begin >= 0)
    ids.insert(ids.begin(), begin);
  else
    out.bytes = 0;
  out.documents.push_back(std::move(ids));
  return out;
}

Result<Compare::Text> Compare::write_own(Console& console) const {
  Progress progress(console, "writing the text", Progress::Unit::tokens);
  SK_TRY(const auto model, Model::open(a_.path, a_.options));
  SK_TRY(Documents documents, write_documents(*model, own_, [&](int64_t done, int64_t total) {
           progress.update(done, total);
           return !interrupt::requested();
         }));
  const size_t count = documents.size();
  return Text{.documents = std::move(documents),
              .what = fmt::format("{} documents that A wrote", count)};
}

int Compare::run(Console& console) {
  const interrupt::Scope scope;
  if (own_ > 0 && !text_.empty())
    return console.error({Code::argument, "--own and --text exclude each other"});
  if (own_ > 0 && prompt_ >= kOwnDocument - 1)
    return console.error(
        {Code::argument,
         fmt::format("--prompt {}: documents of --own have {} tokens", prompt_, kOwnDocument)});
  if (auto status = look(console); !status) return console.error(status.error());
  const auto text = own_ > 0 ? write_own(console) : read_text_of();
  if (!text) return console.error(text.error());
  Result<Comparison> found = tl::unexpected(Error());
  {
    Progress progress(console, "comparing", Progress::Unit::tokens);
    found = compare_models(a_, has_second() ? &b_ : nullptr, text->documents,
                           {.prompt = prompt_, .separately = separately_},
                           [&](int64_t done, int64_t total) {
                             progress.update(done, total);
                             return !interrupt::requested();
                           });
  }
  if (!found) {
    const bool stopped = interrupt::requested();
    const int code = console.error(found.error());
    return stopped ? interrupt::exit_code() : code;
  }
  if (console.json())
    console.object(json_of(*text, *found));
  else
    print(console, *text, *found);
  return kFine;
}

std::string share_text(double share) { return fmt::format("{:.2f} %", 100 * share); }

void Compare::print(Console& console, const Text& text, const Comparison& found) const {
  const auto fact = [&](std::string_view name, const std::string& value) {
    console.line(console.styled(Style::dim, fmt::format("{:>16}", name)) + "  " + value);
  };
  const auto model = [](const ModelInfo& info, int64_t bytes) {
    return fmt::format("{}  {}, {}", escaped(info.file), info.title,
                       bytes_text(static_cast<double>(bytes)));
  };
  fact("A", model(info_a_, bytes_a_));
  if (has_second()) fact("B", model(info_b_, bytes_b_));
  fact("text", fmt::format("{}, {} predictions{}", text.what, found.predictions,
                           !has_second()      ? ""
                           : found.separately ? ", one model after the other"
                                              : ", both models open"));
  const auto bits = [&](double loss) {
    return text.bytes == 0 ? std::string()
                           : fmt::format("   {:.4f} bits a byte",
                                         loss * static_cast<double>(found.predictions) /
                                             std::log(2.0) / static_cast<double>(text.bytes));
  };
  if (!found.both)
    return fact("perplexity", fmt::format("{:.4f}{}", found.a.perplexity, bits(found.a.loss)));
  const Comparison::Both& both = *found.both;
  fact("perplexity A", fmt::format("{:.4f}{}", found.a.perplexity, bits(found.a.loss)));
  fact("perplexity B", fmt::format("{:.4f}{}   {:+.3f} %", both.b.perplexity, bits(both.b.loss),
                                   100 * (both.b.perplexity / found.a.perplexity - 1)));
  const Comparison::Spread& kl = both.divergence;
  fact("KL divergence", fmt::format("mean {:.6f}, median {:.6f}, 99 % {:.6f}, largest {:.4f}",
                                    kl.mean, kl.median, kl.most_of_99, kl.largest));
  fact("same first", fmt::format("{} of the likeliest tokens", share_text(both.same_first)));
  fact("log-probability",
       fmt::format("{:+.6f} on average, rms {:.6f}", both.change, both.change_rms));
  fact("logits", fmt::format("differ by {:.4f} of the largest at most", both.logit_error));
}

JsonWriter Compare::json_of(const Text& text, const Comparison& found) const {
  JsonWriter json;
  json.begin_object();
  const auto side = [&](std::string_view name, const ModelInfo& info, int64_t bytes,
                        const Comparison::Side& one) {
    json.key(name).begin_object().member("file", info.file).member("model", info.title);
    json.member("tensor_bytes", bytes).member("loss", one.loss);
    json.member("perplexity", one.perplexity).key("bits_per_byte");
    if (text.bytes > 0)
      json.value(one.loss * static_cast<double>(found.predictions) / std::log(2.0) /
                 static_cast<double>(text.bytes));
    else
      json.null();
    json.end_object();
  };
  json.member("text", text.what).member("documents", static_cast<int64_t>(text.documents.size()));
  json.member("predictions", found.predictions);
  side("a", info_a_, bytes_a_, found.a);
  if (found.both) {
    const Comparison::Both& both = *found.both;
    side("b", info_b_, bytes_b_, both.b);
    json.member("separately", found.separately);
    json.key("kl_divergence").begin_object();
    json.member("mean", both.divergence.mean).member("median", both.divergence.median);
    json.member("percentile_99", both.divergence.most_of_99);
    json.member("largest", both.divergence.largest).end_object();
    json.member("same_first", both.same_first);
    json.member("log_probability_change", both.change);
    json.member("log_probability_rms", both.change_rms);
    json.member("logit_error", both.logit_error);
  }
  json.end_object();
  return json;
}

}  // namespace

CommandPtr make_compare() { return std::make_unique<Compare>(); }

}  // namespace skein::cli

// skein tokenize, skein detokenize: text to the ids that a model sees, and back.
#include "base/limits.h"
#include "base/utf8.h"
#include "cli/commands.h"
#include "cli/model_text.h"
#include "cli/sampling_options.h"

namespace skein::cli {
namespace {

constexpr uint64_t kTextBytes = 256 * limits::kMiB;

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

// MODEL and TEXT, where --vocab makes MODEL unnecessary: then a single argument is the text.
void shift_arguments(std::string& model, std::vector<std::string>& rest, const std::string& vocab) {
  if (vocab.empty() || model.empty() || !rest.empty()) return;
  rest.push_back(std::move(model));
  model.clear();
}

class Tokenize final : public Command {
 public:
  void declare(Options& options) override {
    options.argument("MODEL", model_, "the model; with --vocab it may be left out")
        .model()
        .optional();
    options.argument("TEXT", text_, "the text; standard input without it").optional();
    options.value("-f,--file", file_, "FILE", "the text is in this file or pipe").file();
    options.value("--vocab", vocab_, "FILE", "the vocabulary").file();
    options.flag("--ids", ids_only_, "only the ids, on one line");
    options.flag("--special", special_,
                 "take <|...|> in the text for the vocabulary's special tokens");
  }

  int run(Console& console) override {
    shift_arguments(model_, text_, vocab_);
    const auto tools = open_text(model_, vocab_);
    if (!tools) return console.error(tools.error());
    const auto text = read();
    if (!text) return console.error(text.error());
    const auto ids = tools->tokenizer->encode(
        *text, special_ ? text::Special::as_token : text::Special::as_text);
    if (!ids) return console.error(ids.error());
    print(console, *tools->tokenizer, *ids);
    return kFine;
  }

 private:
  Result<std::string> read() const {
    if (text_.size() > 1)
      return fail(Code::argument, "one text at a time; quote it if it has blanks");
    if (!text_.empty() && !file_.empty())
      return fail(Code::argument, "either a text or --file, not both");
    if (!text_.empty()) return text_.front();
    if (file_.empty()) return read_stdin(kTextBytes);
    return read_text(file_, kTextBytes);
  }

  void print(Console& console, const text::Tokenizer& tokenizer,
             const std::vector<int32_t>& ids) const {
    if (console.json()) {
      JsonWriter json;
      json.begin_object().member("tokenizer", tokenizer.name());
      json.member("count", static_cast<int64_t>(ids.size())).key("ids").begin_array();
      for (const int32_t id : ids) json.value(id);
      json.end_array().key("texts").begin_array();
      for (const int32_t id : ids) json.value(escaped(tokenizer.shown(id), limits::kTokenBytes));
      console.object(json.end_array().end_object());
      return;
    }
    if (ids_only_) {
      std::string line;
      for (const int32_t id : ids) line += fmt::format("{}{}", line.empty() ? "" : " ", id);
      return console.line(line);
    }
    for (const int32_t id : ids)
      console.line(fmt::format("{:>6}  {}", id, escaped(tokenizer.shown(id), limits::kTokenBytes)));
    console.note(fmt::format("{} tokens, {}", ids.size(), tokenizer.name()));
  }

  std::string model_, file_, vocab_;
  std::vector<std::string> text_;
  bool ids_only_ = false, special_ = false;
};

class Detokenize final : public Command {
 public:
  void declare(Options& options) override {
    options.argument("MODEL", model_, "the model; with --vocab it may be left out")
        .model()
        .optional();
    options.argument("ID", ids_, "token ids; standard input without them").optional();
    options.value("--vocab", vocab_, "FILE", "the vocabulary").file();
  }

  int run(Console& console) override {
    // A file cannot be told from ids by their number; a word of digits is an id.
    if (!vocab_.empty() && !model_.empty() && parse_ids(model_)) {
      ids_.insert(ids_.begin(), std::move(model_));
      model_.clear();
    }
    const auto tools = open_text(model_, vocab_);
    if (!tools) return console.error(tools.error());
    const auto ids = read();
    if (!ids) return console.error(ids.error());
    const auto text = tools->tokenizer->decode(*ids);
    if (!text) return console.error(text.error());
    if (console.json()) {
      JsonWriter json;
      json.begin_object().member("text", *text).member("utf8", is_utf8(*text));
      json.member("bytes", escaped(*text, text->size() * 4)).end_object();
      console.object(json);
      return kFine;
    }
    console.out(*text);
    // The bytes and nothing else where a program reads them.
    if (console.stdout_is_terminal() && !text->ends_with('\n')) console.out("\n");
    return kFine;
  }

 private:
  Result<std::vector<int32_t>> read() const {
    std::string all;
    if (ids_.empty()) {
      SK_TRY(all, read_stdin(kTextBytes));
    }
    for (const std::string& word : ids_) all += word + " ";
    // As JSON writes lists.
    for (char& c : all)
      if (c == '[' || c == ']') c = ' ';
    return parse_ids(all);
  }

  std::string model_, vocab_;
  std::vector<std::string> ids_;
};

}  // namespace

CommandPtr make_tokenize() { return std::make_unique<Tokenize>(); }
CommandPtr make_detokenize() { return std::make_unique<Detokenize>(); }

}  // namespace skein::cli

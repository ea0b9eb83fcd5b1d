// What has to hold for any file, whatever it is: it is refused with a sentence that blames it, or
// it runs, and then everything that Skein says about it agrees.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "fuzz/mutate/mutant.h"
#include "run/model.h"

namespace skein::mutate {

struct Verdict {
  std::string outcome;                // "opened", or the code of the refusal: "corrupt"
  std::string message;                // of a refusal
  std::vector<std::string> findings;  // "kind: facts"; empty: all held
  std::vector<float> logits;          // of a model or an adapter that was opened
};

class Judge {
 public:
  // `bases` holds the models of states and adapters; `work` is a folder of the judge's own, for
  // what conversions write.
  Judge(std::filesystem::path bases, std::filesystem::path work)
      : bases_(std::move(bases)), work_(std::move(work)) {}

  // `path` is a file or a folder of this kind; `choice` picks what it is converted into.
  Verdict judge(Kind kind, const std::filesystem::path& path, const std::string& base,
                uint64_t choice);

 private:
  struct Ran;  // what a model answers

  Result<std::shared_ptr<Model>> base(const std::string& name);
  Result<Ran> run(const std::filesystem::path& path, const ModelOptions& options);
  void check_state(const std::shared_ptr<Model>& model, const State& state);
  void check_convert(const std::filesystem::path& path, const Ran& ran, uint64_t choice);
  void check_quantise(const std::filesystem::path& path, uint64_t choice);
  void judge_model(const std::filesystem::path& path, uint64_t choice);
  void judge_state(const std::filesystem::path& path, const std::string& base_name);
  void judge_adapter(const std::filesystem::path& path, const std::string& base_name);
  void judge_vocabulary(const std::filesystem::path& path);
  void refused(const Error& error);
  void blames_file(const Error& error, const std::string& when);
  void find(const std::string& kind, const std::string& facts);

  std::filesystem::path bases_, work_;
  std::map<std::string, std::shared_ptr<Model>> opened_;
  Verdict verdict_;
  bool folder_ = false;
};

}  // namespace skein::mutate

// Files that are nearly right: valid seeds of every container, design, block type, state,
// vocabulary and folder, and what a number makes of one of them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "fuzz/mutate/draft.h"
#include "run/saved_state.h"

namespace skein::mutate {

enum class Kind { model, state, adapter, vocabulary };

// What is written and how it is opened.
struct Mutant {
  Kind kind = Kind::model;
  std::string family;                        // "GGUF", "packed", "World text": a row of the table
  std::string seed;                          // "rwkv7 Q4_0.skein"
  std::map<std::string, std::string> files;  // by name; several are a folder
  std::string base;                          // the model that a state or adapter belongs to
  std::string changes;                       // what was done, in words
};

class Seeds {
 public:
  // Makes models of every design and their files; `folder` holds them while it lives, and among
  // them the base models of states.
  static Result<Seeds> make(const std::filesystem::path& folder);

  // The same for the same number, on every machine.
  Mutant mutant(uint64_t number) const;
  // Every seed as it is, to be accepted.
  std::vector<Mutant> unchanged() const;

 private:
  struct Seed {
    Kind kind = Kind::model;
    std::string family, name, base;
    std::vector<std::pair<std::string, Draft>> drafts;  // file name and what it holds
    std::map<std::string, std::string> texts;           // JSON files and vocabularies by name
    std::vector<StateDraft> states;                     // one or none
  };

  void add_draft(const std::string& family, const std::string& name, const std::string& file,
                 Draft draft, Kind kind = Kind::model, const std::string& base = {});
  Status add_models(const std::filesystem::path& folder);
  Status add_states(const std::filesystem::path& folder);
  void add_adapters(const std::filesystem::path& folder);
  void add_vocabularies();
  Status add_folder(const std::filesystem::path& folder);
  const Seed& choose(test::Random& random) const;
  Mutant written(const Seed& seed, test::Random* random) const;

  std::vector<Seed> seeds_;
  std::map<std::string, std::vector<size_t>> families_;
};

}  // namespace skein::mutate

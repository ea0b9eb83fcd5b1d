// Answers several questions at once: every step feeds one token to each sequence that is not done,
// and reads the weights once for all of them.
// Usage: batch [MODEL [QUESTION...]]
#include <algorithm>
#include <iostream>
#include <skein/skein.hpp>

namespace {

struct Sequence {
  std::string question;
  skein::State state;
  std::vector<int32_t> tokens;  // to be fed next
  std::vector<float> logits;
  std::string answer;
  bool done = false;
};

}  // namespace

int main(int argc, char** argv) try {
  skein::Model model(argc > 1 ? argv[1] : "models/bundled-0.pth");
  std::vector<std::string> questions(argv + std::min(argc, 2), argv + argc);
  if (questions.empty())
    questions = {"Reverse: garden", "What is 12+30?", "Uppercase: river", "Spell: tree"};

  skein::Sampling greedy;
  greedy.temperature = 0;

  std::vector<Sequence> sequences;
  for (const std::string& question : questions) {
    Sequence one{question, model.new_state(), {0}, {}, {}, false};
    for (const int32_t id : model.tokenize("User: " + question + "\n\nAssistant:"))
      one.tokens.push_back(id);
    sequences.push_back(std::move(one));
  }

  constexpr int kMaxSteps = 200;
  size_t steps = 0;
  for (; steps < kMaxSteps; ++steps) {
    std::vector<skein::Job> jobs;
    for (Sequence& one : sequences)
      if (!one.done) jobs.push_back({one.state, one.tokens, skein::Want::last, &one.logits});
    if (jobs.empty()) break;
    model.eval_batch(jobs);

    for (Sequence& one : sequences) {
      if (one.done) continue;
      const int32_t id = skein::sample(one.logits, greedy, one.state.tokens_read());
      one.answer += model.detokenize({id});
      one.tokens = {id};
      const size_t end = one.answer.find("\n\n");
      one.done = id == 0 || end != std::string::npos;
      one.answer.resize(std::min(end, one.answer.size()));
    }
  }

  for (const Sequence& one : sequences) std::cout << one.question << " ->" << one.answer << "\n";
  std::cout << sequences.size() << " sequences in " << steps << " steps\n";
} catch (const std::exception& error) {
  std::cerr << "batch: " << error.what() << "\n";
  return 1;
}

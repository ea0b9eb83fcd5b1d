// A chat: reads questions from standard input, one a line; "/undo" takes the last turn back.
// Usage: chat [MODEL]
#include <iostream>
#include <skein/skein.hpp>

namespace {

// Streams the answer to the prompt that `tokens` end. The state has then read the blank line behind
// it too and stands at the beginning of the user's next turn.
void answer(skein::Model& model, skein::State& state, skein::Sampler& sampler,
            std::vector<int32_t> tokens) {
  constexpr int kMaxTokens = 400;
  std::vector<float> logits;
  std::string text;
  sampler.reset();
  for (int i = 0; i < kMaxTokens; ++i) {
    model.eval_into(logits, state, tokens);
    const int32_t id = sampler.sample(logits, state.tokens_read());
    if (id == 0) break;  // the model ends the document; this chat goes on
    sampler.accept(id);
    const std::string piece = model.detokenize({id});
    text += piece;
    tokens = {id};
    if (text.size() > 1 && text.compare(text.size() - 2, 2, "\n\n") == 0) {
      std::cout << std::endl;
      model.feed(state, tokens);
      return;
    }
    if (piece.find('\n') == std::string::npos) std::cout << piece << std::flush;
  }
  std::cout << std::endl;
  model.feed(state, model.tokenize("\n\n"));
}

}  // namespace

int main(int argc, char** argv) try {
  skein::Model model(argc > 1 ? argv[1] : "models/bundled-0.pth");
  std::cout << model.info().title << ", " << model.info().device << "\n";

  skein::Sampling sampling;
  sampling.temperature = 0;
  sampling.presence = sampling.frequency = 0;
  skein::Sampler sampler(model, sampling);

  skein::State state = model.new_state();
  model.feed(state, {0});  // a document begins with id 0
  std::vector<skein::State> turns;
  for (std::string line; std::cout << "> " << std::flush && std::getline(std::cin, line);) {
    if (line == "/undo") {
      if (turns.empty()) continue;
      state = std::move(turns.back());
      turns.pop_back();
      continue;
    }
    turns.push_back(state);  // a copy of everything the model remembers
    answer(model, state, sampler, model.tokenize("User: " + line + "\n\nAssistant:"));
  }
  std::cout << std::endl;
} catch (const std::exception& error) {
  std::cerr << "chat: " << error.what() << "\n";
  return 1;
}

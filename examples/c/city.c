/* Prints a city as JSON of a schema, whatever the model.
 * Usage: city [MODEL] */
#include <skein/skein.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(int32_t code) {
  if (code == SK_OK) return;
  fprintf(stderr, "city: %s\n", sk_last_error());
  exit(1);
}

int main(int argc, char** argv) {
  const char* schema =
      "{\"type\": \"object\", \"properties\": {"
      "\"name\": {\"type\": \"string\", \"maxLength\": 20},"
      "\"people\": {\"type\": \"integer\", \"minimum\": 0, \"maximum\": 99999999}},"
      "\"required\": [\"name\", \"people\"]}";
  sk_model* model = NULL;
  check(sk_model_open(argc > 1 ? argv[1] : "models/bundled-0.pth", NULL, &model));
  sk_vocab* vocab = NULL;
  check(sk_vocab_of(model, &vocab));
  const sk_constraint_params wanted = {.size = sizeof wanted,
                                       .text = schema,
                                       .text_size = strlen(schema),
                                       .whitespace = SK_WHITESPACE_COMPACT};
  sk_constraint* constraint = NULL;
  check(sk_constraint_new(vocab, &wanted, &constraint));

  sk_engine* engine = NULL;
  check(sk_engine_new(model, NULL, &engine));
  const sk_message question = {"user", "A city in Norway, as JSON with name and people"};
  const sk_generate_params params = {
      .size = sizeof params, .messages = &question, .message_count = 1, .constraint = constraint};
  sk_generation* answer = NULL;
  check(sk_generation_start(engine, NULL, &params, &answer));
  struct sk_event event = {.size = sizeof event};
  while (event.finish == SK_FINISH_NONE) {
    check(sk_generation_next(answer, &event));
    fwrite(event.text, 1, event.text_size, stdout);
  }
  puts("");

  sk_generation_free(answer);
  sk_engine_free(engine);
  sk_constraint_free(constraint);
  sk_vocab_free(vocab);
  sk_model_close(model);
  return 0;
}

/* Two conversations at once through one engine, each word printed when it comes.
 * Usage: two [MODEL [QUESTION QUESTION]] */
#include <skein/skein.h>
#include <stdio.h>
#include <stdlib.h>

static void check(int32_t code) {
  if (code == SK_OK) return;
  fprintf(stderr, "two: %s\n", sk_last_error());
  exit(1);
}

int main(int argc, char** argv) {
  const char* names[2] = {"one", "two"};
  const char* questions[2] = {"Reverse: garden", "What is 12+30?"};
  for (int i = 0; i < 2 && argc > 3; ++i) questions[i] = argv[2 + i];

  sk_model* model = NULL;
  check(sk_model_open(argc > 1 ? argv[1] : "models/bundled-0.pth", NULL, &model));
  sk_engine* engine = NULL;
  check(sk_engine_new(model, NULL, &engine));

  sk_generation* talks[2] = {NULL, NULL};
  for (int i = 0; i < 2; ++i) {
    const sk_message message = {"user", questions[i]};
    sk_generate_params params = {0};
    params.size = sizeof params;
    params.messages = &message;
    params.message_count = 1;
    params.max_tokens = 200;
    check(sk_generation_start(engine, NULL, &params, &talks[i]));
  }

  /* A line for each piece of text, so that one sees how the two take turns. */
  for (size_t active = 2; active > 0;) {
    check(sk_engine_step(engine, NULL));
    for (int i = 0; i < 2; ++i) {
      struct sk_event event = {0};
      event.size = sizeof event;
      int32_t got = 0;
      check(sk_generation_poll(talks[i], &event, &got));
      if (!got) continue;
      if (event.text_size > 0) printf("%s: %.*s\n", names[i], (int)event.text_size, event.text);
      if (event.finish != SK_FINISH_NONE) --active;
    }
  }

  for (int i = 0; i < 2; ++i) sk_generation_free(talks[i]);
  sk_engine_free(engine);
  sk_model_close(model);
  return 0;
}

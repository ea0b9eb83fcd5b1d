// /v1/responses: the life of a response, and events in the order of the API's clients.
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "server/answers.h"
#include "server/routes/kept_responses.h"
#include "server/routes/response_reply.h"
#include "server/routes/stored_response.h"
#include "server/shared_server.h"
#include "server/test_server.h"
#include "store/memory_store.h"
#include "support/bundled.h"

namespace skein::test {
namespace {

constexpr const char* kQuestion = R"("input":"Reverse: garden","temperature":0)";

Reply ask_response(const std::string& fields) {
  return post(port(), "/v1/responses", "{" + fields + "}");
}
Json response(const std::string& fields) {
  const Reply reply = ask_response(fields);
  EXPECT_EQ(reply.status, 200) << reply.body;
  return reply.json();
}
Json item(const Json& object, size_t index = 0) {
  const auto output = object.find("output").array();
  return output && index < output->size() ? (*output)[index] : Json();
}
std::string said(const Json& object) {
  std::string out;
  for (const Json& each : *object.find("output").array())
    if (text(each, "type") == "message") out += text((*each.find("content").array())[0]);
  return out;
}
Reply get(const std::string& path) { return ask(port(), "GET", "/v1/responses/" + path); }
// What the same conversation gives as a chat.
std::string chat(const std::string& messages) {
  const Reply reply =
      post(port(), "/v1/chat/completions", R"({"temperature":0,"messages":[)" + messages + "]}");
  EXPECT_EQ(reply.status, 200) << reply.body;
  return text(choice(reply.json()).find("message"), "content");
}

struct Told {
  std::string name;
  Json data;
};
std::vector<Told> told_in(std::string_view body) {
  std::vector<Told> out;
  while (!body.empty()) {
    const size_t end = std::min(body.find("\n\n"), body.size());
    const std::string_view one = body.substr(0, end);
    body.remove_prefix(std::min(end + 2, body.size()));
    const size_t line = one.find('\n');
    EXPECT_TRUE(one.starts_with("event: ") && one.substr(line + 1).starts_with("data: ")) << one;
    Told told{std::string(one.substr(7, line - 7)),
              parse_json(one.substr(line + 7), 1 << 24).value_or(Json())};
    EXPECT_EQ(text(told.data, "type"), told.name);
    EXPECT_EQ(whole(told.data.find("sequence_number")), static_cast<int64_t>(out.size()));
    out.push_back(std::move(told));
  }
  return out;
}
std::vector<Told> events_of(const std::string& fields) {
  const Reply reply = ask_response(fields + R"(,"stream":true)");
  EXPECT_EQ(reply.fields.at("content-type"), "text/event-stream") << reply.body;
  return told_in(reply.body);
}
std::string names(const std::vector<Told>& events) {
  std::string out, last;
  for (const Told& one : events) {
    const std::string name = one.name.substr(std::string("response.").size());
    if (name != last || !name.ends_with("delta")) out += name + " ";
    last = name;
  }
  return out;
}
std::string copy_of(const Json& json) {
  JsonWriter out;
  return out.value(json).text();
}

TEST(Responses, say_what_a_chat_says_in_the_object_of_the_api) {
  const Json object = response(
      R"("input":"Reverse: garden","temperature":0,"metadata":{"a":"b"},"instructions":"Be short.","user":"u","tools":[],"text":{},"include":[])");
  EXPECT_EQ(said(object), chat(R"({"role":"system","content":"Be short."},)"
                               R"({"role":"user","content":"Reverse: garden"})"));
  EXPECT_TRUE(text(object, "id").starts_with("resp_"));
  EXPECT_EQ(text(object, "object"), "response");
  EXPECT_EQ(text(object, "status"), "completed");
  EXPECT_EQ(text(object, "model"), "bundled");
  EXPECT_EQ(text(object, "instructions"), "Be short.");
  EXPECT_EQ(text(object, "truncation"), "disabled");
  EXPECT_EQ(text(object, "tool_choice"), "auto");
  EXPECT_EQ(text(object.find("metadata"), "a"), "b");
  EXPECT_EQ(text(object.find("text").find("format"), "type"), "text");
  EXPECT_EQ(object.find("store").boolean(), true);
  EXPECT_GT(whole(object.find("created_at")), 1'000'000'000);
  for (const char* name :
       {"error", "incomplete_details", "previous_response_id", "max_output_tokens"})
    EXPECT_TRUE(object.find(name).is_null()) << name;
  const Json message = item(object);
  EXPECT_TRUE(text(message, "id").starts_with("msg_"));
  EXPECT_EQ(text(message, "role"), "assistant");
  EXPECT_EQ(text(message, "status"), "completed");
  EXPECT_EQ(text((*message.find("content").array())[0], "type"), "output_text");
  const Json usage = object.find("usage");
  EXPECT_EQ(whole(usage.find("total_tokens")),
            whole(usage.find("input_tokens")) + whole(usage.find("output_tokens")));
  EXPECT_GT(whole(usage.find("output_tokens")), 0);
  EXPECT_EQ(whole(usage.find("output_tokens_details").find("reasoning_tokens")), 0);
}

TEST(Responses, a_stream_tells_every_event_and_ends_with_the_object) {
  const std::vector<Told> events = events_of(kQuestion);
  EXPECT_EQ(names(events),
            "created in_progress output_item.added content_part.added output_text.delta "
            "output_text.done content_part.done output_item.done completed ");
  std::string deltas, done;
  for (const Told& one : events) {
    if (one.name == "response.output_text.delta") deltas += text(one.data, "delta");
    if (one.name == "response.output_text.done") done = text(one.data);
  }
  EXPECT_EQ(deltas, BUNDLED_REVERSED);
  EXPECT_EQ(done, deltas);
  for (size_t i = 0; i < 2; ++i) {
    const Json begun = events[i].data.find("response");
    EXPECT_EQ(text(begun, "status"), "in_progress");
    EXPECT_TRUE(begun.find("usage").is_null());
    EXPECT_TRUE(begun.find("output").array()->empty());
    EXPECT_EQ(text(begun, "model"), "bundled");
  }
  const Json object = events.back().data.find("response");
  EXPECT_EQ(said(object), deltas);
  EXPECT_EQ(copy_of(item(object)), copy_of(events[events.size() - 2].data.find("item")));
  // And is what is kept.
  EXPECT_EQ(copy_of(get(text(object, "id")).json()), copy_of(object));
  EXPECT_EQ(copy_of(item(response(kQuestion)).find("content")),
            copy_of(item(object).find("content")));
}

TEST(Responses, the_limit_leaves_them_incomplete) {
  const std::string fields = std::string(kQuestion) + R"(,"max_output_tokens":3)";
  const Json object = response(fields);
  EXPECT_EQ(text(object, "status"), "incomplete");
  EXPECT_EQ(text(object.find("incomplete_details"), "reason"), "max_output_tokens");
  EXPECT_EQ(text(item(object), "status"), "incomplete");
  EXPECT_EQ(whole(object.find("usage").find("output_tokens")), 3);
  EXPECT_EQ(whole(object.find("max_output_tokens")), 3);
  EXPECT_EQ(events_of(fields).back().name, "response.incomplete");
}

TEST(Responses, probabilities_are_told_where_they_are_included) {
  const std::string fields =
      std::string(kQuestion) + R"(,"include":["message.output_text.logprobs"],"top_logprobs":2)";
  const Json part = (*item(response(fields)).find("content").array())[0];
  const auto logprobs = part.find("logprobs").array();
  ASSERT_GE(logprobs->size(), 6u);
  EXPECT_EQ(logprobs->front().find("top_logprobs").array()->size(), 2u);
  size_t streamed = 0;
  for (const Told& one : events_of(fields))
    if (one.name == "response.output_text.delta")
      streamed += one.data.find("logprobs").array()->size();
  EXPECT_EQ(streamed, logprobs->size());
}

TEST(Responses, one_may_be_gone_on_from_many_times_and_instructions_are_not_inherited) {
  const Json first =
      response(R"("input":"Reverse: garden","temperature":0,"instructions":"Be kind.")");
  const std::string id = text(first, "id");
  const std::string history = R"({"role":"user","content":"Reverse: garden"},)"
                              R"({"role":"assistant","content":")" +
                              said(first) + R"("},)";
  const auto follow = [&](const std::string& question, const std::string& more = "") {
    return response("\"previous_response_id\":\"" + id + "\",\"temperature\":0,\"input\":\"" +
                    question + "\"" + more);
  };
  const Json second = follow("Reverse: river");
  EXPECT_EQ(text(second, "previous_response_id"), id);
  EXPECT_EQ(said(second), chat(history + R"({"role":"user","content":"Reverse: river"})"));
  // Another branch, with instructions of its own.
  EXPECT_EQ(said(follow("Spell: house", R"(,"instructions":"Be brief.")")),
            chat(R"({"role":"system","content":"Be brief."},)" + history +
                 R"({"role":"user","content":"Spell: house"})"));
  // A third turn has all before it: its prompt is as long as the chat's.
  const Json third = response("\"previous_response_id\":\"" + text(second, "id") +
                              R"(","temperature":0,"input":"Reverse: red")");
  const Reply same = post(port(), "/v1/chat/completions",
                          R"({"temperature":0,"messages":[)" + history +
                              R"({"role":"user","content":"Reverse: river"},)" +
                              R"({"role":"assistant","content":")" + said(second) + R"("},)" +
                              R"({"role":"user","content":"Reverse: red"}]})");
  EXPECT_EQ(whole(third.find("usage").find("input_tokens")),
            whole(same.json().find("usage").find("prompt_tokens")));
  EXPECT_EQ(said(third), text(choice(same.json()).find("message"), "content"));
}

TEST(Responses, what_was_cut_is_gone_on_with_and_stays_one_turn) {
  const Json cut = response(
      R"("input":[{"role":"user","content":"Reverse: garden"},{"role":"assistant","content":"ned"}],"temperature":0)");
  EXPECT_EQ(said(cut), "rag");
  const Json next = response("\"previous_response_id\":\"" + text(cut, "id") +
                             R"(","temperature":0,"input":"Reverse: red")");
  EXPECT_EQ(said(next), chat(R"({"role":"user","content":"Reverse: garden"},)"
                             R"({"role":"assistant","content":"nedrag"},)"
                             R"({"role":"user","content":"Reverse: red"})"));
}

TEST(Responses, every_form_of_an_item_is_understood) {
  const auto prompt_tokens = [](const Json& object) {
    return whole(object.find("usage").find("input_tokens"));
  };
  const Json plain = response(
      R"("temperature":0,"input":[{"role":"developer","content":"a"},{"role":"user","content":"b"},{"role":"assistant","content":"c"},{"role":"user","content":"d"}])");
  const Json typed = response(
      R"("temperature":0,"input":[{"type":"message","role":"system","content":[{"type":"input_text","text":"a"}],"status":null},
      {"type":"message","role":"user","content":[{"type":"input_text","text":"b"}],"status":"completed"},
      {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"hidden"}]},
      {"type":"message","id":"msg_1","role":"assistant","status":"incomplete","content":[{"type":"output_text","text":"c","annotations":[]}]},
      {"role":"user","content":"d"}])");
  EXPECT_EQ(said(typed), said(plain));
  EXPECT_EQ(prompt_tokens(typed), prompt_tokens(plain));
  // Calls and their results, with and without ids, as a chat has them.
  const Json called = response(
      R"("temperature":0,"input":[{"role":"user","content":"b"},{"role":"assistant","content":"c"},
      {"type":"function_call","call_id":"call_1","name":"f","arguments":"{\"x\":1}"},
      {"type":"function_call","id":"fc_1","call_id":"call_2","name":"g","arguments":"{}","status":"completed"},
      {"type":"function_call_output","call_id":"call_1","output":"one"},
      {"type":"function_call_output","call_id":"call_2","output":[{"type":"input_text","text":"two"}]}])");
  const Reply chatted = post(
      port(), "/v1/chat/completions",
      R"({"temperature":0,"messages":[{"role":"user","content":"b"},{"role":"assistant","content":"c","tool_calls":[
      {"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},
      {"id":"call_2","type":"function","function":{"name":"g","arguments":"{}"}}]},
      {"role":"tool","tool_call_id":"call_1","content":"one"},{"role":"tool","tool_call_id":"call_2","content":"two"}]})");
  ASSERT_EQ(chatted.status, 200) << chatted.body;
  EXPECT_EQ(said(called), text(choice(chatted.json()).find("message"), "content"));
  EXPECT_EQ(prompt_tokens(called), whole(chatted.json().find("usage").find("prompt_tokens")));
}

TEST(Responses, an_item_stands_for_itself_by_its_id) {
  const Json first = response(kQuestion);
  const Json with_reference = response(
      R"("temperature":0,"input":[{"role":"user","content":"Reverse: garden"},{"type":"item_reference","id":")" +
      text(item(first), "id") + R"("},{"role":"user","content":"Reverse: red"}])");
  EXPECT_EQ(said(with_reference),
            chat(R"({"role":"user","content":"Reverse: garden"},)"
                 R"({"role":"assistant","content":")" +
                 said(first) + R"("},{"role":"user","content":"Reverse: red"})"));
  const Reply none = ask_response(R"("input":[{"type":"item_reference","id":"msg_0_0"}])");
  EXPECT_EQ(none.status, 404);
  EXPECT_EQ(none.error("param"), "input[0].id");
  EXPECT_EQ(none.error("type"), "not_found_error");
}

// A reference takes fifty bytes and stands for as much as was sent before.
TEST(Responses, what_is_referred_to_is_bounded) {
  const Json first = response(R"("max_output_tokens":1,"input":[{"role":"user","content":"a"},)"
                              R"({"type":"reasoning","text":")" +
                              std::string(1'500'000, 'x') + "\"}]");
  const std::string id = "rs_" + text(first, "id").substr(5) + "_i1";
  const auto with = [&](int count) {
    std::string input = R"({"role":"user","content":"a"})";
    for (int i = 0; i < count; ++i) input += R"(,{"type":"item_reference","id":")" + id + "\"}";
    return ask_response(R"("max_output_tokens":1,"input":[)" + input + "]");
  };
  EXPECT_EQ(with(3).status, 200);
  const Reply refused = with(400);
  EXPECT_EQ(refused.status, 400);
  EXPECT_NE(refused.error("message").find("referred to"), std::string::npos);
}

TEST(Responses, are_kept_until_they_are_deleted) {
  const Json object = response(kQuestion);
  const std::string id = text(object, "id");
  EXPECT_EQ(copy_of(get(id).json()), copy_of(object));
  EXPECT_EQ(ask(port(), "GET", "/responses/" + id).status, 200);
  const Json gone = ask(port(), "DELETE", "/v1/responses/" + id).json();
  EXPECT_EQ(copy_of(gone), fmt::format(R"({{"id":"{}","object":"response","deleted":true}})", id));
  EXPECT_EQ(get(id).status, 404);
  EXPECT_EQ(ask(port(), "DELETE", "/v1/responses/" + id).status, 404);
  EXPECT_EQ(get(id + "/input_items").status, 404);
  for (const char* stream : {"", R"(,"stream":true)"}) {
    const Reply next =
        ask_response("\"input\":\"a\",\"previous_response_id\":\"" + id + "\"" + stream);
    EXPECT_EQ(next.status, 400);
    EXPECT_EQ(next.error("code"), "previous_response_not_found");
    EXPECT_EQ(next.error("param"), "previous_response_id");
    EXPECT_EQ(next.fields.at("content-type"), "application/json");
  }
  const Json secret = response(std::string(kQuestion) + R"(,"store":false)");
  EXPECT_EQ(secret.find("store").boolean(), false);
  EXPECT_EQ(get(text(secret, "id")).status, 404);
}

TEST(Responses, a_conversation_whose_beginning_is_gone_says_so) {
  const std::string first = text(response(kQuestion), "id");
  const std::string second =
      text(response("\"input\":\"a\",\"previous_response_id\":\"" + first + "\""), "id");
  ask(port(), "DELETE", "/v1/responses/" + first);
  const Reply next = ask_response("\"input\":\"a\",\"previous_response_id\":\"" + second + "\"");
  EXPECT_EQ(next.status, 400);
  EXPECT_EQ(next.error("code"), "previous_response_not_found");
  EXPECT_NE(next.error("message").find(first), std::string::npos);
}

TEST(Responses, what_was_asked_is_told_in_pages) {
  const Json object = response(
      R"("temperature":0,"input":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}])");
  const std::string path = text(object, "id") + "/input_items";
  const auto texts = [](const Json& list) {
    std::string out;
    for (const Json& each : *list.find("data").array())
      out += text((*each.find("content").array())[0]);
    return out;
  };
  const Json all = get(path).json();
  EXPECT_EQ(text(all, "object"), "list");
  EXPECT_EQ(texts(all), "cba");
  EXPECT_EQ(all.find("has_more").boolean(), false);
  EXPECT_EQ(texts(get(path + "?order=asc").json()), "abc");
  const Json page = get(path + "?order=asc&limit=2").json();
  EXPECT_EQ(texts(page), "ab");
  EXPECT_EQ(page.find("has_more").boolean(), true);
  EXPECT_EQ(text(page, "first_id"), text(page.find("data").array()->front(), "id"));
  const Json rest = get(path + "?order=asc&after=" + text(page, "last_id")).json();
  EXPECT_EQ(texts(rest), "c");
  EXPECT_EQ(rest.find("has_more").boolean(), false);
  EXPECT_EQ(get(path + "?limit=0").error("param"), "limit");
  EXPECT_EQ(get(path + "?limit=101").error("param"), "limit");
  EXPECT_EQ(get(path + "?limit=1x").error("param"), "limit");
  EXPECT_EQ(get(path + "?order=up").error("param"), "order");
  EXPECT_EQ(get(path + "?after=x").error("param"), "after");
}

TEST(Responses, one_is_gone_on_from_after_a_restart_by_its_state) {
  const std::shared_ptr<store::Store> store = store::memory_store({});
  const auto options = [&] {
    server::ServerOptions out;
    out.service.store = store;
    out.service.responses = server::responses_in_store(store, 0);
    out.service.response_states_ms = 0;
    return out;
  };
  const std::string first =
      R"({"input":"Reverse: garden","temperature":0,"think":"none","max_output_tokens":20})";
  const auto next = [](const std::string& id) {
    return R"({"input":"And: river","temperature":0,"think":"none","max_output_tokens":20,)"
           R"("previous_response_id":")" +
           id + "\"}";
  };
  const auto said = [](const Reply& reply) {
    const Json item = reply.json().find("output").array()->front();
    return text(item.find("content").array()->front());
  };
  std::string id, before;
  {
    const TestServer server(options());
    id = text(post(server.port(), "/v1/responses", first).json(), "id");
    before = said(post(server.port(), "/v1/responses", next(id)));
  }
  const TestServer server(options());
  const Reply reply = post(server.port(), "/v1/responses", next(id));
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(said(reply), before);
  const Json usage = reply.json().find("usage");
  const int64_t cached = whole(usage.find("input_tokens_details").find("cached_tokens"));
  EXPECT_GT(cached, whole(usage.find("input_tokens")) / 2) << reply.body;
  // Other instructions are another text, which is read.
  std::string other = next(id);
  other.insert(1, R"("instructions":"Be brief.",)");
  EXPECT_EQ(post(server.port(), "/v1/responses", other).status, 200);
  // What is deleted leaves nothing behind it.
  const std::string second = text(reply.json(), "id");
  const auto nodes = store->usage()->nodes;
  EXPECT_EQ(ask(server.port(), "DELETE", "/v1/responses/" + second).status, 200);
  EXPECT_LT(store->usage()->nodes, nodes);
}

TEST(Responses, a_key_sees_its_own_only) {
  server::ServerOptions options;
  ASSERT_TRUE(options.service.keys.add("generate:one"));
  ASSERT_TRUE(options.service.keys.add("admin:two"));
  TestServer server(std::move(options));
  const auto with = [&](const char* method, const std::string& path, const char* key,
                        const std::string& body = "") {
    return ask(server.port(), method, path, body, fmt::format("Authorization: Bearer {}\r\n", key));
  };
  const Json mine =
      with("POST", "/v1/responses", "one", R"({"input":"a","max_output_tokens":2})").json();
  const std::string id = text(mine, "id"), path = "/v1/responses/" + id;
  EXPECT_EQ(with("GET", path, "two").status, 404);
  EXPECT_EQ(with("DELETE", path, "two").status, 404);
  EXPECT_EQ(
      with("POST", "/v1/responses", "two", R"({"input":"a","previous_response_id":")" + id + "\"}")
          .error("code"),
      "previous_response_not_found");
  EXPECT_EQ(with("POST", "/v1/responses", "two",
                 R"({"input":[{"type":"item_reference","id":")" + text(item(mine), "id") + "\"}]}")
                .status,
            404);
  EXPECT_EQ(with("GET", path, "one").status, 200);
}

TEST(Responses, what_is_wrong_is_named_also_where_a_stream_was_asked_for) {
  const std::string good = R"("input":"a")";
  const struct {
    std::string body;
    int status;
    const char* param;
  } all[] = {
      {R"("x":1)", 400, "input"},
      {R"("input":5)", 400, "input"},
      {R"("input":[])", 400, "input"},
      {R"("input":["a"])", 400, "input[0]"},
      {R"("input":[{"role":"user","content":"a"},{"role":"root","content":"a"}])", 400,
       "input[1].role"},
      {R"("input":[{"role":"user"}])", 400, "input[0].content"},
      {R"("input":[{"role":"user","content":[{"type":"input_image","image_url":"x"}]}])", 400,
       "input[0].content"},
      {R"("input":[{"type":"web_search_call","id":"x"}])", 400, "input[0].type"},
      {R"("input":[{"type":5}])", 400, "input[0].type"},
      {R"("input":[{}])", 400, "input[0].type"},
      {R"("input":[{"type":"function_call","call_id":"c","arguments":"{}"}])", 400,
       "input[0].name"},
      {R"("input":[{"type":"function_call","call_id":"c","name":"f","arguments":{}}])", 400,
       "input[0].arguments"},
      {R"("input":[{"type":"function_call_output","output":"a"}])", 400, "input[0].call_id"},
      {R"("input":[{"type":"function_call_output","call_id":"none","output":"a"}])", 400,
       "input[0].call_id"},
      {good + R"(,"previous_response_id":5)", 400, "previous_response_id"},
      {good + R"(,"conversation":"conv_1")", 400, "conversation"},
      {good + R"(,"prompt":{"id":"pmpt_1"})", 400, "prompt"},
      {good + R"(,"background":true)", 400, "background"},
      {good + R"(,"instructions":[])", 400, "instructions"},
      {good + R"(,"max_output_tokens":0)", 400, "max_output_tokens"},
      {good + R"(,"metadata":{"a":1})", 400, "metadata"},
      {good + R"(,"metadata":"a")", 400, "metadata"},
      {good + R"(,"include":"a")", 400, "include"},
      {good + R"(,"truncation":"middle")", 400, "truncation"},
      {good + R"(,"store":"yes")", 400, "store"},
      {good + R"(,"reasoning":{"effort":"huge"})", 400, "reasoning.effort"},
      {good + R"(,"top_logprobs":21)", 400, "top_logprobs"},
      {good + R"(,"temperature":-1)", 400, "temperature"},
      {good + R"(,"text":{"format":{"type":"json_schema","name":"x"}})", 400, "text.format.schema"},
      {good + R"(,"tools":[{"type":"web_search"}])", 501, "tools[0].type"},
  };
  for (const auto& bad : all)
    for (const char* stream : {"", R"(,"stream":true)"}) {
      const Reply reply = ask_response(bad.body + stream);
      EXPECT_EQ(reply.status, bad.status) << bad.body << reply.body;
      EXPECT_EQ(reply.error("param"), bad.param) << bad.body << reply.body;
      EXPECT_EQ(reply.fields.at("content-type"), "application/json");
    }
  EXPECT_EQ(ask_response(good + R"(,"max_output_tokens":1,"background":false,"conversation":null,)"
                                R"("tools":[{"type":"function","name":"f"}],"tool_choice":"none")")
                .status,
            200);
}

TEST(ResponseStore, keeps_within_its_bounds_and_forgets_the_longest_not_asked_for) {
  const auto store = server::responses_in_memory({.bytes = 10'000, .tenant_bytes = 4'000});
  const Digest one = {std::byte{1}}, two = {std::byte{2}}, three = {std::byte{3}};
  const auto has = [&](const Digest& tenant, const std::string& id) {
    return store->get(tenant, id).value().has_value();
  };
  const std::string document(1'000, 'x');
  for (const char* id : {"a", "b", "c"}) ASSERT_TRUE(store->put(one, id, document));
  EXPECT_TRUE(has(one, "a"));
  ASSERT_TRUE(store->put(one, "d", document));
  EXPECT_TRUE(has(one, "a"));
  EXPECT_FALSE(has(one, "b"));
  EXPECT_FALSE(has(two, "a"));
  const auto large = store->put(two, "large", std::string(5'000, 'x'));
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().code, Code::memory);
  // Others push out what was not asked for the longest, whosever it is.
  for (const char* id : {"a", "b", "c"}) ASSERT_TRUE(store->put(two, id, document));
  EXPECT_TRUE(has(one, "d"));
  for (const char* id : {"a", "b", "c"}) ASSERT_TRUE(store->put(three, id, document));
  EXPECT_FALSE(has(one, "c"));
  EXPECT_TRUE(has(one, "d"));
  EXPECT_TRUE(store->remove(one, "d").value());
  EXPECT_FALSE(store->remove(one, "d").value());
  // One in the place of another counts once.
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(store->put(three, "a", document));
  EXPECT_TRUE(has(three, "b"));
}

TEST(ResponseStore, a_document_comes_back_as_it_was) {
  server::StoredResponse in;
  in.id = "resp_1";
  in.previous = "resp_0";
  in.json = R"({"a":"\u0000\""})";
  in.goes_on = true;
  in.input.push_back({"msg_1_i0", R"({"x":1})", server::Said{text::Role::tool, "t\n\"", false}});
  in.output.push_back({"rs_1_0", "{}", std::nullopt});
  in.output.push_back({"msg_1_1", "{}", server::Said{text::Role::assistant, "a", true}});
  const auto out = server::from_document(server::to_document(in));
  ASSERT_TRUE(out);
  EXPECT_EQ(server::to_document(*out), server::to_document(in));
  EXPECT_EQ(out->input[0].said->text, "t\n\"");
  EXPECT_FALSE(out->output[0].said);
  for (const char* bad : {"", "[]", "{\"a\""}) EXPECT_FALSE(server::from_document(bad)) << bad;
  EXPECT_EQ(server::response_of_item(server::item_id("msg", "resp_12", 3, true)), "resp_12");
  EXPECT_EQ(server::response_of_item("msg"), "");
}

// A store that cannot keep anything.
class Full final : public server::ResponseStore {
 public:
  Status put(const Digest&, const std::string&, std::string) override {
    return fail(Code::io, "the disk is full");
  }
  Result<std::optional<std::string>> get(const Digest&, const std::string&) override {
    return fail(Code::io, "the disk is gone");
  }
  Result<bool> remove(const Digest&, const std::string&) override { return false; }
};

TEST(ResponseStore, an_answer_that_could_not_be_kept_is_given_and_says_so) {
  server::ServerOptions options;
  options.service.responses = std::make_shared<Full>();
  TestServer server(std::move(options));
  const Reply reply =
      post(server.port(), "/v1/responses", R"({"input":"a","max_output_tokens":2})");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.json().find("store").boolean(), false);
  EXPECT_EQ(ask(server.port(), "GET", "/v1/responses/resp_1").status, 500);
}

TEST(Responses, an_error_in_a_stream_is_told_twice_and_ends_it) {
  const Bundled& with = bundled();
  server::Host host("bundled", with.model, with.tokenizer, {});
  server::Workers workers(1, 1);
  const auto store = server::responses_in_memory({.bytes = 1 << 20, .tenant_bytes = 1 << 20});
  const auto exchange = std::make_shared<server::Exchange>();
  server::ReplyPlan plan;
  plan.exchange = exchange;
  plan.host = &host;
  plan.workers = &workers;
  plan.stream = true;
  server::ResponsePlan response;
  response.id = "resp_1";
  const auto reply = server::make_response_reply(std::move(plan), std::move(response),
                                                 server::Responses(*store, {}));
  reply->accepted();
  reply->failed({.status = 503, .message = "the server is ending", .code = "server_ending"});
  const server::Answer::Output output = exchange->answer->take();
  EXPECT_TRUE(output.ended && output.closes);
  const std::vector<Told> events = told_in(output.bytes);
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[2].name, "error");
  EXPECT_EQ(text(events[2].data, "code"), "server_ending");
  EXPECT_EQ(text(events[2].data, "message"), "the server is ending");
  EXPECT_TRUE(events[2].data.find("param").is_null());
  EXPECT_EQ(events[3].name, "response.failed");
  const Json object = events[3].data.find("response");
  EXPECT_EQ(text(object, "status"), "failed");
  EXPECT_EQ(text(object.find("error"), "message"), "the server is ending");
  EXPECT_FALSE(store->get({}, "resp_1").value());
}

TEST(Workers, do_what_is_owed_however_much_waits_and_even_when_they_have_ended) {
  server::Workers workers(1, 0);
  EXPECT_FALSE(workers.push([] {}));
  std::promise<std::thread::id> first;
  workers.owe([&] { first.set_value(std::this_thread::get_id()); });
  EXPECT_NE(first.get_future().get(), std::this_thread::get_id());
  workers.stop();
  std::thread::id second;
  workers.owe([&] { second = std::this_thread::get_id(); });
  EXPECT_EQ(second, std::this_thread::get_id());
}

// The bundled model was never taught to think: talked to like one that was, it does so until its
// thought is closed for it.
TEST(Responses, thoughts_are_items_of_their_own) {
  TestServer server({}, {}, {"bundled"}, bundled(), text::profile_by_name("g1"));
  const auto ask_it = [&](const std::string& more) {
    return post(
        server.port(), "/v1/responses",
        R"({"input":"a","think":"free","seed":3,"temperature":2,"top_p":1,"ignore_eos":true)" +
            more + "}");
  };
  const auto part = [](const Json& item, std::string_view key) {
    const auto list = item.find(key).array();
    return list->empty() ? Json() : list->front();
  };
  // Until the limit: there is no answer.
  const Json cut = ask_it(R"(,"max_output_tokens":12)").json();
  ASSERT_EQ(cut.find("output").array()->size(), 1u) << copy_of(cut);
  EXPECT_EQ(text(item(cut), "type"), "reasoning");
  EXPECT_EQ(text(item(cut), "status"), "incomplete");
  EXPECT_TRUE(text(item(cut), "id").starts_with("rs_"));
  EXPECT_EQ(text(part(item(cut), "content"), "type"), "reasoning_text");
  EXPECT_FALSE(part(item(cut), "summary"));
  EXPECT_GT(whole(cut.find("usage").find("output_tokens_details").find("reasoning_tokens")), 0);
  for (const bool summary : {false, true}) {
    SCOPED_TRACE(summary);
    const std::string fields = std::string(R"(,"max_output_tokens":40,"reasoning_budget":6)") +
                               (summary ? R"(,"reasoning":{"summary":"auto"})" : "");
    const Json object = ask_it(fields).json();
    ASSERT_EQ(object.find("output").array()->size(), 2u);
    const Json thought = part(item(object), summary ? "summary" : "content");
    EXPECT_EQ(text(thought, "type"), summary ? "summary_text" : "reasoning_text");
    EXPECT_FALSE(part(item(object), summary ? "content" : "summary"));
    EXPECT_EQ(text(item(object), "status"), "completed");
    EXPECT_EQ(text(item(object, 1), "type"), "message");
    const std::vector<Told> events = told_in(ask_it(fields + R"(,"stream":true)").body);
    EXPECT_EQ(
        names(events),
        fmt::format("created in_progress output_item.added {0}part.added {1}.delta {1}.done "
                    "{0}part.done output_item.done output_item.added content_part.added "
                    "output_text.delta output_text.done content_part.done output_item.done {2} ",
                    summary ? "reasoning_summary_" : "content_",
                    summary ? "reasoning_summary_text" : "reasoning_text", text(object, "status")));
    std::string deltas;
    for (const Told& one : events)
      if (one.name.starts_with("response.reasoning") && one.name.ends_with("text.delta")) {
        EXPECT_EQ(whole(one.data.find("output_index")), 0);
        EXPECT_EQ(whole(one.data.find(summary ? "summary_index" : "content_index")), 0);
        deltas += text(one.data, "delta");
      }
    EXPECT_EQ(deltas, text(thought));
    EXPECT_EQ(said(events.back().data.find("response")), said(object));
  }
}

}  // namespace
}  // namespace skein::test

#include "base/limits.h"

namespace skein::limits {
namespace {

constexpr Limit kTable[] = {
    {"header", kHeaderBytes, "bytes", "safetensors header, data.pkl or GGUF metadata of a model"},
    {"tensors", kTensors, "", "tensors in a file"},
    {"shards", kShards, "", "files of one model"},
    {"folder_json", kFolderJsonBytes, "bytes", "config.json, or an index of shards"},
    {"pth_axes", kPthAxes, "", "axes of a tensor in a .pth"},
    {"axes", kAxes, "", "axes of a tensor in any other file"},
    {"name", kNameBytes, "bytes", "a tensor's name"},
    {"dimension", kDimension, "", "one axis of a tensor"},
    {"metadata_keys", kMetadataKeys, "", "metadata keys in a file"},
    {"array", kArrayElements, "elements", "a metadata array; keys and values of a JSON text"},
    {"array_depth", kArrayDepth, "", "metadata arrays inside arrays"},
    {"string", kStringBytes, "bytes", "a metadata string"},
    {"layers", kLayers, "", "layers of a model"},
    {"width", kWidth, "", "width of a model"},
    {"inner", kInner, "", "width of a model's channel mix"},
    {"vocab", kVocab, "", "rows of a vocabulary"},
    {"pickle_opcodes", kPickleOpcodes, "", "opcodes of a pickle"},
    {"pickle_stack", kPickleStack, "", "values on a pickle's stack"},
    {"pickle_memo", kPickleMemo, "", "entries of a pickle's memo"},
    {"pickle_depth", kPickleDepth, "", "values inside values in a pickle"},
    {"json_depth", kJsonDepth, "", "values inside values in JSON"},
    {"vocab_file", kVocabFileBytes, "bytes", "a vocabulary file"},
    {"token", kTokenBytes, "bytes", "one token of a vocabulary"},
    {"prompt", kPromptTokens, "tokens", "one prompt"},
    {"stops", kStopStrings, "", "stop strings"},
    {"stop", kStopBytes, "bytes", "one stop string"},
    {"logit_bias", kLogitBias, "", "logit biases"},
    {"chat_turns", kChatTurns, "", "turns of a saved conversation"},
    {"chat_branches", kChatBranches, "", "branches of a saved conversation"},
    {"state_file", kStateFileBytes, "bytes", "a state file"},
    {"state_magnitude", kStateMagnitude, "", "absolute value of a number in a state"},
    {"request_line", kRequestLineBytes, "bytes", "the first line of a request"},
    {"header_section", kHeaderSectionBytes, "bytes", "a request's header with its first line"},
    {"header_fields", kHeaderFields, "", "fields of a request's header"},
    {"request_id", kRequestIdBytes, "bytes", "an x-request-id that is taken over"},
    {"body", kBodyBytes, "bytes", "a request's body, unless --body-limit says otherwise"},
    {"body_most", kBodyBytesMost, "bytes", "what --body-limit may say"},
    {"body_rate", kBodyBytesPerSecond, "bytes/s", "how fast a body comes at least"},
    {"header_time", kHeaderSeconds, "s", "until a request's header is there"},
    {"body_time", kBodySeconds, "s", "until a request's body is there, longer for long ones"},
    {"idle_time", kIdleSeconds, "s", "between two requests of a connection"},
    {"connection_requests", kConnectionRequests, "", "requests of one connection"},
    {"connections", kConnections, "", "connections"},
    {"peer_connections", kPeerConnections, "", "connections from one address elsewhere"},
    {"unsent", kUnsentBytes, "bytes", "of a stream that nobody took; then generation waits"},
    {"stall_time", kStallSeconds, "s", "in which a reader takes nothing"},
    {"discard", kDiscardBytes, "bytes", "of a refused request, read so that the answer arrives"},
    {"discard_time", kDiscardSeconds, "s", "for that"},
    {"drain_time", kDrainSeconds, "s", "for answers under way when the server is to end"},
    {"waiting", kWaitingRequests, "", "requests that wait for a model"},
    {"prompts", kPrompts, "", "prompts of one request"},
    {"choices", kChoices, "", "answers to one prompt"},
    {"top_logprobs", kTopLogprobs, "", "likeliest tokens that are told"},
    {"answer", kAnswerBytes, "bytes", "an answer that is not streamed"},
    {"log_field", kLogFieldBytes, "bytes", "a field of the log"},
    {"threads", kThreads, "", "threads"},
};

}  // namespace

std::span<const Limit> table() { return kTable; }

}  // namespace skein::limits

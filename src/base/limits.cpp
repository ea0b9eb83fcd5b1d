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
    {"threads", kThreads, "", "threads"},
};

}  // namespace

std::span<const Limit> table() { return kTable; }

}  // namespace skein::limits

// Every bound that untrusted input meets, in one place. `skein doctor --limits` prints kLimitTable.
#pragma once

#include <cstdint>
#include <span>

namespace skein::limits {

inline constexpr uint64_t kMiB = 1024 * 1024;

// Model files.
inline constexpr uint64_t kHeaderBytes = 16 * kMiB;  // safetensors header, data.pkl, GGUF metadata
inline constexpr uint64_t kTensors = 16384;
inline constexpr uint64_t kShards = 256;                // files of one model
inline constexpr uint64_t kFolderJsonBytes = 4 * kMiB;  // an index of shards, config.json
inline constexpr uint64_t kPthAxes = 8;
inline constexpr uint64_t kAxes = 4;  // every container but .pth
inline constexpr uint64_t kNameBytes = 256;
inline constexpr uint64_t kDimension = uint64_t{1} << 31;
inline constexpr uint64_t kMetadataKeys = 4096;
inline constexpr uint64_t kArrayElements = 2'000'000;
inline constexpr uint64_t kArrayDepth = 4;
inline constexpr uint64_t kStringBytes = 16 * kMiB;
inline constexpr uint64_t kLayers = 1024;
inline constexpr uint64_t kWidth = 65536;
inline constexpr uint64_t kInner = uint64_t{1} << 20;  // of a channel mix
inline constexpr uint64_t kVocab = uint64_t{1} << 20;
inline constexpr uint64_t kPickleOpcodes = 2'000'000;
inline constexpr uint64_t kPickleStack = 4096;
inline constexpr uint64_t kPickleMemo = 131072;
inline constexpr uint64_t kPickleDepth = 64;

// Text and requests.
inline constexpr uint64_t kJsonDepth = 64;
inline constexpr uint64_t kVocabFileBytes = 64 * kMiB;
inline constexpr uint64_t kTokenBytes = 1024;
inline constexpr uint64_t kPromptTokens = uint64_t{1} << 24;
inline constexpr uint64_t kStopStrings = 16;
inline constexpr uint64_t kStopBytes = 256;
inline constexpr uint64_t kLogitBias = 1024;

// States.
inline constexpr uint64_t kChatTurns = uint64_t{1} << 16;  // in a file
inline constexpr uint64_t kChatBranches = 1024;
inline constexpr uint64_t kStateFileBytes = 1024 * kMiB;
inline constexpr uint64_t kStateTextBytes = 16 * kMiB;  // beside the numbers of one that is sent
inline constexpr uint64_t kStateScopes = 4096;          // whose texts a server keeps states of
inline constexpr double kStateMagnitude = 1e6;          // |x| of any number in a state

// What a store keeps.
inline constexpr uint64_t kStoreNameBytes = 128;             // of a state or a document's id
inline constexpr uint64_t kStoreSessionBytes = 256;          // a session's name
inline constexpr uint64_t kStoreNoteBytes = 64 * 1024;       // beside a state
inline constexpr uint64_t kStoreDocumentBytes = 128 * kMiB;  // a response with its input
inline constexpr uint64_t kStoreDepth = uint64_t{1} << 17;   // states before a state
inline constexpr uint64_t kStorePage = 1000;                 // rows of a list

// Requests over HTTP.
inline constexpr uint64_t kRequestLineBytes = 8 * 1024;
inline constexpr uint64_t kHeaderSectionBytes = 16 * 1024;
inline constexpr uint64_t kHeaderFields = 64;
inline constexpr uint64_t kRequestIdBytes = 128;
inline constexpr uint64_t kBodyBytes = 2 * kMiB;        // unless the server is told otherwise
inline constexpr uint64_t kBodyBytesMost = 64 * kMiB;   // that it may be told
inline constexpr uint64_t kBodiesBytes = 256 * kMiB;    // of all that nobody has read yet
inline constexpr uint64_t kBodyBytesPerSecond = 16384;  // at least
inline constexpr uint64_t kHeaderSeconds = 10;          // in all, also for the first byte
inline constexpr uint64_t kBodySeconds = 30;
inline constexpr uint64_t kIdleSeconds = 60;  // between two requests
inline constexpr uint64_t kAheadSeconds =
    1;  // that a header section's bytes may wait for an answer
inline constexpr uint64_t kConnectionRequests = 1000;
inline constexpr uint64_t kConnections = 1024;
inline constexpr uint64_t kPeerConnections = 64;      // of one address that is not this machine
inline constexpr uint64_t kUnsentBytes = 256 * 1024;  // of a stream; beyond it generation pauses
inline constexpr uint64_t kStallSeconds = 30;         // in which a reader takes nothing
inline constexpr uint64_t kDiscardBytes = 16 * kMiB;  // read after a refusal, so that it arrives
inline constexpr uint64_t kDiscardSeconds = 2;
inline constexpr uint64_t kDrainSeconds = 10;
inline constexpr uint64_t kWaitingRequests = 256;
inline constexpr uint64_t kPrompts = 256;  // in one request
inline constexpr uint64_t kInputs = 2048;  // of one request, to be read and not gone on with
inline constexpr uint64_t kChoices = 8;    // of one prompt
inline constexpr uint64_t kTopLogprobs = 20;
inline constexpr uint64_t kMetadata = 16;  // of a response: names, and bytes of each and its value
inline constexpr uint64_t kMetadataNameBytes = 64;
inline constexpr uint64_t kMetadataBytes = 512;
inline constexpr uint64_t kResponsesBytes = 256 * kMiB;       // that are kept, of all keys
inline constexpr uint64_t kTenantResponsesBytes = 64 * kMiB;  // and of one
inline constexpr uint64_t kAnswerBytes = 64 * kMiB;           // that is not streamed
inline constexpr uint64_t kReferredBytes = 16 * kMiB;         // of items that a response refers to
inline constexpr uint64_t kLogFieldBytes = 256;
inline constexpr uint64_t kPageFileBytes = 16 * kMiB;  // of the web page

// The machine.
inline constexpr uint64_t kThreads = 1024;

struct Limit {
  const char* name;
  double value;
  const char* unit;
  const char* what;
};

std::span<const Limit> table();

}  // namespace skein::limits

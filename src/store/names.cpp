#include "store/names.h"

#include <algorithm>

#include "base/limits.h"
#include "base/utf8.h"

namespace skein::store {
namespace {

constexpr std::string_view kBeginning = "st_";
constexpr size_t kIdBytes = 35;

bool is_lower_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

// Characters of one line. In an address "." and ".." are steps that clients and proxies take before
// anybody sees them, however they are written.
bool is_line(std::string_view text, uint64_t limit_bytes) {
  if (text.empty() || text.size() > limit_bytes || text == "." || text == "..") return false;
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    const auto first = static_cast<unsigned char>(text[0]);
    if (length == 0 || first < 0x20 || first == 0x7f) return false;
    if (length == 2 && first == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0) return false;
    text.remove_prefix(length);
  }
  return true;
}

Stored<void> check_node(const NodeDraft& node) {
  if (!is_id(node.id)) return refuse(Trouble::invalid, "{} is no state's id", escaped(node.id, 64));
  if (!node.parent.empty() && !is_id(node.parent))
    return refuse(Trouble::missing, "there is no state {}", escaped(node.parent, 64));
  if (!node.name.empty() && !is_name(node.name))
    return refuse(Trouble::invalid, "a state cannot be called {}", escaped(node.name, 64));
  if (node.extra.size() > limits::kStoreNoteBytes)
    return refuse(Trouble::invalid, "the notes of a state have at most {} bytes, these have {}",
                  limits::kStoreNoteBytes, node.extra.size());
  if (node.ttl_ms < 0) return refuse(Trouble::invalid, "a time to live cannot be negative");
  if (node.origin && (!node.parent.empty() || node.growing))
    return refuse(Trouble::invalid, "a state from elsewhere has no parent and does not grow");
  return {};
}

Stored<void> check_document(const DocumentDraft& document) {
  if (!is_kind(document.kind))
    return refuse(Trouble::invalid, "there is no such kind as {}", escaped(document.kind, 64));
  if (!is_document(document.id))
    return refuse(Trouble::invalid, "{} is no id", escaped(document.id, 64));
  if (document.json.size() > limits::kStoreDocumentBytes)
    return refuse(Trouble::invalid, "a document has at most {} bytes, this one has {}",
                  limits::kStoreDocumentBytes, document.json.size());
  if (document.ttl_ms < 0) return refuse(Trouble::invalid, "a time to live cannot be negative");
  return {};
}

}  // namespace

bool is_id(std::string_view id) {
  return id.size() == kIdBytes && id.starts_with(kBeginning) &&
         std::all_of(id.begin() + kBeginning.size(), id.end(), is_lower_hex);
}

bool is_name(std::string_view name) {
  return is_line(name, limits::kStoreNameBytes) && !name.starts_with(kBeginning);
}

bool is_session(std::string_view name) { return is_line(name, limits::kStoreSessionBytes); }

bool is_kind(std::string_view kind) {
  return !kind.empty() && kind.size() <= 32 && std::all_of(kind.begin(), kind.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

bool is_document(std::string_view id) {
  return !id.empty() && id.size() <= limits::kStoreNameBytes &&
         std::all_of(id.begin(), id.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

Stored<void> check_changes(const Changes& changes) {
  for (const NodeDraft& node : changes.nodes) SK_TRY_STATUS(check_node(node));
  for (const Finish& finish : changes.finished)
    if (finish.extra.size() > limits::kStoreNoteBytes)
      return refuse(Trouble::invalid, "the notes of a state have at most {} bytes, these have {}",
                    limits::kStoreNoteBytes, finish.extra.size());
  for (const SessionMove& move : changes.sessions) {
    if (!is_session(move.name))
      return refuse(Trouble::invalid, "a session cannot be called {}", escaped(move.name, 64));
    if (move.ttl_ms < 0) return refuse(Trouble::invalid, "a time to live cannot be negative");
  }
  for (const DocumentDraft& document : changes.documents) SK_TRY_STATUS(check_document(document));
  return {};
}

Stored<void> check_change(const NodeChange& change) {
  NodeDraft draft;
  draft.id = new_id();
  draft.name = change.name.value_or("");
  draft.extra = change.extra.value_or("");
  draft.ttl_ms = change.ttl_ms.value_or(0);
  return check_node(draft);
}

}  // namespace skein::store

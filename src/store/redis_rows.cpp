#include "store/redis_rows.h"

#include <algorithm>

#include "base/reader.h"
#include "run/byte_writer.h"

namespace skein::store::redis {
namespace {

constexpr size_t kBefore = 16;
constexpr std::string_view kNode = "SkN1", kSession = "SkS1", kDocument = "SkD1";

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The kind, the checksum of what follows, and that.
std::string sealed(std::string_view kind, ByteWriter& fields) {
  const std::vector<std::byte> body = fields.take();
  ByteWriter out(kind.size() + sizeof(uint32_t) + body.size());
  out.text(kind);
  out.number(crc32(body, crc32(bytes_of(kind))));
  out.raw(body);
  return std::string(text_of(out.take()));
}

std::optional<Reader> unsealed(std::string_view kind, std::string_view value) {
  Reader reader(bytes_of(value));
  if (reader.text(kind.size()) != kind) return std::nullopt;
  const uint32_t sum = reader.u32();
  if (!reader.ok()) return std::nullopt;
  const Reader body = reader;
  if (crc32(reader.bytes(reader.left()), crc32(bytes_of(kind))) != sum) return std::nullopt;
  return body;
}

std::string name_in(Reader& reader) { return std::string(reader.text(reader.u32())); }

Digest digest_in(Reader& reader) {
  Digest out{};
  const auto bytes = reader.bytes(out.size());
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

uint32_t sum_of(std::string_view id, std::string_view tokens, std::string_view text) {
  const auto size = static_cast<uint32_t>(tokens.size());
  return crc32(bytes_of(text), crc32(bytes_of(tokens), crc32(std::as_bytes(std::span(&size, 1)),
                                                             crc32(bytes_of(id)))));
}

}  // namespace

std::vector<std::string> before_next(const PathRow& parent) {
  std::vector<std::string> out{parent.row.node.id};
  out.insert(out.end(), parent.before.begin(),
             parent.before.begin() +
                 static_cast<std::ptrdiff_t>(std::min(parent.before.size(), kBefore - 1)));
  return out;
}

std::string value_of(const PathRow& path) {
  const Node& node = path.row.node;
  ByteWriter w(256 + node.extra.size());
  for (const std::string* text : {&node.id, &node.parent, &node.name, &node.extra}) w.name(*text);
  w.raw(path.row.tenant);
  w.raw(node.fingerprint);
  for (const bool flag : {node.origin, node.pinned, path.row.removed}) w.number(uint8_t{flag});
  w.number(static_cast<uint8_t>(node.stage));
  for (const int64_t number : {node.created_ms, node.used_ms, node.ttl_ms, path.row.moment})
    w.number(number);
  for (const uint64_t number : {node.own_tokens, node.tokens, node.own_text, node.snapshot_bytes,
                                node.hits, path.row.depth, path.row.gap})
    w.number(number);
  w.number(static_cast<uint32_t>(path.before.size()));
  for (const std::string& id : path.before) w.name(id);
  return sealed(kNode, w);
}

std::optional<PathRow> node_in(std::string_view value, std::string_view id) {
  auto r = unsealed(kNode, value);
  if (!r) return std::nullopt;
  PathRow out;
  Node& node = out.row.node;
  for (std::string* text : {&node.id, &node.parent, &node.name, &node.extra}) *text = name_in(*r);
  out.row.tenant = digest_in(*r);
  node.fingerprint = digest_in(*r);
  for (bool* flag : {&node.origin, &node.pinned, &out.row.removed}) *flag = r->u8() != 0;
  const uint8_t stage = r->u8();
  if (stage > static_cast<uint8_t>(Stage::cut)) return std::nullopt;
  node.stage = static_cast<Stage>(stage);
  for (int64_t* number : {&node.created_ms, &node.used_ms, &node.ttl_ms, &out.row.moment})
    *number = r->i64();
  for (uint64_t* number : {&node.own_tokens, &node.tokens, &node.own_text, &node.snapshot_bytes,
                           &node.hits, &out.row.depth, &out.row.gap})
    *number = r->u64();
  const uint32_t before = r->u32();
  for (uint32_t i = 0; i < before && r->ok(); ++i) out.before.push_back(name_in(*r));
  if (!r->ok() || r->left() != 0 || node.id != id) return std::nullopt;
  return out;
}

std::string value_of(const SessionRow& row) {
  ByteWriter w(160);
  w.name(row.session.name);
  w.name(row.session.node);
  w.raw(row.tenant);
  w.number(row.session.version);
  for (const int64_t number :
       {row.session.created_ms, row.session.used_ms, row.session.ttl_ms, row.moment})
    w.number(number);
  return sealed(kSession, w);
}

std::optional<SessionRow> session_in(std::string_view value, const Tenant& tenant,
                                     std::string_view name) {
  auto r = unsealed(kSession, value);
  if (!r) return std::nullopt;
  SessionRow row;
  row.session.name = name_in(*r);
  row.session.node = name_in(*r);
  row.tenant = digest_in(*r);
  row.session.version = r->u64();
  for (int64_t* number :
       {&row.session.created_ms, &row.session.used_ms, &row.session.ttl_ms, &row.moment})
    *number = r->i64();
  if (!r->ok() || r->left() != 0 || row.tenant != tenant || row.session.name != name)
    return std::nullopt;
  return row;
}

std::string value_of(const DocumentRow& row) {
  ByteWriter w(160 + row.document.json.size());
  w.name(row.document.kind);
  w.name(row.document.id);
  w.name(row.document.json);
  w.raw(row.tenant);
  for (const int64_t number : {row.document.created_ms, row.document.ttl_ms, row.moment})
    w.number(number);
  return sealed(kDocument, w);
}

std::optional<DocumentRow> document_in(std::string_view value, const Tenant& tenant,
                                       std::string_view kind, std::string_view id) {
  auto r = unsealed(kDocument, value);
  if (!r) return std::nullopt;
  DocumentRow row;
  row.document.kind = name_in(*r);
  row.document.id = name_in(*r);
  row.document.json = name_in(*r);
  row.tenant = digest_in(*r);
  for (int64_t* number : {&row.document.created_ms, &row.document.ttl_ms, &row.moment})
    *number = r->i64();
  if (!r->ok() || r->left() != 0 || row.tenant != tenant || row.document.kind != kind ||
      row.document.id != id)
    return std::nullopt;
  return row;
}

std::string piece_of(std::string_view id, const Piece& piece) {
  const std::string_view tokens = text_of(std::as_bytes(std::span(piece.tokens)));
  ByteWriter w(12 + tokens.size() + piece.text.size());
  w.name(tokens);
  w.name(piece.text);
  w.number(sum_of(id, tokens, piece.text));
  return std::string(text_of(w.take()));
}

Piece pieces_in(std::string_view value, std::string_view id, size_t* end) {
  Piece out;
  Reader r(bytes_of(value));
  size_t whole = 0;
  while (r.left() > 0) {
    const std::string_view tokens = r.text(r.u32());
    const std::string_view text = r.text(r.u32());
    const uint32_t sum = r.u32();
    if (!r.ok() || sum != sum_of(id, tokens, text) || tokens.size() % sizeof(int32_t) != 0) break;
    const size_t before = out.tokens.size();
    out.tokens.resize(before + tokens.size() / sizeof(int32_t));
    if (!tokens.empty()) std::memcpy(out.tokens.data() + before, tokens.data(), tokens.size());
    out.text += text;
    whole = r.offset();
  }
  if (end) *end = whole;
  return out;
}

std::string worth_of(const NodeRow& row) {
  ByteWriter w(32);
  for (const uint64_t number : {row.gap, row.node.snapshot_bytes, row.node.hits}) w.number(number);
  w.number(row.node.used_ms);
  return std::string(text_of(w.take()));
}

std::optional<Candidate> candidate_in(std::string_view value, std::string_view id) {
  Reader r(bytes_of(value));
  Candidate out{.id = std::string(id)};
  for (uint64_t* number : {&out.gap, &out.bytes, &out.hits}) *number = r.u64();
  out.used_ms = r.i64();
  if (!r.ok() || r.left() != 0) return std::nullopt;
  return out;
}

}  // namespace skein::store::redis

#include "server/routes/state_grid.h"

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "base/base64.h"
#include "server/accepted.h"
#include "server/query.h"
#include "server/routes/state_math.h"
#include "server/routes/state_pair.h"

namespace skein::server {
namespace {

using Matrix = std::span<const float>;

// Of a head's matrix and of another state's, which is none where nobody asked for it.
struct Figure {
  std::string_view name;
  bool of_two = false;
  double (*value)(Matrix one, Matrix other, size_t columns);
};
constexpr Figure kStats[] = {
    {"norm", false, [](Matrix one, Matrix, size_t) { return norm_of(one); }},
    {"change", true, [](Matrix one, Matrix other, size_t) { return change_of(one, other); }},
    {"rank", false, [](Matrix one, Matrix, size_t columns) { return rank_of(one, columns); }},
};
constexpr Figure kDiff[] = {
    {"distance", true,
     [](Matrix one, Matrix other, size_t) {
       const double size = std::max(norm_of(one), norm_of(other));
       return size > 0 ? distance_of(one, other) / size : 0.0;
     }},
    {"cosine", true, [](Matrix one, Matrix other, size_t) { return cosine_of(one, other); }},
};

using Figures = std::vector<const Figure*>;

std::string names_of(const Figures& figures, char mark = ',') {
  std::string out;
  for (const Figure* figure : figures) {
    if (!out.empty()) out += mark;
    out += figure->name;
  }
  return out;
}

Asked<Figures> read_fields(std::string_view text, bool two) {
  Figures out;
  while (!text.empty()) {
    const std::string_view name = text.substr(0, text.find(','));
    text.remove_prefix(std::min(name.size() + 1, text.size()));
    const auto known = std::find_if(std::begin(kStats), std::end(kStats),
                                    [&](const Figure& one) { return one.name == name; });
    if (name == "decay")
      return refused("decay depends on the token that is read, and a state does not hold it",
                     "fields");
    if (known == std::end(kStats) || std::find(out.begin(), out.end(), &*known) != out.end())
      return refused("fields has to name norm, change or rank, each once, with commas", "fields");
    if (known->of_two && !two)
      return refused("change needs since: another state, from which it is told", "since");
    out.push_back(&*known);
  }
  if (out.empty()) return refused("fields is empty", "fields");
  return out;
}

Asked<std::vector<float>> numbers_of(const Figures& figures, const HeadShape& shape,
                                     const State& state, const State* other) {
  const size_t each = shape.rows * shape.columns;
  const size_t layers = shape.parts.size();
  std::vector<float> out(figures.size() * layers * shape.heads);
  for (size_t layer = 0; layer < layers; ++layer) {
    const auto part = state.part(shape.parts[layer]);
    if (!part) return tl::unexpected(api_error(part.error()));
    std::optional<PartView> beside;
    if (other) {
      auto found = other->part(shape.parts[layer]);
      if (!found) return tl::unexpected(api_error(found.error()));
      beside = std::move(*found);
    }
    for (size_t head = 0; head < shape.heads; ++head) {
      const Matrix one = part->floats().subspan(head * each, each);
      const Matrix two = beside ? beside->floats().subspan(head * each, each) : Matrix();
      for (size_t i = 0; i < figures.size(); ++i)
        out[(i * layers + layer) * shape.heads + head] =
            static_cast<float>(figures[i]->value(one, two, shape.columns));
    }
  }
  return out;
}

// What the answer is of: states never change, so it does not either.
struct About {
  std::string_view object;
  std::string id, other;
  std::string_view other_name;
  Figures figures;
  bool json = false;
  bool by_id = true;  // and not by a name, which may become another state's

  std::string tag() const {
    return fmt::format("{}.{}.{}{}", id, other, names_of(figures, '+'), json ? ".json" : "");
  }
};

Response respond(const About& about) {
  Response out;
  out.fields = {
      {"ETag", fmt::format("\"{}\"", about.tag())},
      {"Cache-Control", about.by_id ? "private, max-age=31536000, immutable" : "private, no-cache"},
      {"Vary", "Accept, Authorization"}};
  return out;
}

void answer(const ExchangePtr& exchange, const About& about, const State& state,
            const State* other) {
  const auto shape = heads_of(state.layout());
  if (!shape) return answer_error(exchange, shape.error());
  const auto numbers = numbers_of(about.figures, *shape, state, other);
  if (!numbers) return answer_error(exchange, numbers.error());
  const size_t sizes[] = {about.figures.size(), shape->parts.size(), shape->heads};
  std::string bytes = half_floats(*numbers);
  Response out = respond(about);
  if (!about.json) {
    out.type = "application/octet-stream";
    out.fields.push_back({"x-skein-shape", fmt::format("{}", fmt::join(sizes, ","))});
    out.fields.push_back({"x-skein-fields", names_of(about.figures)});
    out.body = std::move(bytes);
    return exchange->answer->send(std::move(out));
  }
  JsonWriter json;
  json.begin_object().member("id", about.id).member("object", about.object);
  if (!about.other.empty()) json.member(about.other_name, about.other);
  json.key("fields").begin_array();
  for (const Figure* figure : about.figures) json.value(figure->name);
  json.end_array().key("shape").begin_array();
  for (const size_t size : sizes) json.value(static_cast<int64_t>(size));
  json.end_array().member("type", "float16");
  json.member("data", base64_text(bytes)).end_object();
  out.body = json.text();
  exchange->answer->send(std::move(out));
}

// Whether the client has it already.
bool answer_known(const ExchangePtr& exchange, const About& about) {
  if (!names(exchange->head, about.tag())) return false;
  Response out = respond(about);
  out.status = 304;
  exchange->answer->send(std::move(out));
  return true;
}

bool wants_json(const ExchangePtr& exchange) {
  return accepts(exchange->head, "accept", "application/json");
}

void answer_of_two(Service& service, const ExchangePtr& exchange, About about,
                   const std::string& other, const char* field) {
  auto pair = read_pair(service, exchange, other, field);
  if (!pair) return answer_error(exchange, pair.error());
  about.id = (*pair)->nodes[0].id;
  about.other = (*pair)->nodes[1].id;
  about.other_name = field;
  about.by_id = about.id == exchange->parameter && about.other == other;
  if (answer_known(exchange, about)) return;
  read_both(service, *pair, [exchange, about](const State& state, const State& beside) {
    answer(exchange, about, state, &beside);
  });
}

}  // namespace

void answer_grid(Service& service, const ExchangePtr& exchange, const std::string& fields) {
  const auto since = query_value(exchange->head.query, "since");
  auto figures = read_fields(fields, since.has_value());
  if (!figures) return answer_error(exchange, figures.error());
  About about{.object = "state.stats",
              .id = {},
              .other = {},
              .other_name = {},
              .figures = std::move(*figures),
              .json = wants_json(exchange)};
  const bool two = std::any_of(about.figures.begin(), about.figures.end(),
                               [](const Figure* figure) { return figure->of_two; });
  if (two) return answer_of_two(service, exchange, std::move(about), *since, "since");
  auto place = place_of(service, exchange, exchange->parameter);
  if (!place) return answer_error(exchange, place.error());
  about.id = place->node.id;
  about.by_id = about.id == exchange->parameter;
  if (answer_known(exchange, about)) return;
  read_one(service, exchange, *place,
           [exchange, about](const State& state) { answer(exchange, about, state, nullptr); });
}

void answer_head_diff(Service& service, const ExchangePtr& exchange, const std::string& with) {
  About about{.object = "state.diff",
              .id = {},
              .other = {},
              .other_name = {},
              .figures = {},
              .json = wants_json(exchange)};
  for (const Figure& figure : kDiff) about.figures.push_back(&figure);
  answer_of_two(service, exchange, std::move(about), with, "with");
}

}  // namespace skein::server

#include "ops/row_pages.h"

#include <algorithm>

#include "base/check.h"

namespace skein::ops {
namespace {

constexpr int64_t kPageBytes = 64 << 10;  // about: whole rows, one at least

}  // namespace

PageSource::PageSource(int64_t row_bytes, ByteBudget& budget)
    : row_bytes_(row_bytes),
      rows_(std::max<int64_t>(kPageBytes / row_bytes, 1)),
      slabs_(static_cast<size_t>(row_bytes_ * rows_)),
      budget_(budget) {}

PageSource::Page::~Page() {
  if (!bytes) return;
  source.slabs_.give(bytes);
  source.budget_.give(source.page_bytes());
}

Result<std::shared_ptr<PageSource::Page>> PageSource::make() {
  auto page = std::make_shared<Page>(*this);
  SK_TRY_STATUS(budget_.take(page_bytes()));
  auto bytes = slabs_.take();
  if (!bytes) {
    budget_.give(page_bytes());
    return tl::unexpected(bytes.error());
  }
  page->bytes = *bytes;
  return page;
}

RowPages::RowPages(const RowPages& other) : source_(other.source_) { *this = other; }

RowPages& RowPages::operator=(const RowPages& other) {
  if (this == &other) return *this;
  const int64_t each = source_->rows();
  const auto used = other.pages_.begin() + (other.rows_ + each - 1) / each;
  // Not those that are only reserved.
  std::vector<std::shared_ptr<PageSource::Page>> pages(other.pages_.begin(), used);
  pages_ = std::move(pages);
  rows_ = other.rows_;
  writer_ = false;
  return *this;
}

Status RowPages::reserve(int64_t rows) {
  const int64_t each = source_->rows(), used = rows_ % each;
  if (rows > 0 && used > 0 && !writer_) {
    std::shared_ptr<PageSource::Page>& last = pages_[static_cast<size_t>(rows_ / each)];
    SK_TRY(auto own, source_->make());
    std::copy_n(last->bytes, used * source_->row_bytes(), own->bytes);
    last = std::move(own);
    writer_ = true;
  }
  const auto needed = static_cast<size_t>((rows_ + rows + each - 1) / each);
  while (pages_.size() < needed) {
    SK_TRY(auto page, source_->make());
    pages_.push_back(std::move(page));
  }
  return {};
}

std::byte* RowPages::append() {
  const int64_t each = source_->rows(), used = rows_ % each;
  const auto page = static_cast<size_t>(rows_ / each);
  SK_CHECK(page < pages_.size() && (used == 0 || writer_));
  ++rows_;
  writer_ = true;
  return pages_[page]->bytes + used * source_->row_bytes();
}

std::span<const std::byte> RowPages::view(int64_t first) const {
  const int64_t each = source_->rows();
  SK_CHECK(first >= 0 && first <= rows_);
  if (first == rows_) return {};
  const int64_t count = std::min(each - first % each, rows_ - first);
  return {pages_[static_cast<size_t>(first / each)]->bytes + first % each * source_->row_bytes(),
          static_cast<size_t>(count * source_->row_bytes())};
}

}  // namespace skein::ops

// Rows that are appended and never changed, in pages that copies share.
//
// A copy is a list of pages and a length. The last page has one writer, whoever began it; a copy
// sees as many rows of it as there were, and whoever appends to a page that is not his begins a
// page of his own with a copy of those. So a copy costs nothing for each row, going back to an
// earlier copy is shorter at once, and appending after either copies less than a page.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/error.h"
#include "tensor/slabs.h"

namespace skein::ops {

// Counts bytes against a bound.
class ByteBudget {
 public:
  virtual ~ByteBudget() = default;
  virtual Status take(int64_t bytes) = 0;  // error: memory
  virtual void give(int64_t bytes) = 0;
};

// Where pages of one slot come from.
class PageSource {
 public:
  PageSource(int64_t row_bytes, ByteBudget& budget);

  struct Page {
    explicit Page(PageSource& from) : source(from) {}
    Page(const Page&) = delete;
    Page& operator=(const Page&) = delete;
    ~Page();
    PageSource& source;
    std::byte* bytes = nullptr;
  };
  Result<std::shared_ptr<Page>> make();

  int64_t row_bytes() const { return row_bytes_; }
  int64_t rows() const { return rows_; }  // of a page
  int64_t page_bytes() const { return static_cast<int64_t>(slabs_.block_bytes()); }

 private:
  int64_t row_bytes_;
  int64_t rows_;
  Slabs slabs_;
  ByteBudget& budget_;
};

class RowPages {
 public:
  explicit RowPages(PageSource& source) : source_(&source) {}
  RowPages(const RowPages& other);
  RowPages& operator=(const RowPages& other);

  int64_t rows() const { return rows_; }
  // Room for so many more, after which appending them cannot fail. Error: memory.
  Status reserve(int64_t rows);
  // The place of the next row, to be filled by the caller; there has to be room.
  std::byte* append();
  // Rows from `first` on, as far as they lie together.
  std::span<const std::byte> view(int64_t first) const;

 private:
  PageSource* source_;
  std::vector<std::shared_ptr<PageSource::Page>> pages_;
  int64_t rows_ = 0;
  bool writer_ = false;  // of the page that the next row goes to, where that has rows already
};

}  // namespace skein::ops

/// \file for (auto [i, x] : indexed(range)) gives elements with their positions. (LLVM 14's enumerate cannot be
/// decomposed.)
#pragma once

#include <cstddef>
#include <iterator>
#include <utility>

namespace autotp {

template <typename Range> class Indexed {
public:
  explicit Indexed(Range &&range) : range_(std::forward<Range>(range)) {}

  using Inner = decltype(std::begin(std::declval<Range &>()));
  class Iterator {
  public:
    Iterator(size_t index, Inner at) : index_(index), at_(at) {}
    std::pair<size_t, decltype(*std::declval<Inner &>())> operator*() { return {index_, *at_}; }
    Iterator &operator++() {
      ++index_;
      ++at_;
      return *this;
    }
    bool operator!=(const Iterator &other) const { return at_ != other.at_; }

  private:
    size_t index_;
    Inner at_;
  };
  Iterator begin() { return {0, std::begin(range_)}; }
  Iterator end() { return {0, std::end(range_)}; }

private:
  Range range_; ///< a reference if the range has a name, else the range itself
};

template <typename Range> Indexed<Range> indexed(Range &&range) { return Indexed<Range>(std::forward<Range>(range)); }

} // namespace autotp

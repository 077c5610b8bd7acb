/// \file Fills a plan's inputs from a stream of tokens, each as its role says. By itself the tokens are random.
#pragma once

#include "runtime/data/source.h"
#include "runtime/data/token_file.h"

namespace autotp {

/// Whether an input of this role is filled with tokens of the stream.
bool readsTokens(const Manifest::Input &input);

class TokenSource : public Source {
public:
  TokenSource(const Manifest &manifest, uint64_t seed);
  llvm::Error fill(int64_t row, size_t index, std::span<std::byte> to) const override;

protected:
  /// Where the tokens of a row begin; null: they are random.
  struct Window {
    const TokenFile *file = nullptr;
    int64_t start = 0;
  };
  virtual Window windowOf(int64_t /*row*/) const { return {}; }

  std::vector<Manifest::Input> inputs_;
  uint64_t seed_;

private:
  struct Row {
    int64_t number, elements; ///< elements of the input
    Window window;
  };
  int64_t token(const Row &row, int64_t position) const;
  int64_t integer(const Manifest::Input &input, const Row &row, int64_t i) const;

  int64_t vocabulary_ = 0;
};

} // namespace autotp

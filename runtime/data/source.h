/// \file Where training samples come from.
#pragma once

#include "runtime/plan/manifest.h"

#include <memory>
#include <span>

namespace autotp {

/// Gives single rows (samples) of the inputs of a plan. Rows are numbered over the whole run: row r of step s is row
/// s * globalBatch + r; an input without a batch has one row a step, s, which is all of it. The same on every rank. Safe for use by several threads at once.
class Source {
public:
  virtual ~Source() = default;
  /// Writes row `row` of input `input` (an index into Manifest::inputs) in the input's own dtype.
  virtual llvm::Error fill(int64_t row, size_t input, std::span<std::byte> to) const = 0;
};

/// `.npz`: arrays by input name, samples first; of an input without a batch what it is in all steps, or that of each
/// step, one after the other along its first dimension. Errors: a missing array, another shape, less than `steps` global
/// batches, rows that are no whole global batches, values outside an input's range.
llvm::Expected<std::unique_ptr<Source>> openFeed(llvm::StringRef path, const Manifest &manifest, int64_t steps);

/// "synthetic[:seed]", a text file whose bytes are tokens, or nanoGPT's `.bin` of uint16 tokens. Every row is a window
/// of the token stream at a place that only its number decides.
llvm::Expected<std::unique_ptr<Source>> openTokens(llvm::StringRef source, const Manifest &manifest);

} // namespace autotp

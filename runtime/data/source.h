/// \file Where training samples come from.
#pragma once

#include "runtime/plan/manifest.h"

#include <memory>
#include <span>

namespace autotp {

/// Gives single rows (samples) of the inputs of a plan. Rows are numbered over the whole run: row r of step s is row s
/// * globalBatch + r. An input without a batch has one row a step, row s, which is all of it. Rows are the same on
/// every rank. Several threads may call it at once.
class Source {
public:
  virtual ~Source() = default;
  /// Writes row `row` of input `input`, an index into Manifest::inputs, in the dtype of the input.
  virtual llvm::Error fill(int64_t row, size_t input, std::span<std::byte> to) const = 0;
  /// The files that it reads.
  virtual std::vector<std::string> files() const { return {}; }
};

/// What a run reads, from its first step on.
struct WantedRows {
  int64_t rows, steps; ///< samples, and training steps
};

/// Opens `.npz` files, each with an array for each input name, samples first. `spec` names files, patterns or folders,
/// several by commas; their rows follow one another. For an input without a batch, the arrays hold its value in all
/// steps, or one value for each step along its first dimension. Errors, all of a kind at once: an array is missing or
/// has another shape; there are less rows than `wanted`, or no whole number of global batches; values lie outside an
/// input's range.
llvm::Expected<std::unique_ptr<Source>> openFeed(llvm::StringRef spec, const Manifest &manifest, WantedRows wanted);

/// Opens "synthetic[:seed]", a text file whose bytes are tokens, or nanoGPT's `.bin` of uint16 tokens. Every row is a
/// window of the token stream, at a place that depends on the number of the row only.
llvm::Expected<std::unique_ptr<Source>> openTokens(llvm::StringRef source, const Manifest &manifest);

} // namespace autotp

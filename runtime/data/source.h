/// \file Where training samples come from.
#pragma once

#include "runtime/data/sample_order.h"
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
  /// Lines for the user, such as "a.bin: 1.2M tokens, 9375 samples an epoch; 2.3 epochs are read": what is there, and how
  /// much of it the rows from `firstRow` to before `endRow` are.
  virtual std::vector<std::string> notes(int64_t /*firstRow*/, int64_t /*endRow*/) const { return {}; }
  /// Lines for the user: the epochs whose last sample is among these rows.
  virtual std::vector<std::string> endedEpochs(int64_t /*firstRow*/, int64_t /*endRow*/) const { return {}; }
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

struct TokenOptions {
  DataOrder order = DataOrder::Shuffled;
  uint64_t seed = 0; ///< of the order
  /// Whether all tokens are compared with the vocabulary. One process on each host is enough.
  bool checksTokens = true;
};

/// Opens "synthetic[:seed]", or the files that `spec` says (data_spec.h), of the kinds of data_kinds.h. Every row is a
/// window of the token stream, at a place that depends on the number of the row only. Errors, all of a kind at once: it is
/// doubtful what a file is; a file is damaged, or shorter than a sample; a token lies outside the vocabulary.
llvm::Expected<std::unique_ptr<Source>> openTokens(llvm::StringRef spec, const Manifest &manifest,
                                                   const TokenOptions &options = {});

} // namespace autotp

/// \file Samples that are windows of files of tokens.
#pragma once

#include "runtime/data/sample_order.h"
#include "runtime/data/token_source.h"

namespace autotp {

/// Files whose samples are drawn together: all of them once an epoch.
struct DataSet {
  std::string name;  ///< as it was asked for
  double weight = 0; ///< 0: it is the only one
  std::vector<TokenFile> files;
  std::vector<int64_t> firstSample; ///< of each file
  int64_t tokens = 0, samples = 0;
};

/// A sample is a window of `stride` + 1 tokens; windows of a file begin `stride` tokens apart, so that the last token of one,
/// which is only a label there, is the first of the next. What is left at the end of a file is no sample.
class FileTokens : public TokenSource {
public:
  FileTokens(const Manifest &manifest, std::vector<DataSet> dataSets, Interleaving interleaving, int64_t stride,
             DataOrder order, uint64_t seed);
  std::vector<std::string> files() const override;
  std::vector<std::string> notes(int64_t firstRow, int64_t endRow) const override;
  std::vector<std::string> endedEpochs(int64_t firstRow, int64_t endRow) const override;

protected:
  Window windowOf(int64_t row) const override;

private:
  std::vector<DataSet> dataSets_;
  Interleaving interleaving_;
  int64_t stride_;
  DataOrder order_;
};

} // namespace autotp

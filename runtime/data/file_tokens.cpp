#include "runtime/data/file_tokens.h"

#include "runtime/base/error.h"
#include "runtime/base/indexed.h"

#include "llvm/Support/Format.h"

#include <algorithm>
#include <numeric>

namespace autotp {
namespace {

/// "950", "1.2M": a number of tokens, as people say it.
std::string shortNumber(int64_t number) {
  constexpr std::pair<double, const char *> kUnits[] = {{1e12, "T"}, {1e9, "B"}, {1e6, "M"}, {1e4, "k"}};
  for (auto [unit, name] : kUnits) {
    if (double(number) < unit) continue;
    std::string text;
    llvm::raw_string_ostream(text) << llvm::format("%.1f", double(number) / (unit == 1e4 ? 1e3 : unit)) << name;
    return text;
  }
  return std::to_string(number);
}

std::string decimal(const char *form, double value) {
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format(form, value);
  return text;
}

} // namespace

FileTokens::FileTokens(const Manifest &manifest, std::vector<DataSet> dataSets, Interleaving interleaving,
                       int64_t stride, DataOrder order, uint64_t seed)
    : TokenSource(manifest, seed), dataSets_(std::move(dataSets)), interleaving_(std::move(interleaving)),
      stride_(stride), order_(order) {
  for (DataSet &set : dataSets_)
    for (const TokenFile &file : set.files) {
      set.firstSample.push_back(set.samples);
      set.samples += (file.count - 1) / stride;
      set.tokens += file.count;
    }
}

TokenSource::Window FileTokens::windowOf(int64_t row) const {
  const Interleaving::Place place = interleaving_.placeOf(row);
  const DataSet &set = dataSets_[place.dataSet];
  int64_t sample = place.index % set.samples;
  if (order_ == DataOrder::Shuffled) {
    const uint64_t epoch = uint64_t(place.index / set.samples);
    sample = int64_t(Permutation(seed_, place.dataSet, epoch, uint64_t(set.samples))(uint64_t(sample)));
  }
  const auto file = std::prev(std::upper_bound(set.firstSample.begin(), set.firstSample.end(), sample));
  return {&set.files[size_t(file - set.firstSample.begin())], (sample - *file) * stride_};
}

std::vector<std::string> FileTokens::files() const {
  std::vector<std::string> all;
  for (const DataSet &set : dataSets_)
    for (const TokenFile &file : set.files) {
      all.push_back(file.path);
      all.insert(all.end(), file.beside.begin(), file.beside.end());
    }
  return all;
}

std::vector<std::string> FileTokens::notes(int64_t firstRow, int64_t endRow) const {
  std::vector<std::string> lines;
  const double weights = std::accumulate(dataSets_.begin(), dataSets_.end(), 0.0,
                                         [](double sum, const DataSet &set) { return sum + set.weight; });
  for (auto [s, set] : indexed(dataSets_)) {
    const int64_t first = interleaving_.rowsBefore(firstRow, s), end = interleaving_.rowsBefore(endRow, s);
    std::string line = escaped(set.name);
    if (set.weight > 0) line += " (" + decimal("%.4g", 100 * set.weight / weights) + "% of samples)";
    if (set.files.size() > 1) line += ", " + std::to_string(set.files.size()) + " files";
    line += ": " + shortNumber(set.tokens) + " tokens, " + std::to_string(set.samples) + " samples an epoch; " +
            decimal("%.3g", double(end - first) / double(set.samples)) + " epochs are read";
    if (first > 0) line += ", from " + decimal("%.3g", double(first) / double(set.samples)) + " on";
    lines.push_back(line);
  }
  return lines;
}

std::vector<std::string> FileTokens::endedEpochs(int64_t firstRow, int64_t endRow) const {
  std::vector<std::string> lines;
  for (int64_t row = firstRow; row < endRow; ++row) {
    const auto [s, index] = interleaving_.placeOf(row);
    const DataSet &set = dataSets_[s];
    if ((index + 1) % set.samples == 0)
      lines.push_back("data: epoch " + std::to_string((index + 1) / set.samples) + " of " + escaped(set.name) +
                      " ends");
  }
  return lines;
}

} // namespace autotp

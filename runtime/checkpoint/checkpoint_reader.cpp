#include "runtime/checkpoint/checkpoint_reader.h"

#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/base/folder_listing.h"

#include <cstring>

namespace autotp {
namespace {

/// What a slice's covers select of its parameter, as a rank would hold it.
plan::Parameter heldOf(const Checkpoint::Tensor &tensor, const Checkpoint::Slice &slice) {
  plan::Parameter parameter;
  for (size_t d = 0; d < tensor.shape.size(); ++d) {
    parameter.add_global_shape(tensor.shape[d]);
    plan::Cover &cover = *parameter.add_covers();
    const std::vector<int64_t> all = {0, tensor.shape[d]};
    const std::vector<int64_t> &bounds = slice.covers.empty() ? all : slice.covers[d];
    for (size_t i = 0; i < bounds.size(); i += 2) {
      cover.add_begins(bounds[i]);
      cover.add_ends(bounds[i + 1]);
    }
  }
  return parameter;
}

/// Runs of elements [begin, end) of what is held, counted from `begin`: ascending, in memory and in the whole parameter.
std::vector<HeldRun> runsWithin(const plan::Parameter &held, int64_t begin, int64_t end) {
  std::vector<HeldRun> runs;
  for (const HeldRun &run : heldRuns(held, INT64_MAX)) {
    const int64_t from = std::max(begin, run.local), to = std::min(end, run.local + run.count);
    if (from < to) runs.push_back({from - begin, run.global + from - run.local, to - from});
  }
  return runs;
}

/// Calls copy(from, to, count), by places in memory, for the elements of `wanted` that `given` has, and returns the others.
template <typename F>
std::vector<HeldRun> copyCommon(llvm::ArrayRef<HeldRun> wanted, llvm::ArrayRef<HeldRun> given, F copy) {
  std::vector<HeldRun> rest;
  for (const HeldRun &run : wanted) {
    while (!given.empty() && given.front().global + given.front().count <= run.global)
      given = given.drop_front();
    int64_t at = run.global;
    const int64_t end = run.global + run.count;
    auto keep = [&](int64_t to) {
      if (at < to) rest.push_back({run.local + at - run.global, at, to - at});
      at = std::max(at, to);
    };
    for (const HeldRun &source : given) { // the last one may go on beyond this run, so none is dropped here
      if (source.global >= end) break;
      keep(std::min(end, source.global));
      const int64_t to = std::min(end, source.global + source.count);
      copy(source.local + at - source.global, run.local + at - run.global, to - at);
      at = to;
    }
    keep(end);
  }
  return rest;
}

} // namespace

llvm::Expected<std::unique_ptr<CheckpointReader>> CheckpointReader::open(llvm::StringRef folder) {
  llvm::Expected<Checkpoint> checkpoint = readCheckpointFacts(folder);
  if (!checkpoint) return checkpoint.takeError();
  std::unique_ptr<CheckpointReader> reader(new CheckpointReader(folder));
  reader->checkpoint_ = std::move(*checkpoint);
  if (llvm::Error error = reader->openFiles()) return error;
  return reader;
}

llvm::Error CheckpointReader::openFiles() {
  std::vector<std::string> names = {kScalarsFile.str()};
  for (const Checkpoint::Tensor &tensor : checkpoint_.tensors)
    for (const Checkpoint::Slice &slice : tensor.slices)
      names.push_back(slice.file);
  llvm::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());
  for (const std::string &name : names) {
    llvm::Expected<SafetensorsFile> file = readSafetensors(folder_ + "/" + name);
    if (!file) return file.takeError();
    files_.emplace(name, std::move(*file));
  }
  scalars_ = &files_.find(kScalarsFile.str())->second;
  for (const Checkpoint::Tensor &tensor : checkpoint_.tensors) {
    byName_[{tensor.parameter, tensor.kind}] = &tensor;
    if (llvm::Error error = findSlices(tensor)) return error;
  }
  return llvm::Error::success();
}

llvm::Error CheckpointReader::findSlices(const Checkpoint::Tensor &tensor) {
  for (const Checkpoint::Slice &slice : tensor.slices) {
    const NamedTensor *found = files_.find(slice.file)->second.find(tensor.parameter);
    if (!found || found->dtype != DType::F32 ||
        found->bytes.size() != uint64_t(slice.end - slice.begin) * sizeof(float))
      return problem(escaped(folder_ + "/" + slice.file),
                     "it has no f32 tensor '" + escaped(tensor.parameter) + "' of " +
                         std::to_string(slice.end - slice.begin) + " elements",
                     "take another checkpoint");
    slices_[&tensor].push_back(reinterpret_cast<const float *>(found->bytes.data()));
  }
  return llvm::Error::success();
}

const Checkpoint::Tensor *CheckpointReader::find(llvm::StringRef parameter, llvm::StringRef kind) const {
  const auto found = byName_.find({parameter.str(), kind.str()});
  return found == byName_.end() ? nullptr : found->second;
}

llvm::Error CheckpointReader::read(const plan::Parameter &held, llvm::StringRef kind, int64_t begin,
                                   std::span<float> to) const {
  const Checkpoint::Tensor *tensor = find(held.name(), kind);
  std::vector<HeldRun> wanted = runsWithin(held, begin, begin + int64_t(to.size()));
  for (size_t i = 0; tensor && i < tensor->slices.size() && !wanted.empty(); ++i) {
    const Checkpoint::Slice &slice = tensor->slices[i];
    const float *from = slices_.find(tensor)->second[i];
    wanted = copyCommon(wanted, runsWithin(heldOf(*tensor, slice), slice.begin, slice.end),
                        [&](int64_t source, int64_t target, int64_t count) {
                          std::memcpy(to.data() + target, from + source, size_t(count) * sizeof(float));
                          bytesRead_ += uint64_t(count) * sizeof(float);
                        });
  }
  if (wanted.empty()) return llvm::Error::success();
  return problem(escaped(folder_),
                 ("it lacks elements of the " + kind + " of parameter '" + escaped(held.name()) + "'").str(),
                 "take another checkpoint");
}

llvm::Expected<std::vector<float>> CheckpointReader::readWhole(const Checkpoint::Tensor &tensor) const {
  plan::Parameter whole = heldOf(tensor, {});
  whole.set_name(tensor.parameter);
  int64_t elements = 1;
  for (int64_t d : tensor.shape)
    elements *= d;
  std::vector<float> values(static_cast<size_t>(elements));
  if (llvm::Error error = read(whole, tensor.kind, 0, values)) return error;
  return values;
}

std::vector<std::string> CheckpointReader::paths() const {
  std::vector<std::string> paths = {folder_ + "/" + kListingName};
  for (const auto &[name, digest] : checkpoint_.digests)
    paths.push_back(folder_ + "/" + name);
  return paths;
}

std::string CheckpointReader::digest() const { return digestOf(listingText(checkpoint_.digests)); }

std::vector<std::string> CheckpointReader::changedFiles(size_t first, size_t of) const {
  std::vector<std::string> names, changed;
  std::vector<FileDigest> files;
  size_t i = 0;
  for (const auto &[name, digest] : checkpoint_.digests) {
    if (i++ % of != first) continue;
    names.push_back(name);
    files.push_back({folder_ + "/" + name, digest});
  }
  for (size_t at : autotp::changedFiles(files))
    changed.push_back(names[at]);
  return changed;
}

llvm::Error CheckpointReader::areChanged(llvm::ArrayRef<std::string> names) const {
  llvm::Error errors = llvm::Error::success();
  for (const std::string &name : names)
    errors = llvm::joinErrors(std::move(errors),
                              problem(escaped(folder_ + "/" + name),
                                      "it is not as it was written: truncated, or edited", "take another checkpoint"));
  return errors;
}

} // namespace autotp

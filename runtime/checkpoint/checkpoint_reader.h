/// \file Reads elements of a checkpoint wherever the rank that wrote them had them.
#pragma once

#include "runtime/checkpoint/checkpoint.h"
#include "runtime/plan/safetensors.h"

#include <atomic>
#include <map>
#include <span>

namespace autotp {

/// Files are mapped, so only what is asked for is read from the disk. After open(), several threads may read at once.
class CheckpointReader {
public:
  /// Reads the manifest and the headers of all files. Errors: it is no whole checkpoint; a file is not as the manifest says.
  static llvm::Expected<std::unique_ptr<CheckpointReader>> open(llvm::StringRef folder);

  const std::string &folder() const { return folder_; }
  const Checkpoint &facts() const { return checkpoint_; }
  /// A kind of a parameter, or null.
  const Checkpoint::Tensor *find(llvm::StringRef parameter, llvm::StringRef kind) const;
  /// A state that is no parameter's, or null.
  const NamedTensor *scalar(llvm::StringRef name) const { return scalars_->find(name); }

  /// Reads elements [begin, end) of those that a rank holds of a parameter, in the order in which they lie in its memory.
  /// Errors: the checkpoint lacks one of them.
  llvm::Error read(const plan::Parameter &held, llvm::StringRef kind, int64_t begin, std::span<float> to) const;
  /// All elements of a kind of a parameter. Errors: the checkpoint lacks one of them.
  llvm::Expected<std::vector<float>> readWhole(const Checkpoint::Tensor &tensor) const;
  /// The bytes of all elements that read() has copied so far.
  uint64_t bytesRead() const { return bytesRead_; }

  /// The paths of all its files.
  std::vector<std::string> paths() const;
  /// A digest of all of it: two checkpoints of one digest hold the same.
  std::string digest() const;

  /// The names of the files that differ from their digests, of every `of`-th file from the `first` on.
  std::vector<std::string> changedFiles(size_t first, size_t of) const;
  /// An error that names these files; none if there are none.
  llvm::Error areChanged(llvm::ArrayRef<std::string> names) const;
  /// Errors: those of all files that differ.
  llvm::Error verify() const { return areChanged(changedFiles(0, 1)); }

private:
  explicit CheckpointReader(llvm::StringRef folder) : folder_(folder.str()) {}
  llvm::Error openFiles();
  llvm::Error findSlices(const Checkpoint::Tensor &tensor);

  std::string folder_;
  Checkpoint checkpoint_;
  std::map<std::string, SafetensorsFile> files_;
  const SafetensorsFile *scalars_ = nullptr;
  /// By tensor, by slice: its elements in the mapped file.
  std::map<const Checkpoint::Tensor *, std::vector<const float *>> slices_;
  std::map<std::pair<std::string, std::string>, const Checkpoint::Tensor *> byName_; ///< parameter and kind
  mutable std::atomic<uint64_t> bytesRead_ = 0;
};

} // namespace autotp

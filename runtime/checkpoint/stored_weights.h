/// \file Weights that lie in files, by their names, whatever files these are:
///   FILE.safetensors
///   model.safetensors.index.json     names the file of each tensor ("weight_map"); the files lie beside it
///   a folder with one of these       as Hugging Face writes it
///   a checkpoint of ours             of which only the weights are taken; or a folder of them: the newest whole one
/// or by their places, as a plan refers to them. Files are mapped, so only what is asked for is read, and its pages are
/// given back.
#pragma once

#include "runtime/plan/cover.h"
#include "runtime/plan/located_tensor.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace autotp {

class CheckpointReader;

class StoredWeights {
public:
  /// Any type of a safetensors file; isReadable() says which can be read. A checkpoint's have its folder as their file.
  struct Tensor : LocatedTensor {
    const uint8_t *mapped = nullptr; ///< for read(): the bytes in the mapped file; null in a checkpoint

    int64_t elements() const;
  };

  /// Reads the headers alone, but all of a checkpoint, to compare it with its digests. `flag` is how messages call what
  /// named the path. Errors, those of an index all at once: there is nothing of the above; a file is damaged; an index
  /// names a file that is missing, that lies outside of its folder, or that holds other tensors than the index says.
  static llvm::Expected<std::unique_ptr<StoredWeights>> open(llvm::StringRef flag, llvm::StringRef path);
  /// Tensors of which it is known where they lie. Errors, all at once: files that cannot be read, or that end before a
  /// tensor does.
  static llvm::Expected<std::unique_ptr<StoredWeights>> openLocated(llvm::ArrayRef<LocatedTensor> tensors);
  /// A checkpoint whose numbers somebody else compares with their digests.
  static llvm::Expected<std::unique_ptr<StoredWeights>> openUnchecked(llvm::StringRef checkpoint);
  ~StoredWeights();

  /// By name. Of a checkpoint, tied parameters have each of their names and their own shape.
  llvm::ArrayRef<Tensor> tensors() const { return tensors_; }
  /// A tensor, or null.
  const Tensor *find(llvm::StringRef name) const;
  /// Whether it is a checkpoint of ours: then names, shapes and orientations are those of the graph that was trained.
  bool isCheckpoint() const { return checkpoint_ != nullptr; }
  /// The file, index or checkpoint that was found at the path that was given.
  const std::string &path() const { return path_; }

  /// Whether elements of this type can be read: F64, F32, BF16 and F16.
  static bool isReadable(DType dtype) { return isFloat(dtype); }
  /// Elements [begin, begin + to.size()) in row-major order, as f32: F64 is rounded, the others are exact. `tensor` is one of
  /// tensors() and can be read. Several threads may read at once. Errors: a checkpoint lacks some of the elements.
  llvm::Error read(const Tensor &tensor, int64_t begin, llvm::MutableArrayRef<float> to) const;
  /// The elements that covers select, as f32, of the tensor or of the matrix that it is transposed. Nothing but they and
  /// stripes of a few rows lie in memory. Errors: as of read().
  llvm::Error readPart(const Tensor &tensor, bool isTransposed, const Covers &covers,
                       llvm::MutableArrayRef<float> to) const;
  /// Of the elements that covers select, those from the `begin`-th on. No rows are read but those in which they lie.
  llvm::Error readHeld(const Tensor &tensor, bool isTransposed, const Covers &covers, int64_t begin,
                       llvm::MutableArrayRef<float> to) const;
  /// The bytes that all elements read so far take in the files.
  uint64_t bytesRead() const { return bytesRead_; }

  /// The paths of all its files, none of which an output may replace.
  std::vector<std::string> paths() const;
  /// A digest of the names, types, shapes and files of all tensors. The numbers are not read for it; only a checkpoint's
  /// digest, which is that of its list of files, stands for them too.
  std::string digest() const;
  /// The digest of each file that holds numbers, by its path: a checkpoint's from its list, others are read for it.
  /// Errors: a file cannot be read.
  llvm::Expected<std::vector<std::pair<std::string, std::string>>> digestsOfFiles() const;

private:
  struct Mapped;
  struct OfCheckpoint;
  StoredWeights();
  llvm::Error openPath(llvm::StringRef flag, const std::string &path);
  llvm::Error openFile(const std::string &path);
  llvm::Error openIndex(const std::string &path);
  llvm::Expected<bool> openFolder(const std::string &path);
  void openCheckpoint(std::unique_ptr<CheckpointReader> reader);
  llvm::Error openRange(const LocatedTensor &tensor);
  llvm::Error readCovers(const Tensor &tensor, const Covers &covers, llvm::MutableArrayRef<float> to) const;

  std::string path_;
  std::vector<Tensor> tensors_;
  std::unique_ptr<Mapped> mapped_;
  std::unique_ptr<OfCheckpoint> checkpoint_;
  mutable std::atomic<uint64_t> bytesRead_ = 0;
};

} // namespace autotp

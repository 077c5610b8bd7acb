/// \file Weights that lie in files, by their names, whatever files these are:
///   FILE.safetensors
///   model.safetensors.index.json     names the file of each tensor ("weight_map"); the files lie beside it
///   a folder with one of these       as Hugging Face writes it
///   a checkpoint of ours             of which only the weights are taken; or a folder of them: the newest whole one
/// Files are mapped, so only what is asked for is read, and its pages are given back.
#pragma once

#include "runtime/plan/dtype.h"

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
  struct Tensor {
    std::string name;
    DType dtype = DType::F32; ///< any type of a safetensors file; isReadable() says which can be read
    std::vector<int64_t> shape;
    std::string file;                ///< the path of the file that holds it; of a checkpoint its folder
    const uint8_t *mapped = nullptr; ///< for read(): the bytes in the mapped file; null in a checkpoint

    int64_t elements() const;
  };

  /// Reads the headers alone, but all of a checkpoint, to compare it with its digests. `flag` is how messages call what
  /// named the path. Errors, those of an index all at once: there is nothing of the above; a file is damaged; an index
  /// names a file that is missing, that lies outside of its folder, or that holds other tensors than the index says.
  static llvm::Expected<std::unique_ptr<StoredWeights>> open(llvm::StringRef flag, llvm::StringRef path);
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
  /// The bytes that all elements read so far take in the files.
  uint64_t bytesRead() const { return bytesRead_; }

  /// The paths of all its files, none of which an output may replace.
  std::vector<std::string> paths() const;
  /// A digest of the names, types, shapes and files of all tensors. The numbers are not read for it; only a checkpoint's
  /// digest, which is that of its list of files, stands for them too.
  std::string digest() const;

private:
  struct Mapped;
  struct OfCheckpoint;
  StoredWeights();
  llvm::Error openPath(llvm::StringRef flag, const std::string &path);
  llvm::Error openFile(const std::string &path);
  llvm::Error openIndex(const std::string &path);
  llvm::Expected<bool> openFolder(const std::string &path);
  void openCheckpoint(std::unique_ptr<CheckpointReader> reader);

  std::string path_;
  std::vector<Tensor> tensors_;
  std::unique_ptr<Mapped> mapped_;
  std::unique_ptr<OfCheckpoint> checkpoint_;
  mutable std::atomic<uint64_t> bytesRead_ = 0;
};

} // namespace autotp

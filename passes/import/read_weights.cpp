#include "passes/import/read_weights.h"

#include "compiler/sharding/reshard.h"

namespace autotp {

llvm::Expected<Tensor> readPart(const StoredWeights &stored, const WeightMatch &match, const Covers &covers) {
  const Type type{DType::F32, shapeOf(covers)};
  std::vector<uint8_t> bytes(type.bytes());
  const llvm::MutableArrayRef<float> to(reinterpret_cast<float *>(bytes.data()), size_t(type.elements()));
  if (llvm::Error error = stored.readPart(*match.tensor, match.isTransposed, covers, to)) return error;
  return ownedTensor(type, std::move(bytes));
}

llvm::Expected<bool> areEqual(const StoredWeights &stored, const WeightMatch &a, const WeightMatch &b,
                              llvm::ArrayRef<int64_t> shape) {
  for (const Covers &piece : piecesOf(wholeCovers(shape), kPieceElements)) {
    llvm::Expected<Tensor> one = readPart(stored, a, piece), other = readPart(stored, b, piece);
    if (!one || !other) return llvm::joinErrors(one.takeError(), other.takeError());
    if (one->bytes != other->bytes) return false;
  }
  return true;
}

} // namespace autotp

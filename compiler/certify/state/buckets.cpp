#include "compiler/certify/state/buckets.h"

#include "compiler/certify/refusal.h"
#include "compiler/certify/state/proof.h"
#include "runtime/base/indexed.h"
#include "runtime/plan/check_program.h"

namespace autotp {
namespace {

/// Returns the number of slices of a bucket, one of which a tensor of it is.
int64_t slicesOf(const plan::Bucket &bucket, const plan::TensorRef &ref) {
  const int64_t held = elementsOf(ref);
  return held > 0 ? bucket.elements() / held : 1;
}

const Proof::Parameter &rowOf(const TpRank &rank, const plan::Parameter &parameter) {
  return rank.proof.parameters.find(parameter.name())->second;
}

} // namespace

std::optional<Lists> coversOf(const TpRank &rank, const plan::Parameter &parameter) {
  return listsOf(rank.proof.symbols.lists, parameter.covers(), parameter.tensor());
}

/// Returns all of the bucket if the dp ranks have the whole together; else the slices of this tp rank, of which rank
/// dp_rank * tp + tp_rank has the rank-th.
std::vector<Window> windowsOf(const TpRank &rank, const plan::Bucket &bucket, const plan::TensorRef &ref) {
  const CertifyOptions &options = rank.proof.options;
  const int64_t slices = slicesOf(bucket, ref), held = elementsOf(ref);
  if (slices == 1 || slices == options.dp) return {{0, 0, bucket.elements()}};
  std::vector<Window> windows;
  for (int64_t dpRank = 0; dpRank < options.dp; ++dpRank)
    windows.push_back({dpRank * held, (dpRank * options.tp + rank.number) * held, held});
  return windows;
}

llvm::Expected<std::vector<Run>> runsOf(const TpRank &rank, const Flat &flat, const plan::TensorRef &ref,
                                        const plan::Parameter &parameter) {
  const plan::Bucket &bucket = rank.program.buckets(int(parameter.bucket()));
  const uint64_t size = sizeOf(DType(ref.dtype()));
  const int64_t begin = int64_t(parameter.bucket_begin()), end = begin + elementsOf(parameter.tensor());
  auto notAllThere = [] { return refuse("its bucket is not all there"); };
  if (flat.isSliced != (slicesOf(bucket, ref) != 1 && rank.proof.options.dp > 1)) return notAllThere();
  std::vector<Run> runs;
  for (const Window &window : windowsOf(rank, bucket, ref)) {
    const int64_t from = std::max(begin, window.inBucket), to = std::min(end, window.inBucket + window.elements);
    if (from >= to) continue;
    const uint64_t bytes = uint64_t(to - from) * size;
    runs.push_back(
        {from - begin, to - begin, sub(flat.image, uint64_t(window.inImage + from - window.inBucket) * size, bytes)});
    if (bytesOf(runs.back().pieces) != bytes) return notAllThere();
  }
  return runs;
}

namespace {

/// A run is all of the gradient, or was cut from all of it: a part of it that is no box cannot be told otherwise.
llvm::Error checkGradientRun(Proof &proof, const Run &run, const Proof::Parameter &row, const Lists &covers,
                             uint64_t size) {
  const uint64_t all = uint64_t(proof.symbols.lists.elements(covers)) * size;
  if (uint64_t(run.end - run.begin) * size == all) {
    const Content *gradient = proof.joins.together(run.pieces);
    return gradient ? proof.checkGradient(*gradient, row, covers) : refuse("it lies elsewhere");
  }
  uint64_t at = uint64_t(run.begin) * size;
  for (const Piece &piece : run.pieces) {
    const bool isCut = piece.offset == at && piece.content->bytes == all;
    if (!isCut && !piece.content->isZero()) return refuse("it lies elsewhere");
    if (llvm::Error error = proof.checkGradient(*piece.content, row, covers)) return error;
    at += piece.bytes;
  }
  return llvm::Error::success();
}

} // namespace

llvm::Error checkGradientIn(const TpRank &rank, const Flat &flat, const plan::TensorRef &ref,
                            const plan::Parameter &parameter) {
  llvm::Expected<std::vector<Run>> runs = runsOf(rank, flat, ref, parameter);
  if (!runs) return runs.takeError();
  const Lists covers = *coversOf(rank, parameter);
  for (const Run &run : *runs)
    if (llvm::Error error =
            checkGradientRun(rank.proof, run, rowOf(rank, parameter), covers, sizeOf(DType(ref.dtype()))))
      return error;
  return llvm::Error::success();
}

std::vector<int> bucketsInParts(const TpRank &rank) {
  llvm::SmallVector<bool, 0> isInParts(size_t(rank.program.buckets_size()), false);
  for (auto [number, bucket] : indexed(rank.program.buckets())) {
    const int64_t slices = slicesOf(bucket, bucket.accumulator());
    isInParts[number] = slices != 1 && slices != rank.proof.options.dp;
  }
  for (const plan::Parameter &parameter : rank.program.parameters()) {
    const GlobalOperand &gradient = rowOf(rank, parameter).gradient;
    const Symbols &symbols = rank.proof.symbols;
    if (gradient.kind == GlobalOperand::Kind::Value && symbols.values.isConcat(symbols.rootOf(gradient)))
      isInParts[parameter.bucket()] = true;
  }
  std::vector<int> numbers;
  for (auto [number, isOne] : indexed(isInParts))
    if (isOne) numbers.push_back(int(number));
  return numbers;
}

namespace {

/// Returns the parts of a gradient as one content; null if they are not all of one, or if some are reduced and others are
/// not.
const Content *joinedGradient(Proof &proof, const Pieces &parts, const Proof::Parameter &row, const Lists &covers) {
  const Content *all = proof.joins.together(parts);
  if (!all || all->isZero()) return all;
  const auto *elements = all->as<Elements>();
  if (!elements || !proof.areOfGradient(*elements, row, covers)) return nullptr;
  for (const Piece &part : parts) {
    const auto *own = part.content->as<Elements>();
    if (!part.content->isZero() && (own ? own->partial : Partial::None) != elements->partial) return nullptr;
  }
  return all;
}

/// Makes one piece of each gradient of a whole bucket. Returns nothing if they do not lie in this image, or are one already.
std::optional<Pieces> joinedImage(const TpRank &rank, int number, const Pieces &image) {
  const uint64_t size = sizeOf(DType::F32);
  Pieces joined;
  uint64_t at = 0;
  bool isOneMade = false;
  for (const plan::Parameter &parameter : rank.program.parameters()) {
    if (parameter.bucket() != uint32_t(number)) continue;
    const uint64_t from = parameter.bucket_begin() * size, bytes = uint64_t(elementsOf(parameter.tensor())) * size;
    if (from < at) return std::nullopt;
    for (const Piece &padding : sub(image, at, from - at))
      append(joined, padding);
    const Pieces parts = sub(image, from, bytes);
    at = from + bytes;
    if (parts.size() == 1) append(joined, parts[0]);
    if (parts.size() == 1) continue;
    isOneMade = true;
    const Content *all =
        bytes ? joinedGradient(rank.proof, parts, rowOf(rank, parameter), *coversOf(rank, parameter)) : nullptr;
    if (bytes && !all) return std::nullopt;
    if (bytes) append(joined, {all, 0, bytes});
  }
  for (const Piece &padding : sub(image, at, bytesOf(image) - at))
    append(joined, padding);
  return isOneMade ? std::optional(joined) : std::nullopt;
}

/// Joins the gradients of a whole bucket that lie from `begin` on; false if there are none to be joined.
bool joinBucket(TpRank &rank, int number, uint64_t begin) {
  const ByteRange range{begin, uint64_t(rank.program.buckets(number).elements()) * sizeOf(DType::F32), 1, 0};
  llvm::Expected<Pieces> image = rank.arena.read(range);
  if (!image) {
    llvm::consumeError(image.takeError());
    return false;
  }
  const std::optional<Pieces> joined = joinedImage(rank, number, *image);
  if (joined) rank.arena.write(range, *joined);
  return joined.has_value();
}

} // namespace

void joinGradients(TpRank &rank, const plan::TensorRef &ref) {
  if (DType(ref.dtype()) != DType::F32) return;
  for (int number : rank.bucketsInParts) {
    const plan::Bucket &bucket = rank.program.buckets(number);
    const int64_t held = elementsOf(ref), all = bucket.elements(), slices = slicesOf(bucket, bucket.accumulator());
    const uint64_t before = uint64_t(rank.number * held) * sizeOf(DType::F32); // at dp 1 a slice may lie in the whole
    if (held == all && joinBucket(rank, number, ref.offset())) return;
    if (held * slices == all && before <= ref.offset() && joinBucket(rank, number, ref.offset() - before)) return;
  }
}

} // namespace autotp

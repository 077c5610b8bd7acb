// compiler/certify/rules/flat_buckets.cpp: reading and writing buckets and slices of them, and which gradients lie where there.
#include "compiler/certify/walk/coordinate.h"
#include "runtime/base/error.h"
#include "runtime/base/indexed.h"
#include "runtime/plan/check_program.h"

namespace autotp {
namespace {

/// Into how many slices a bucket is cut, one of which a tensor of it is.
int64_t slicesOf(const plan::Bucket &bucket, const plan::TensorRef &ref) {
  const int64_t held = elementsOf(ref);
  return held > 0 ? bucket.elements() / held : 1;
}

} // namespace

std::vector<Piece> Coordinate::ofRank(const Flat &flat, int64_t rank) const {
  if (!flat.isSliced) return flat.image;
  uint64_t bytes = 0;
  for (const Piece &piece : flat.image)
    bytes += piece.bytes;
  bytes /= uint64_t(proof_.options.dp);
  return sub(flat.image, uint64_t(rank) * bytes, bytes);
}

llvm::Expected<Coordinate::Flat> Coordinate::flat(const plan::TensorRef &ref) {
  std::optional<ByteRange> range = rangeOf(ref);
  if (!range) return problem("", "the slices of the dp ranks lie over each other");
  joinGradients(ref);
  Flat held;
  std::string why;
  if (!arena_.read(*range, held.image, why)) return problem("", why);
  held.isSliced = range->isSliced();
  auto isSlice = [](const Piece &piece) { return piece.content->kind == Content::Kind::Sliced; };
  if (llvm::Error error = checkDType(ref, held.image)) return error;
  if (held.isSliced || held.image.empty() || !llvm::all_of(held.image, isSlice)) return held;
  Flat together{{}, true};
  for (int64_t rank = 0; rank < proof_.options.dp; ++rank)
    for (const Piece &piece : held.image)
      for (const Piece &own :
           sub(piece.content->image, uint64_t(rank) * piece.content->bytes + piece.offset, piece.bytes))
        append(together.image, own);
  if (llvm::Error error = checkDType(ref, together.image)) return error;
  return together;
}

llvm::Error Coordinate::writeFlat(const plan::TensorRef &ref, const Flat &flat) {
  std::optional<ByteRange> range = rangeOf(ref);
  uint64_t bytes = 0;
  for (const Piece &piece : flat.image)
    bytes += piece.bytes;
  const uint64_t wanted = bytesOf(ref) * (flat.isSliced ? uint64_t(proof_.options.dp) : 1);
  if (!range || bytes != wanted || (range->isSliced() && !flat.isSliced))
    return problem("", "its result is not as large as what it computes");
  if (!flat.isSliced || range->isSliced()) {
    arena_.write(*range, flat.image);
    return llvm::Error::success();
  }
  Content slice;
  slice.kind = Content::Kind::Sliced;
  slice.dtype = DType(ref.dtype());
  slice.bytes = bytesOf(ref);
  slice.image = flat.image;
  const Content *held = proof_.store.add(std::move(slice));
  arena_.write(*range, Piece{held, 0, held->bytes});
  return llvm::Error::success();
}

/// All of it where the dp ranks have the whole together; else the slices of this coordinate, of which rank
/// dp_rank * tp + tp_rank has the rank-th.
std::vector<Coordinate::Window> Coordinate::windowsOf(const plan::Bucket &bucket, const plan::TensorRef &ref) const {
  const int64_t slices = slicesOf(bucket, ref), dp = proof_.options.dp, held = elementsOf(ref);
  if (slices == 1 || slices == dp) return {{0, 0, bucket.elements()}};
  std::vector<Window> windows;
  for (int64_t rank = 0; rank < dp; ++rank)
    windows.push_back({rank * held, (rank * proof_.options.tp + number_) * held, held});
  return windows;
}

/// Nothing where the tensor has another part of the bucket than its size says.
std::optional<std::vector<Coordinate::Run>> Coordinate::runsOf(const Flat &flat, const plan::TensorRef &ref,
                                                               const plan::Parameter &parameter) const {
  const plan::Bucket &bucket = program_.buckets(int(parameter.bucket()));
  const uint64_t size = sizeOf(DType(ref.dtype()));
  const int64_t begin = int64_t(parameter.bucket_begin()), end = begin + elementsOf(parameter.tensor());
  if (flat.isSliced != (slicesOf(bucket, ref) != 1 && proof_.options.dp > 1)) return std::nullopt;
  std::vector<Run> runs;
  for (const Window &window : windowsOf(bucket, ref)) {
    const int64_t from = std::max(begin, window.inBucket), to = std::min(end, window.inBucket + window.elements);
    if (from >= to) continue;
    const uint64_t bytes = uint64_t(to - from) * size;
    runs.push_back(
        {from - begin, to - begin, sub(flat.image, uint64_t(window.inImage + from - window.inBucket) * size, bytes)});
    uint64_t held = 0;
    for (const Piece &piece : runs.back().pieces)
      held += piece.bytes;
    if (held != bytes) return std::nullopt;
  }
  return runs;
}

/// Whether all that a flat tensor of a parameter's bucket has of its place is its gradient, ready for the update.
bool Coordinate::isGradientIn(const Flat &flat, const plan::TensorRef &ref, const plan::Parameter &parameter,
                              std::string &why) {
  const Proof::Parameter &row = proof_.parameters.find(parameter.name())->second;
  const uint64_t size = sizeOf(DType(ref.dtype())), all = uint64_t(elementsOf(parameter.tensor())) * size;
  std::optional<Lists> covers = coversOf(parameter);
  std::optional<std::vector<Run>> runs = runsOf(flat, ref, parameter);
  why = "its bucket is not all there";
  if (!covers || !runs) return false;
  for (const Run &run : *runs) {
    why = "it lies elsewhere";
    if (uint64_t(run.end - run.begin) * size == all) {
      const Content *gradient = proof_.together(run.pieces);
      if (!gradient || !proof_.isGradient(*gradient, row, *covers, why)) return false;
      continue;
    }
    uint64_t at = uint64_t(run.begin) * size; // a part of it is no box: it must be cut from all of the gradient
    for (const Piece &piece : run.pieces) {
      const bool isCut = piece.offset == at && piece.content->bytes == all;
      if (!(isCut || piece.content->isZero()) || !proof_.isGradient(*piece.content, row, *covers, why)) return false;
      at += piece.bytes;
    }
  }
  return true;
}

void Coordinate::findBucketsInParts() {
  llvm::SmallVector<bool, 0> isInParts(size_t(program_.buckets_size()), false);
  for (auto [number, bucket] : indexed(program_.buckets())) {
    const int64_t slices = slicesOf(bucket, bucket.accumulator());
    isInParts[number] = slices != 1 && slices != proof_.options.dp;
  }
  for (const plan::Parameter &parameter : program_.parameters()) {
    const GlobalOperand &gradient = proof_.parameters.find(parameter.name())->second.gradient;
    if (gradient.kind == GlobalOperand::Kind::Value && proof_.values.isConcat(proof_.values.view(gradient.view).root))
      isInParts[parameter.bucket()] = true;
  }
  for (auto [number, isOne] : indexed(isInParts))
    if (isOne) bucketsInParts_.push_back(int(number));
}

/// Before gradients are added or slices are cut from a whole bucket, the parts of each gradient in it become one content:
/// a concat is nowhere to be seen where its operands were computed at their places.
void Coordinate::joinGradients(const plan::TensorRef &ref) {
  for (int number : bucketsInParts_) {
    const plan::Bucket &bucket = program_.buckets(number);
    const int64_t held = elementsOf(ref), all = bucket.elements(), slices = slicesOf(bucket, bucket.accumulator());
    if (DType(ref.dtype()) != DType::F32) return;
    const uint64_t before = uint64_t(number_ * held) * sizeOf(DType::F32); // at dp 1 a slice may lie in the whole
    if (held == all && joinBucket(number, ref.offset())) return;
    if (held * slices == all && before <= ref.offset() && joinBucket(number, ref.offset() - before)) return;
  }
}

/// False where a whole bucket's gradients do not lie from `begin` on, or are in one piece each.
bool Coordinate::joinBucket(int number, uint64_t begin) {
  const uint64_t size = sizeOf(DType::F32);
  const ByteRange range{begin, uint64_t(program_.buckets(number).elements()) * size, 1, 0};
  std::vector<Piece> image, joined;
  std::string why;
  if (!arena_.read(range, image, why)) return false;
  uint64_t at = 0;
  bool isOneMade = false;
  for (const plan::Parameter &parameter : program_.parameters()) {
    if (parameter.bucket() != uint32_t(number)) continue;
    const uint64_t from = parameter.bucket_begin() * size, bytes = uint64_t(elementsOf(parameter.tensor())) * size;
    if (from < at) return false;
    for (const Piece &padding : sub(image, at, from - at))
      append(joined, padding);
    const GlobalOperand &gradient = proof_.parameters.find(parameter.name())->second.gradient;
    const std::vector<Piece> parts = sub(image, from, bytes);
    if (parts.size() == 1) {
      append(joined, parts[0]);
      at = from + bytes;
      continue;
    }
    isOneMade = true;
    const Content *all = bytes ? proof_.together(parts) : nullptr;
    bool isValue = all && all->kind == Content::Kind::Value && gradient.kind == GlobalOperand::Kind::Value;
    for (const Piece &part : parts) // what is reduced already must not be told with what is not
      isValue &= all && (part.content->isZero() || part.content->pending == all->pending);
    if (bytes && !(all && all->isZero()) && !(isValue && all->root == proof_.values.view(gradient.view).root))
      return false;
    if (bytes) append(joined, {all, 0, bytes});
    at = from + bytes;
  }
  for (const Piece &padding : sub(image, at, range.bytes - at))
    append(joined, padding);
  if (isOneMade) arena_.write(range, joined);
  return isOneMade;
}

/// Whether master weights lie there, or what is between them.
bool Coordinate::isMaster(const plan::TensorRef &ref) const {
  std::optional<ByteRange> range = rangeOf(ref);
  std::vector<Piece> held;
  std::string why;
  auto isOne = [](const Piece &piece) {
    return piece.content->isUpdated || piece.content->kind == Content::Kind::State;
  };
  return range && arena_.read(*range, held, why) && llvm::any_of(held, [&](const Piece &piece) {
           return isOne(piece) ||
                  (piece.content->kind == Content::Kind::Sliced && llvm::any_of(piece.content->image, isOne));
         });
}

/// The graph's parameters follow from the updated master weights of their bucket.
llvm::Error Coordinate::roundMasters(const plan::KernelCall &call) {
  llvm::Expected<Flat> masters = flat(call.operands(0));
  if (!masters) return masters.takeError();
  const DType dtype = DType(call.results(0).dtype());
  Flat parameters{{}, masters->isSliced};
  for (const Piece &piece : masters->image) {
    const uint64_t from = sizeOf(piece.content->dtype), to = sizeOf(dtype), bytes = piece.bytes / from * to;
    if (piece.content->kind == Content::Kind::State) { // 0 stays 0
      Content padding;
      padding.kind = Content::Kind::State;
      padding.dtype = dtype;
      padding.bytes = bytes;
      parameters.image.push_back({proof_.store.add(std::move(padding)), 0, bytes});
      continue;
    }
    const Content *next = proof_.rounded(*piece.content, dtype);
    if (!next || piece.offset % from || piece.bytes % from)
      return problem("", "it rounds " + describe(*piece.content, proof_.values, proof_.lists) +
                             ", no updated master weights of parameters in its dtype");
    append(parameters.image, {next, piece.offset / from * to, bytes});
  }
  return writeFlat(call.results(0), parameters);
}

} // namespace autotp

#include "runtime/data/npz.h"
#include "runtime/data/source.h"

#include "runtime/base/error.h"

#include <cmath>
#include <cstring>

namespace autotp {
namespace {

double loadValue(DType dtype, const std::byte *at) {
  auto as = [&](auto value) {
    std::memcpy(&value, at, sizeof value);
    return double(value);
  };
  switch (dtype) {
  case DType::F32:
    return as(float());
  case DType::F64:
    return as(double());
  case DType::I64:
    return as(int64_t());
  case DType::I32:
    return as(int32_t());
  default:
    return as(uint8_t());
  }
}

void storeValue(DType dtype, double value, std::byte *at) {
  auto as = [&](auto typed) { std::memcpy(at, &typed, sizeof typed); };
  switch (dtype) {
  case DType::F32:
    return as(float(value));
  case DType::F64:
    return as(value);
  case DType::I64:
    return as(int64_t(value));
  case DType::I32:
    return as(int32_t(value));
  default:
    return as(uint8_t(value));
  }
}

class Feed : public Source {
public:
  std::vector<NpyArray> arrays; ///< by input
  std::vector<DType> dtypes;

  llvm::Error fill(int64_t row, size_t input, std::span<std::byte> to) const override {
    const NpyArray &array = arrays[input];
    size_t fromSize = sizeOf(array.dtype), toSize = sizeOf(dtypes[input]), elements = to.size() / toSize;
    const std::byte *from = array.data.data() + size_t(row) * elements * fromSize;
    if (array.dtype == dtypes[input]) {
      std::memcpy(to.data(), from, to.size());
      return llvm::Error::success();
    }
    for (size_t i = 0; i < elements; ++i)
      storeValue(dtypes[input], loadValue(array.dtype, from + i * fromSize), to.data() + i * toSize);
    return llvm::Error::success();
  }
};

/// Labels may hold any negative number: rows that are not counted. A token that is negative counts from the end.
llvm::Error checkRange(llvm::StringRef path, const Manifest::Input &input, const NpyArray &array) {
  if (input.limit == 0) return llvm::Error::success();
  size_t size = sizeOf(array.dtype);
  const double least = input.role == "tokens" ? -double(input.limit) : -HUGE_VAL;
  for (size_t i = 0; i * size < array.data.size(); ++i) {
    double value = loadValue(array.dtype, array.data.data() + i * size);
    if (value < double(input.limit) && value >= least) continue;
    return problem((path + ": input '" + escaped(input.name) + "'").str(),
                   llvm::formatv("element {0} is {1}, outside [{2}, {3})", i, int64_t(value),
                                 input.role == "tokens" ? -input.limit : 0, input.limit)
                       .str());
  }
  return llvm::Error::success();
}

} // namespace

llvm::Expected<std::unique_ptr<Source>> openFeed(llvm::StringRef path, const Manifest &manifest, int64_t steps) {
  llvm::Expected<std::vector<NpyArray>> arrays = readNpz(path);
  if (!arrays) return arrays.takeError();
  int64_t globalBatch = manifest.microBatch * manifest.gradAccum * manifest.dp;
  auto feed = std::make_unique<Feed>();
  for (const Manifest::Input &input : manifest.inputs) {
    std::string where = (path + ": input '" + escaped(input.name) + "'").str();
    auto at = llvm::find_if(*arrays, [&](const NpyArray &a) { return a.name == input.name; });
    if (at == arrays->end())
      return problem(where, "the feed holds no array of this name", "store it with samples first");
    std::vector<int64_t> sample(input.shape.begin() + 1, input.shape.end());
    if (at->shape.empty() || std::vector<int64_t>(at->shape.begin() + 1, at->shape.end()) != sample)
      return problem(where, "its samples are of another shape than the plan's");
    if (at->shape[0] % globalBatch)
      return problem(
          where,
          llvm::formatv("{0} rows are no whole number of global batches of {1}", at->shape[0], globalBatch).str());
    if (at->shape[0] / globalBatch < steps)
      return problem(
          where,
          llvm::formatv("{0} rows are enough for {1} steps, not {2}", at->shape[0], at->shape[0] / globalBatch, steps)
              .str(),
          "give more rows, or fewer --steps");
    if (llvm::Error error = checkRange(path, input, *at)) return error;
    feed->arrays.push_back(*at);
    feed->dtypes.push_back(dtypeNamed(input.dtype).value_or(DType::F32));
  }
  return feed;
}

} // namespace autotp

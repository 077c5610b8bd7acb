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
  std::vector<bool> isConstant; ///< whether it is the same in all steps

  llvm::Error fill(int64_t row, size_t input, std::span<std::byte> to) const override {
    const NpyArray &array = arrays[input];
    size_t fromSize = sizeOf(array.dtype), toSize = sizeOf(dtypes[input]), elements = to.size() / toSize;
    const std::byte *from = array.data.data() + (isConstant[input] ? 0 : size_t(row) * elements * fromSize);
    if (array.dtype == dtypes[input]) {
      std::memcpy(to.data(), from, to.size());
      return llvm::Error::success();
    }
    for (size_t i = 0; i < elements; ++i)
      storeValue(dtypes[input], loadValue(array.dtype, from + i * fromSize), to.data() + i * toSize);
    return llvm::Error::success();
  }
};

/// The smallest bound of an element of a sample, and the table or loss that it comes from.
struct Limit {
  int64_t value = 0; ///< 0: there is none
  std::string of;
};

std::vector<Limit> limitsOf(const Manifest::Input &input) {
  std::vector<Limit> limits(input.bounds.empty() ? 1 : size_t(input.elementsOfSample()));
  if (input.bounds.empty()) limits[0].value = input.limit;
  auto lower = [](Limit &limit, const Manifest::Bound &bound) {
    if (limit.value == 0 || bound.limit < limit.value) limit = {bound.limit, " of '" + escaped(bound.of) + "'"};
  };
  for (const Manifest::Bound &bound : input.bounds) {
    for (int64_t place : bound.places)
      lower(limits[size_t(place)], bound);
    for (Limit &limit : limits)
      if (bound.places.empty()) lower(limit, bound);
  }
  return limits;
}

/// Labels may be negative or numbers that the loss ignores, for rows that do not count. A negative token counts from
/// the end.
llvm::Error checkRange(llvm::StringRef path, const Manifest::Input &input, const NpyArray &array) {
  if (input.limit == 0) return llvm::Error::success();
  const std::vector<Limit> limits = limitsOf(input);
  const size_t size = sizeOf(array.dtype);
  const bool isTokens = input.role == "tokens";
  for (size_t i = 0; i * size < array.data.size(); ++i) {
    const double value = loadValue(array.dtype, array.data.data() + i * size);
    const Limit &limit = limits[i % limits.size()];
    const double least = isTokens ? -double(limit.value) : -HUGE_VAL;
    if (limit.value == 0 || (value < double(limit.value) && value >= least) || input.ignores(value)) continue;
    return problem((path + ": input '" + escaped(input.name) + "'").str(),
                   llvm::formatv("element {0} is {1}, outside [{2}, {3}){4}", i, int64_t(value),
                                 isTokens ? -limit.value : 0, limit.value, limit.of)
                       .str());
  }
  return llvm::Error::success();
}

/// The number of rows of an array in the feed. Errors: it has another shape, or not the rows that the run needs.
llvm::Expected<int64_t> rowsOf(const std::string &where, const Manifest::Input &input, const NpyArray &array,
                               const Manifest &manifest, WantedRows wanted) {
  llvm::ArrayRef<int64_t> own = input.shape, given = array.shape;
  if (!input.isBatched && given == own) return 1;
  const int64_t rowSize = input.isBatched || own.empty() ? 1 : own[0];
  if (given.empty() || given.drop_front() != (own.empty() ? own : own.drop_front()) || rowSize == 0 ||
      given[0] % rowSize)
    return problem(where, "its samples are of another shape than the plan's");
  const int64_t rows = given[0] / rowSize,
                rowsOfStep = input.isBatched ? manifest.microBatch * manifest.gradAccum * manifest.dp : 1;
  if (rows % rowsOfStep)
    return problem(where,
                   llvm::formatv("{0} rows are no whole number of global batches of {1}", rows, rowsOfStep).str());
  if (rows < (input.isBatched ? wanted.rows : wanted.steps))
    return problem(
        where, llvm::formatv("{0} rows are enough for {1} steps, not {2}", rows, rows / rowsOfStep, wanted.steps).str(),
        "give more rows, or fewer --steps");
  return rows;
}

} // namespace

llvm::Expected<std::unique_ptr<Source>> openFeed(llvm::StringRef path, const Manifest &manifest, WantedRows wanted) {
  llvm::Expected<std::vector<NpyArray>> arrays = readNpz(path);
  if (!arrays) return arrays.takeError();
  auto feed = std::make_unique<Feed>();
  for (const Manifest::Input &input : manifest.inputs) {
    std::string where = (path + ": input '" + escaped(input.name) + "'").str();
    auto at = llvm::find_if(*arrays, [&](const NpyArray &a) { return a.name == input.name; });
    if (at == arrays->end())
      return problem(where, "the feed holds no array of this name", "store it with samples first");
    llvm::Expected<int64_t> rows = rowsOf(where, input, *at, manifest, wanted);
    if (!rows) return rows.takeError();
    if (llvm::Error error = checkRange(path, input, *at)) return error;
    feed->arrays.push_back(*at);
    feed->dtypes.push_back(dtypeNamed(input.dtype).value_or(DType::F32));
    feed->isConstant.push_back(!input.isBatched && *rows == 1);
  }
  return feed;
}

} // namespace autotp

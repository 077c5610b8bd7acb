#include "runtime/base/error.h"
#include "runtime/base/indexed.h"
#include "runtime/data/input_files.h"
#include "runtime/data/npz.h"
#include "runtime/data/source.h"
#include "runtime/data/store_element.h"
#include "runtime/plan/dtype.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"

#include <cmath>

namespace autotp {
namespace {

/// The type in which an input lies in memory; nothing for bf16, which no data file has.
std::optional<ElementType> elementTypeOf(DType dtype) {
  if (dtype == DType::BF16) return std::nullopt;
  const ElementKind kind = dtype == DType::Bool                         ? ElementKind::Bool
                           : dtype == DType::U8                         ? ElementKind::Unsigned
                           : dtype == DType::I32 || dtype == DType::I64 ? ElementKind::Signed
                                                                        : ElementKind::Float;
  return ElementType{kind, uint8_t(sizeOf(dtype))};
}

/// The array of an input in one file, and its rows.
struct Part {
  const std::string *path;
  NpyArray array;
  int64_t rows = 0, firstRow = 0; ///< firstRow: those in the files before it
};

struct FeedInput {
  DType dtype = DType::F32;
  bool isConstant = false;      ///< the same in all steps
  std::vector<Part> parts = {}; ///< in the order of the files
  int64_t rows = 0;
};

class Feed : public Source {
public:
  std::vector<FeedInput> inputs;
  std::vector<std::string> paths;

  std::vector<std::string> files() const override { return paths; }

  llvm::Error fill(int64_t row, size_t index, std::span<std::byte> to) const override {
    const FeedInput &input = inputs[index];
    if (input.isConstant) row = 0;
    const Part &part =
        *std::prev(llvm::upper_bound(input.parts, row, [](int64_t r, const Part &p) { return r < p.firstRow; }));
    const size_t toSize = sizeOf(input.dtype), elements = to.size() / toSize;
    const ElementType type = part.array.type;
    const std::byte *from = part.array.data.data() + size_t(row - part.firstRow) * elements * type.bytes;
    if (elementTypeOf(input.dtype) == type) {
      std::memcpy(to.data(), from, to.size());
      return llvm::Error::success();
    }
    visitElement(type, [&](auto zero) {
      for (size_t i = 0; i < elements; ++i)
        storeElement(input.dtype, loadElement<decltype(zero)>(from, i), to.data() + i * toSize);
    });
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

/// The least whole number that an input takes, and the one above the largest. A float is none.
std::pair<double, double> rangeOf(DType dtype) {
  if (dtype == DType::I32) return {-0x1p31, 0x1p31};
  if (dtype == DType::I64) return {-0x1p63, 0x1p63};
  return {0, dtype == DType::U8 ? 256 : 2};
}

std::string textOf(double value) {
  if (value == std::floor(value) && std::fabs(value) < 0x1p63) return std::to_string(int64_t(value));
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format("%g", value);
  return text;
}

/// Checks the values of an input of whole numbers. Labels may be negative or numbers that the loss ignores, for rows
/// that do not count. A negative token counts from the end.
llvm::Error checkValues(llvm::StringRef where, const Manifest::Input &input, DType dtype, const NpyArray &array) {
  if (isFloat(dtype) || dtype == DType::Bool || (input.limit == 0 && elementTypeOf(dtype) == array.type))
    return llvm::Error::success();
  const std::vector<Limit> limits = input.limit == 0 ? std::vector<Limit>(1) : limitsOf(input);
  const bool isTokens = input.role == "tokens";
  const std::pair<double, double> range = rangeOf(dtype);
  size_t wrong = 0;
  double value = 0;
  auto isLegal = [&](size_t i) {
    const double limit = double(limits[i % limits.size()].value);
    if (value != std::floor(value) || value < range.first || value >= range.second) return false;
    return limit == 0 || (value < limit && (!isTokens || value >= -limit)) || input.ignores(value);
  };
  const bool areLegal = visitElement(array.type, [&](auto zero) {
    for (const size_t count = array.data.size() / sizeof zero; wrong < count; ++wrong) {
      value = double(loadElement<decltype(zero)>(array.data.data(), wrong));
      if (!isLegal(wrong)) return false;
    }
    return true;
  });
  if (areLegal) return llvm::Error::success();
  const Limit &limit = limits[wrong % limits.size()];
  const std::string text = textOf(value);
  if (value != std::floor(value))
    return problem(where, llvm::formatv("element {0} is {1}, but the plan's are whole numbers", wrong, text).str(),
                   "store whole numbers");
  if (limit.value == 0)
    return problem(where,
                   llvm::formatv("element {0} is {1}, which does not fit into {2}", wrong, text, input.dtype).str());
  return problem(where, llvm::formatv("element {0} is {1}, outside [{2}, {3}){4}", wrong, text,
                                      isTokens ? -limit.value : 0, limit.value, limit.of)
                            .str());
}

/// The number of rows of an array. Errors: it has another shape.
llvm::Expected<int64_t> rowsOf(llvm::StringRef where, const Manifest::Input &input, const NpyArray &array) {
  llvm::ArrayRef<int64_t> own = input.shape, given = array.shape;
  if (!input.isBatched && given == own) return 1;
  const int64_t rowSize = input.isBatched || own.empty() ? 1 : own[0];
  if (given.empty() || given.drop_front() != (own.empty() ? own : own.drop_front()) || rowSize == 0 ||
      given[0] % rowSize)
    return problem(where, "its samples are of another shape than the plan's");
  return given[0] / rowSize;
}

/// Errors: the rows of all files are no whole number of global batches, or fewer than the run needs.
llvm::Error checkRows(llvm::StringRef where, const Manifest::Input &input, int64_t rows, const Manifest &manifest,
                      WantedRows wanted) {
  const int64_t rowsOfStep = input.isBatched ? manifest.microBatch * manifest.gradAccum * manifest.dp : 1;
  if (rows % rowsOfStep)
    return problem(where,
                   llvm::formatv("{0} rows are no whole number of global batches of {1}", rows, rowsOfStep).str());
  if (rows < (input.isBatched ? wanted.rows : wanted.steps))
    return problem(
        where, llvm::formatv("{0} rows are enough for {1} steps, not {2}", rows, rows / rowsOfStep, wanted.steps).str(),
        "give more rows, or fewer --steps");
  return llvm::Error::success();
}

/// Whether what all samples share is one value, in each of the files.
bool isOneValue(const Manifest::Input &input, llvm::ArrayRef<Part> parts) {
  return !input.isBatched && !parts.empty() && llvm::all_of(parts, [&](const Part &part) {
    return part.rows == 1 && part.array.data == parts[0].array.data;
  });
}

std::string placeOf(llvm::StringRef path, const Manifest::Input &input) {
  return (path + ": input '" + escaped(input.name) + "'").str();
}

/// Adds the array of an input in one file. Errors: there is none, or it is of another shape.
llvm::Error addPart(const std::string &path, llvm::ArrayRef<NpyArray> arrays, const Manifest::Input &input,
                    FeedInput &to) {
  const std::string where = placeOf(path, input);
  const NpyArray *at = llvm::find_if(arrays, [&](const NpyArray &a) { return a.name == input.name; });
  if (at == arrays.end()) return problem(where, "the feed holds no array of this name", "store it with samples first");
  llvm::Expected<int64_t> rows = rowsOf(where, input, *at);
  if (!rows) return rows.takeError();
  if (*rows == 0) return llvm::Error::success();
  to.parts.push_back({&path, *at, *rows, to.rows});
  to.rows += *rows;
  return llvm::Error::success();
}

/// The .npz files that --feed names: files, patterns and folders.
llvm::Expected<std::vector<std::string>> feedFiles(llvm::StringRef spec) {
  std::vector<std::string> files;
  llvm::SmallVector<llvm::StringRef> items;
  llvm::sys::fs::exists(spec) ? items.push_back(spec) : spec.split(items, ',', -1, false);
  for (llvm::StringRef item : items) {
    const std::string pattern = llvm::sys::fs::is_directory(item) ? (item.rtrim('/') + "/*.npz").str() : item.str();
    llvm::Expected<std::vector<std::string>> found = filesOf("--feed", pattern);
    if (!found) return found.takeError();
    llvm::append_range(files, *found);
  }
  return files;
}

} // namespace

llvm::Expected<std::unique_ptr<Source>> openFeed(llvm::StringRef spec, const Manifest &manifest, WantedRows wanted) {
  llvm::Expected<std::vector<std::string>> files = feedFiles(spec);
  if (!files) return files.takeError();
  auto feed = std::make_unique<Feed>();
  feed->paths = std::move(*files);
  for (const Manifest::Input &input : manifest.inputs)
    feed->inputs.push_back({dtypeNamed(input.dtype).value_or(DType::F32)});
  llvm::Error errors = llvm::Error::success();
  auto also = [&](llvm::Error error) { errors = llvm::joinErrors(std::move(errors), std::move(error)); };
  for (const std::string &path : feed->paths) {
    llvm::Expected<std::vector<NpyArray>> arrays = readNpz(path);
    if (!arrays) {
      also(arrays.takeError());
      continue;
    }
    for (auto [i, input] : indexed(manifest.inputs))
      also(addPart(path, *arrays, input, feed->inputs[i]));
  }
  if (errors) return errors;
  bool areRowsSaid = false; // of several inputs too few rows are one mistake
  for (auto [i, input] : indexed(manifest.inputs)) {
    FeedInput &fed = feed->inputs[i];
    fed.isConstant = isOneValue(input, fed.parts);
    if (!fed.isConstant && !areRowsSaid)
      if (llvm::Error error = checkRows(placeOf(spec, input), input, fed.rows, manifest, wanted)) {
        areRowsSaid = true;
        also(std::move(error));
      }
    for (const Part &part : fed.parts)
      also(checkValues(placeOf(*part.path, input), input, fed.dtype, part.array));
  }
  if (errors) return errors;
  return feed;
}

} // namespace autotp

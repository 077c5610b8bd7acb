#include "runtime/data/source.h"

#include "runtime/base/error.h"
#include "runtime/base/normal_numbers.h"
#include "runtime/plan/dtype.h"

#include "llvm/Support/MemoryBuffer.h"

#include <algorithm>
#include <cstring>

namespace autotp {
namespace {

/// The Philox streams of this file.
enum : uint64_t { kTokenStream = 1, kWindowStream = 2, kDataStream = 3 };

/// A stream of tokens. Each input is filled from one window of it, as the input's role says.
class TokenSource : public Source {
public:
  TokenSource(const Manifest &manifest, uint64_t seed) : inputs_(manifest.inputs), seed_(seed) {
    for (const Manifest::Input &input : inputs_)
      if (input.role == "tokens") vocabulary_ = input.limit;
    for (const Manifest::Input &input : inputs_)
      classes_ = std::max(classes_, input.limit);
  }

  llvm::Error fill(int64_t row, size_t index, std::span<std::byte> to) const override {
    const Manifest::Input &input = inputs_[index];
    if (!input.isBatched) row = 0; // the same in all steps
    DType dtype = dtypeNamed(input.dtype).value_or(DType::I64);
    int64_t elements = int64_t(to.size() / sizeOf(dtype));
    if (dtype == DType::F32) {
      const std::span<float> values(reinterpret_cast<float *>(to.data()), size_t(elements));
      if (input.role == "ones")
        std::ranges::fill(values, 1.0f);
      else
        drawNormals(values, seed_, kDataStream + index, uint64_t(row * elements), 0, 1);
      return llvm::Error::success();
    }
    for (int64_t i = 0; i < elements; ++i) {
      int64_t value = integer(input, row, i, elements);
      bool isOut = input.limit > 0 && value >= input.limit && !input.ignores(double(value));
      if (isOut)
        return problem(
            "input '" + escaped(input.name) + "'",
            llvm::formatv("token {0} at row {1}, position {2} lies outside the model's {3}", value, row, i, input.limit)
                .str(),
            "train a model with a larger vocabulary, or give other data");
      std::memcpy(to.data() + i * int64_t(sizeOf(dtype)), &value,
                  sizeOf(dtype)); // the first bytes, as the host is little-endian, also for narrower types
    }
    return llvm::Error::success();
  }

protected:
  /// Token `position` of the window of `row`; the window has `length` tokens.
  virtual int64_t token(int64_t row, int64_t position, int64_t length) const {
    return int64_t(philox(seed_, uint64_t(row * (length + 1) + position), kTokenStream)[0] %
                   uint64_t(std::max<int64_t>(vocabulary_, 1)));
  }

  std::vector<Manifest::Input> inputs_;
  uint64_t seed_;
  int64_t vocabulary_ = 0, classes_ = 0;

private:
  int64_t integer(const Manifest::Input &input, int64_t row, int64_t i, int64_t length) const {
    if (input.role == "tokens" || input.role == "labels") return token(row, i, length);
    if (input.role == "next-labels") return token(row, i + 1, length);
    if (input.role == "ones") return 1;
    if (input.role == "positions") return input.shape.empty() ? 0 : i % std::max<int64_t>(input.shape.back(), 1);
    return int64_t(philox(seed_, uint64_t(row * length + i), kDataStream)[0] %
                   uint64_t(std::max<int64_t>(input.limit, 1)));
  }
};

class FileTokens : public TokenSource {
public:
  FileTokens(const Manifest &manifest, std::unique_ptr<llvm::MemoryBuffer> file, int64_t width)
      : TokenSource(manifest, 0), file_(std::move(file)), width_(width) {}
  int64_t size() const { return int64_t(file_->getBufferSize()) / width_; }

protected:
  int64_t token(int64_t row, int64_t position, int64_t length) const override {
    // A window has one more token for the labels.
    const uint64_t windows = uint64_t(std::max<int64_t>(size() - length, 1));
    const auto words = philox(seed_, uint64_t(row), kWindowStream);
    // One word does not reach every window of a file that has more than 2^32 of them.
    const uint64_t word = windows > UINT32_MAX ? uint64_t(words[1]) << 32 | words[0] : words[0];
    const int64_t start = int64_t(word % windows);
    const char *at = file_->getBufferStart() + (start + position) * width_;
    if (width_ == 1) return uint8_t(*at);
    uint16_t value;
    std::memcpy(&value, at, 2);
    return value;
  }

private:
  std::unique_ptr<llvm::MemoryBuffer> file_;
  int64_t width_;
};

} // namespace

llvm::Expected<std::unique_ptr<Source>> openTokens(llvm::StringRef source, const Manifest &manifest) {
  llvm::StringRef rest = source;
  if (rest.consume_front("synthetic")) {
    uint64_t seed = 0;
    if (!rest.empty() && (!rest.consume_front(":") || rest.getAsInteger(10, seed)))
      return problem("--data", "'" + escaped(source) + "' is no source", "write synthetic or synthetic:SEED");
    return std::make_unique<TokenSource>(manifest, seed);
  }
  auto file = llvm::MemoryBuffer::getFile(source, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!file)
    return problem("--data " + source.str(), "it cannot be read: " + file.getError().message(),
                   "give a text file, a .bin of uint16 tokens, or synthetic[:seed]");
  int64_t width = source.endswith(".bin") ? 2 : 1, bytes = int64_t((*file)->getBufferSize()), longest = 0;
  if (bytes % width) return problem("--data " + source.str(), "its size is odd, but its tokens are of two bytes");
  for (const Manifest::Input &input : manifest.inputs) {
    if (input.role == "data")
      return problem("--data " + source.str(), "input '" + escaped(input.name) + "' is no token",
                     "feed it with --feed FILE.npz");
    longest = std::max(longest, input.elementsOfSample());
  }
  if (bytes / width <= longest)
    return problem(
        "--data " + source.str(),
        llvm::formatv("its {0} tokens are fewer than one sample of {1} and its last label need", bytes / width, longest)
            .str());
  return std::make_unique<FileTokens>(manifest, std::move(*file), width);
}

} // namespace autotp

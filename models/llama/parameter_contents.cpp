#include "models/llama/parameter_contents.h"

#include "runtime/base/error.h"
#include "runtime/base/normal_numbers.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Parallel.h"

#include <cmath>
#include <cstring>

namespace autotp {
namespace {

constexpr double kDeviation = 0.02; // initializer_range of the Hugging Face configuration

float fromHalf(uint16_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  float size = exponent == 0 ? std::ldexp(float(fraction), -24) : std::ldexp(float(1024 + fraction), exponent - 25);
  if (exponent == 31) size = fraction ? NAN : INFINITY;
  return bits & 0x8000 ? -size : size;
}

float elementAt(const NamedTensor &tensor, size_t index) {
  uint32_t bits = 0;
  std::memcpy(&bits, tensor.bytes.data() + index * sizeOf(tensor.dtype), sizeOf(tensor.dtype));
  if (tensor.dtype == DType::F16) return fromHalf(uint16_t(bits));
  if (tensor.dtype == DType::BF16) bits <<= 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

/// Calls visit(first, last) for pieces of [0, elements), on all threads.
void forPieces(size_t elements, llvm::function_ref<void(size_t, size_t)> visit) {
  constexpr size_t kPiece = 1 << 16;
  llvm::parallelForEachN(0, (elements + kPiece - 1) / kPiece,
                         [&](size_t piece) { visit(piece * kPiece, std::min(elements, (piece + 1) * kPiece)); });
}

std::vector<float> draw(uint64_t seed, const LlamaParameter &parameter, size_t ordinal) {
  std::vector<float> values(size_t(parameter.elements()), 1.0f);
  if (parameter.isNorm) return values;
  forPieces(values.size(), [&](size_t first, size_t last) {
    drawNormals(std::span(values).subspan(first, last - first), seed, ordinal, first, 0, kDeviation);
  });
  return values;
}

std::string textOf(llvm::ArrayRef<int64_t> shape) {
  return llvm::formatv("[{0:$[, ]}]", llvm::make_range(shape.begin(), shape.end()));
}

llvm::Error checkTensor(const std::string &path, const LlamaParameter &parameter, const NamedTensor *tensor) {
  const std::string where = path + ": tensor '" + parameter.name + "'";
  if (!tensor) return problem(where, "is missing", "give the whole model in one file");
  if (tensor->shape != parameter.shape)
    return problem(where,
                   "its shape is " + textOf(tensor->shape) + ", but the config gives " + textOf(parameter.shape));
  if (tensor->dtype != DType::F32 && tensor->dtype != DType::BF16 && tensor->dtype != DType::F16)
    return problem(where, ("its type is " + nameOf(tensor->dtype) + ", not f32, bf16 or f16").str());
  return llvm::Error::success();
}

} // namespace

ParameterContents ParameterContents::drawn(uint64_t seed) {
  ParameterContents contents;
  contents.seed_ = seed;
  return contents;
}

llvm::Expected<ParameterContents> ParameterContents::fromFile(const std::string &path, const LlamaConfig &config,
                                                              const LlamaModel &model) {
  llvm::Expected<SafetensorsFile> file = readSafetensors(path);
  if (!file) return file.takeError();
  llvm::Error errors = llvm::Error::success();
  llvm::StringSet<> known;
  for (const LlamaParameter &parameter : model.parameters) {
    known.insert(parameter.name);
    errors = llvm::joinErrors(std::move(errors), checkTensor(path, parameter, file->find(parameter.name)));
  }
  for (const NamedTensor &tensor : file->tensors) {
    llvm::StringRef name = tensor.name;
    if (known.count(name) || name.endswith("rotary_emb.inv_freq") || (config.isTied && name == "lm_head.weight"))
      continue;
    errors = llvm::joinErrors(std::move(errors), problem(path + ": tensor '" + escaped(name) + "'",
                                                         "the model of this config has no such parameter"));
  }
  if (errors) return errors;
  ParameterContents contents;
  contents.file_ = std::move(*file);
  return contents;
}

std::vector<float> ParameterContents::read(const LlamaModel &model, size_t ordinal) const {
  const LlamaParameter &parameter = model.parameters[ordinal];
  if (!file_) return draw(seed_, parameter, ordinal);
  const NamedTensor &tensor = *file_->find(parameter.name); // fromFile has seen it
  std::vector<float> values(size_t(parameter.elements()));
  forPieces(values.size(), [&](size_t first, size_t last) {
    for (size_t e = first; e < last; ++e)
      values[e] = elementAt(tensor, e);
  });
  return values;
}

} // namespace autotp

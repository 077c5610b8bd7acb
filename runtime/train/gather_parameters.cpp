#include "runtime/train/gather_parameters.h"

#include "runtime/plan/safetensors.h"

namespace autotp {
namespace {

/// Calls f(local element, global element) for all elements that a rank holds.
template <typename F> void forEachHeld(const plan::Parameter &parameter, F f) {
  size_t rank = size_t(parameter.global_shape_size());
  std::vector<std::vector<int64_t>> held(rank);
  for (size_t d = 0; d < rank; ++d)
    for (int i = 0; i < parameter.covers(int(d)).begins_size(); ++i)
      for (int64_t at = parameter.covers(int(d)).begins(i); at < parameter.covers(int(d)).ends(i); ++at)
        held[d].push_back(at);
  int64_t elements = elementsOf(parameter.tensor());
  for (int64_t e = 0; e < elements; ++e) {
    int64_t rest = e, global = 0, stride = 1;
    for (size_t d = rank; d-- > 0;) {
      int64_t size = int64_t(held[d].size());
      global += held[d][size_t(rest % size)] * stride;
      rest /= size;
      stride *= parameter.global_shape(int(d));
    }
    f(e, global);
  }
}

/// Element `at` of a bucket, from the dp rank that holds it.
float bucketElement(llvm::ArrayRef<const Executor *> ranks, int64_t tp, int64_t tpRank, uint32_t bucket, int64_t at) {
  const plan::Bucket &layout = ranks[size_t(tpRank)]->program().buckets(int(bucket));
  int64_t dp = layout.dp_slice() ? at / layout.dp_slice() : 0;
  const Executor &owner = *ranks[size_t(dp * tp + tpRank)];
  int64_t within = layout.dp_slice() ? at % layout.dp_slice() : at;
  return reinterpret_cast<const float *>(
      owner.bytes(owner.program().buckets(int(bucket)).accumulator()).data())[within];
}

std::vector<float> wholeOf(llvm::ArrayRef<const Executor *> ranks, int64_t tp, int index, Gathered what) {
  const plan::Parameter &first = ranks[0]->program().parameters(index);
  int64_t elements = 1;
  for (int64_t d : first.global_shape())
    elements *= d;
  std::vector<float> whole(static_cast<size_t>(elements), 0.0f);
  for (int64_t c = 0; c < tp; ++c) {
    const Executor &owner = *ranks[size_t(c)];
    for (const plan::Parameter &own : owner.program().parameters()) {
      if (own.name() != first.name()) continue;
      const float *weights = reinterpret_cast<const float *>(owner.bytes(own.tensor()).data());
      float scale = what == Gathered::Gradients ? 1.0f / owner.scalar("count") : 1.0f;
      forEachHeld(own, [&](int64_t local, int64_t global) {
        whole[size_t(global)] = what == Gathered::Weights ? weights[local]
                                                          : scale * bucketElement(ranks, tp, c, own.bucket(),
                                                                                  int64_t(own.bucket_begin()) + local);
      });
    }
  }
  return whole;
}

std::vector<float> transposed(const std::vector<float> &from, int64_t rows, int64_t columns) {
  std::vector<float> to(from.size());
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c)
      to[size_t(c * rows + r)] = from[size_t(r * columns + c)];
  return to;
}

} // namespace

llvm::Error writeGathered(llvm::StringRef path, llvm::ArrayRef<const Executor *> ranks, int64_t tp, Gathered what) {
  std::vector<std::vector<float>> contents;
  std::vector<NamedTensor> tensors;
  auto add = [&](const std::string &name, std::vector<int64_t> shape, std::vector<float> values) {
    contents.push_back(std::move(values));
    tensors.push_back({name, DType::F32, std::move(shape), {}});
  };
  const plan::Program &program = ranks[0]->program();
  for (int i = 0; i < program.parameters_size(); ++i) {
    const plan::Parameter &parameter = program.parameters(i);
    std::vector<int64_t> shape(parameter.global_shape().begin(), parameter.global_shape().end());
    std::vector<float> whole = wholeOf(ranks, tp, i, what);
    for (const plan::Alias &alias : parameter.aliases()) {
      if (alias.transposed())
        add(alias.name(), {shape[1], shape[0]}, transposed(whole, shape[0], shape[1]));
      else
        add(alias.name(), shape, whole);
    }
    add(parameter.name(), shape, std::move(whole));
  }
  for (size_t i = 0; i < tensors.size(); ++i)
    tensors[i].bytes = llvm::ArrayRef<uint8_t>(reinterpret_cast<const uint8_t *>(contents[i].data()),
                                               contents[i].size() * sizeof(float));
  return writeSafetensors(path, tensors);
}

} // namespace autotp

#include "runtime/train/gather_parameters.h"

#include "runtime/base/error.h"
#include "runtime/base/transposed.h"
#include "runtime/checkpoint/saved_slices.h"
#include "runtime/plan/safetensors.h"

namespace autotp {
namespace {

const plan::Parameter *find(const plan::Program &program, const std::string &name) {
  for (const plan::Parameter &parameter : program.parameters())
    if (parameter.name() == name) return &parameter;
  return nullptr;
}

/// The elements of a parameter that the tp ranks before this one hold, since several may hold the same ones.
class EarlierHolders {
public:
  EarlierHolders(llvm::ArrayRef<const plan::Program *> earlier, const std::string &name) {
    for (const plan::Program *program : earlier) {
      const plan::Parameter *parameter = find(*program, name);
      if (!parameter) continue;
      auto &dimensions = held_.emplace_back();
      for (int d = 0; d < parameter->global_shape_size(); ++d) {
        dimensions.emplace_back(size_t(parameter->global_shape(d)), false);
        for (int i = 0; i < parameter->covers(d).begins_size(); ++i)
          for (int64_t at = parameter->covers(d).begins(i); at < parameter->covers(d).ends(i); ++at)
            dimensions.back()[size_t(at)] = true;
      }
    }
  }

  bool hold(std::span<const int64_t> index) const {
    return llvm::any_of(held_, [&](const std::vector<std::vector<bool>> &dimensions) {
      for (size_t d = 0; d < index.size(); ++d)
        if (!dimensions[d][size_t(index[d])]) return false;
      return true;
    });
  }

private:
  std::vector<std::vector<std::vector<bool>>> held_; ///< [tp rank][dimension][index]
};

/// Adds the elements of which this rank is the first holder among all ranks.
void addOwn(const Executor &own, const plan::Parameter &parameter, const EarlierHolders &earlier, Gathered what,
            std::vector<float> &whole) {
  const plan::Bucket &bucket = own.program().buckets(int(parameter.bucket()));
  const plan::TensorRef &source = what == Gathered::Gradients ? bucket.accumulator() : *tensorOfKind(bucket, kWeights);
  const int64_t begin = int64_t(parameter.bucket_begin());
  const BucketPart part = bucketPart(bucket, source, begin, begin + elementsOf(parameter.tensor()), own.place());
  if (part.begin >= part.end || (part.slices == 1 && own.dpRank() != 0)) return; // dp rank 0 has all of it as well
  const bool isAlone = part.slices > own.place().dp;                             // no other tp rank has this slice
  std::vector<float> from(size_t(part.end - part.begin));
  own.download(part.tensor, from.data());
  const float scale = what == Gathered::Gradients ? 1.0f / own.scalar("grad_divisor") : 1.0f;
  forEachHeld(parameter, [&](int64_t local, int64_t global, std::span<const int64_t> index) {
    const int64_t at = begin + local;
    if (at < part.begin || at >= part.end || (!isAlone && earlier.hold(index))) return;
    whole[size_t(global)] = scale * from[size_t(at - part.begin)];
  });
}

/// Tensors and their contents.
struct Contents {
  std::vector<NamedTensor> tensors;
  std::vector<std::vector<float>> values;

  void add(const std::string &name, std::vector<int64_t> shape, std::vector<float> contents) {
    values.push_back(std::move(contents));
    tensors.push_back({name, DType::F32, std::move(shape), {}});
  }
  void add(const plan::Parameter &parameter, std::vector<float> whole) {
    std::vector<int64_t> shape(parameter.global_shape().begin(), parameter.global_shape().end());
    for (const plan::Alias &alias : parameter.aliases()) {
      if (alias.transposed())
        add(alias.name(), {shape[1], shape[0]}, transposed(whole, shape[0], shape[1]));
      else
        add(alias.name(), shape, whole);
    }
    add(parameter.name(), std::move(shape), std::move(whole));
  }
};

} // namespace

llvm::Error writeGathered(llvm::StringRef path, Executor &own, Group &world, llvm::ArrayRef<const plan::Program *> byTp,
                          Gathered what) {
  const bool isWriter = own.tpRank() == 0 && own.dpRank() == 0;
  Contents contents;
  for (const plan::Parameter &first : byTp[0]->parameters()) {
    int64_t elements = 1;
    for (int64_t d : first.global_shape())
      elements *= d;
    std::vector<float> whole(size_t(elements), 0.0f);
    if (const plan::Parameter *parameter = find(own.program(), first.name()))
      addOwn(own, *parameter, EarlierHolders(byTp.take_front(size_t(own.tpRank())), first.name()), what, whole);
    if (llvm::Error error = own.sumIntoFirst(world, whole)) return error;
    if (isWriter) contents.add(first, std::move(whole));
  }
  if (!isWriter) return llvm::Error::success();
  for (size_t i = 0; i < contents.tensors.size(); ++i)
    contents.tensors[i].bytes = llvm::ArrayRef<uint8_t>(reinterpret_cast<const uint8_t *>(contents.values[i].data()),
                                                        contents.values[i].size() * sizeof(float));
  return writeSafetensors(path, contents.tensors);
}

} // namespace autotp

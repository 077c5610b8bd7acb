/// \file Softmax cross-entropy over rows, whole or for one shard of the classes. Sums over rows are in row order, in
/// double.
#include "runtime/device/cpu/kernel_table.h"
#include "runtime/device/cpu/parallel.h"
#include "runtime/device/cpu/row_math.h"

#include <atomic>

namespace autotp::cpu {

namespace {

struct Logits {
  const float *x;
  int64_t rows, classes;
};

Logits logitsOf(const Call &call) {
  const TensorArg &x = call.args.operands[0];
  return Logits{x.as<float>(), x.shape[0], x.shape[1]};
}

/// The sum over rows that count of (lse - target), and how many they are.
void sumRows(const float *lse, const float *targets, const int64_t *labels, int64_t rows, int64_t ignored, float *loss,
             float *count) {
  double sum = 0;
  int64_t counted = 0;
  for (int64_t i = 0; i < rows; ++i) {
    if (labels[i] == ignored) continue;
    sum += double(lse[i]) - double(targets[i]);
    ++counted;
  }
  *loss = float(sum);
  *count = float(counted);
}

Prepared prepareWhole(const Call &call) {
  const Logits z = logitsOf(call);
  if (llvm::Error error = expectWorkspace(call, uint64_t(z.rows) * sizeof(float))) return error;
  const auto &out = call.args.results;
  return ready([z, labels = call.args.operands[1].as<int64_t>(), loss = out[0].as<float>(), count = out[1].as<float>(),
                lse = out[2].as<float>(), ignored = call.args.attributes.integer("ignore_index", -100),
                targets = reinterpret_cast<float *>(call.args.workspace.data()), threads = call.threads] {
    std::atomic<bool> isOut{false};
    parallelFor(threads, z.rows, z.classes * 4, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) {
        const float *row = z.x + i * z.classes;
        const float most = maximumOf(row, z.classes);
        lse[i] = most + std::log(sumOfExp(row, z.classes, most));
        const bool isIn = labels[i] >= 0 && labels[i] < z.classes;
        targets[i] = isIn ? row[labels[i]] : 0.0f;
        if (!isIn && labels[i] != ignored) isOut.store(true, std::memory_order_relaxed);
      }
    });
    if (isOut) return Status::IndexOutOfRange;
    sumRows(lse, targets, labels, z.rows, ignored, loss, count);
    return Status::Ok;
  });
}

Prepared prepareLocal(const Call &call) {
  const Logits z = logitsOf(call);
  const KernelAttributes &a = call.args.attributes;
  return ready([z, labels = call.args.operands[1].as<int64_t>(), most = call.args.operands[2].as<float>(),
                sums = call.args.results[0].as<float>(), offset = a.integer("class_offset"), all = a.integer("classes"),
                ignored = a.integer("ignore_index", -100), threads = call.threads] {
    std::atomic<bool> isOut{false};
    parallelFor(threads, z.rows, z.classes * 4, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) {
        const float *row = z.x + i * z.classes;
        const int64_t label = labels[i] - offset;
        sums[i] = sumOfExp(row, z.classes, most[i]);
        sums[z.rows + i] = label >= 0 && label < z.classes ? row[label] : 0.0f;
        if (labels[i] != ignored && (labels[i] < 0 || labels[i] >= all)) isOut.store(true, std::memory_order_relaxed);
      }
    });
    return isOut ? Status::IndexOutOfRange : Status::Ok;
  });
}

Prepared prepareFinish(const Call &call) {
  const auto &in = call.args.operands;
  const auto &out = call.args.results;
  int64_t rows = in[1].elements();
  return ready([rows, sums = in[0].as<float>(), most = in[1].as<float>(), labels = in[2].as<int64_t>(),
                loss = out[0].as<float>(), count = out[1].as<float>(), lse = out[2].as<float>(),
                ignored = call.args.attributes.integer("ignore_index", -100)] {
    for (int64_t i = 0; i < rows; ++i)
      lse[i] = most[i] + std::log(sums[i]);
    sumRows(lse, sums + rows, labels, rows, ignored, loss, count);
    return Status::Ok;
  });
}

Prepared prepareGrad(const Call &call) {
  const Logits z = logitsOf(call);
  const KernelAttributes &a = call.args.attributes;
  return ready([z, labels = call.args.operands[1].as<int64_t>(), lse = call.args.operands[2].as<float>(),
                dloss = call.args.operands[3].as<float>(), to = call.args.results[0].as<float>(),
                offset = a.integer("class_offset"), ignored = a.integer("ignore_index", -100), threads = call.threads] {
    parallelFor(threads, z.rows, z.classes * 4, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) {
        const float *row = z.x + i * z.classes;
        float *out = to + i * z.classes;
        const float scale = labels[i] == ignored ? 0.0f : *dloss, shift = lse[i];
#pragma omp simd
        for (int64_t c = 0; c < z.classes; ++c)
          out[c] = scale * expOfDistance(row[c] - shift);
        const int64_t label = labels[i] - offset;
        if (label >= 0 && label < z.classes) out[label] -= scale;
      }
    });
    return Status::Ok;
  });
}

constexpr KernelRow kRows[] = {{KernelId::CrossEntropy, prepareWhole},
                               {KernelId::CrossEntropyLocal, prepareLocal},
                               {KernelId::CrossEntropyFinish, prepareFinish},
                               {KernelId::CrossEntropyGrad, prepareGrad}};

} // namespace

std::span<const KernelRow> crossEntropyKernels() { return kRows; }

} // namespace autotp::cpu

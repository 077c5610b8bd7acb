#include "runtime/base/error.h"
#include "runtime/base/small_floats.h"
#include "runtime/comm/communicator.h"

#include <mpi.h>

#include <algorithm>
#include <numeric>

namespace autotp {
namespace {

MPI_Datatype mpiType(DType dtype) {
  switch (dtype) {
  case DType::F64:
    return MPI_DOUBLE;
  case DType::I64:
    return MPI_INT64_T;
  case DType::I32:
    return MPI_INT32_T;
  case DType::BF16:
  case DType::F16:
    return MPI_UINT16_T; // as bits, which SmallFloats reads
  case DType::Bool:
  case DType::U8:
    return MPI_UINT8_T;
  case DType::F32:
    break;
  }
  return MPI_FLOAT;
}

/// MPI has no bf16 and no f16. These operations compute their sums and maxima in wider floats and round each result.
class SmallFloats {
public:
  SmallFloats() {
    MPI_Op_create(combine<bf16ToFloat, floatToBf16, Reduce::Sum>, 1, &operations_[0]);
    MPI_Op_create(combine<bf16ToFloat, floatToBf16, Reduce::Max>, 1, &operations_[1]);
    MPI_Op_create(combine<halfToDouble, doubleToHalf, Reduce::Sum>, 1, &operations_[2]);
    MPI_Op_create(combine<halfToDouble, doubleToHalf, Reduce::Max>, 1, &operations_[3]);
  }
  ~SmallFloats() {
    for (MPI_Op &operation : operations_)
      MPI_Op_free(&operation);
  }
  MPI_Op operator()(DType dtype, Reduce reduce) const {
    if (dtype == DType::BF16 || dtype == DType::F16)
      return operations_[(dtype == DType::F16 ? 2 : 0) + (reduce == Reduce::Max ? 1 : 0)];
    return reduce == Reduce::Sum ? MPI_SUM : MPI_MAX;
  }

private:
  template <auto kWiden, auto kNarrow, Reduce kReduce>
  static void combine(void *in, void *inOut, int *count, MPI_Datatype *) {
    const uint16_t *from = static_cast<const uint16_t *>(in);
    uint16_t *to = static_cast<uint16_t *>(inOut);
    for (int i = 0; i < *count; ++i) {
      const float a = float(kWiden(from[i])), b = float(kWiden(to[i]));
      to[i] = kNarrow(kReduce == Reduce::Sum ? a + b : std::max(a, b));
    }
  }

  MPI_Op operations_[4];
};

/// Calls body(first, count) for parts of at most `largest` elements; false if one fails.
template <typename Body> bool inParts(int64_t elements, int64_t largest, Body body) {
  for (int64_t at = 0; at < elements; at += largest)
    if (!body(at, int(std::min(largest, elements - at)))) return false;
  return true;
}

class MpiGroup : public Group {
public:
  MpiGroup(MPI_Comm comm, const SmallFloats &operation, int member, int64_t largestCount, size_t members)
      : comm_(comm), operation_(operation), me_(member), largest_(largestCount), counts_(members), begins_(members) {}

  size_t size() const override { return counts_.size(); }
  bool allReduce(const void *in, void *out, int64_t elements, DType dtype, Reduce reduce) override {
    MPI_Op op = operation_(dtype, reduce);
    return inParts(elements, largest_, [&](int64_t at, int count) {
      const void *from = in == out ? MPI_IN_PLACE : byteAt(in, at, dtype);
      return MPI_Allreduce(from, byteAt(out, at, dtype), count, mpiType(dtype), op, comm_) == MPI_SUCCESS;
    });
  }

  bool reduceScatter(const void *in, void *out, std::span<const int64_t> counts, DType dtype) override {
    // `out` may be this member's part of `in`, which MPI forbids as an overlap: with MPI_IN_PLACE, it allows only the
    // begin. So each member's part is reduced to that member separately.
    int64_t begin = 0;
    for (int m = 0; m < int(counts.size()); begin += counts[size_t(m++)]) {
      bool done = inParts(counts[size_t(m)], largest_, [&](int64_t at, int count) {
        const void *from = byteAt(in, begin + at, dtype);
        void *to = m == me_ ? byteAt(out, at, dtype) : nullptr;
        return MPI_Reduce(from == to ? MPI_IN_PLACE : from, to, count, mpiType(dtype), operation_(dtype, Reduce::Sum),
                          m, comm_) == MPI_SUCCESS;
      });
      if (!done) return false;
    }
    return true;
  }

  bool allGather(const void *in, void *out, std::span<const int64_t> counts, DType dtype) override {
    int64_t all = std::accumulate(counts.begin(), counts.end(), int64_t(0));
    if (all > largest_) return broadcastParts(in, out, counts, dtype);
    for (size_t m = 0, begin = 0; m < counts.size(); begin += size_t(counts[m++])) {
      counts_[m] = int(counts[m]);
      begins_[m] = int(begin);
    }
    const void *from = in == byteAt(out, begins_[size_t(me_)], dtype) ? MPI_IN_PLACE : in;
    return MPI_Allgatherv(from, counts_[size_t(me_)], mpiType(dtype), out, counts_.data(), begins_.data(),
                          mpiType(dtype), comm_) == MPI_SUCCESS;
  }

private:
  static void *byteAt(const void *base, int64_t element, DType dtype) {
    return const_cast<char *>(static_cast<const char *>(base)) + size_t(element) * sizeOf(dtype);
  }

  bool broadcastParts(const void *in, void *out, std::span<const int64_t> counts, DType dtype) {
    int64_t begin = 0;
    for (int m = 0; m < int(counts.size()); begin += counts[size_t(m++)]) {
      void *part = byteAt(out, begin, dtype);
      if (m == me_ && part != in)
        std::copy_n(static_cast<const char *>(in), size_t(counts[size_t(m)]) * sizeOf(dtype),
                    static_cast<char *>(part));
      bool done = inParts(counts[size_t(m)], largest_, [&](int64_t at, int count) {
        return MPI_Bcast(byteAt(part, at, dtype), count, mpiType(dtype), m, comm_) == MPI_SUCCESS;
      });
      if (!done) return false;
    }
    return true;
  }

  MPI_Comm comm_; ///< owned by the communicator, like `operation_`
  const SmallFloats &operation_;
  int me_;
  int64_t largest_;
  std::vector<int> counts_, begins_; ///< scratch of allGather
};

class MpiCommunicator : public Communicator {
public:
  explicit MpiCommunicator(int64_t largestCount) : largest_(largestCount) {
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
    MPI_Comm host;
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &host);
    MPI_Comm_size(host, &ranksOnHost_);
    MPI_Comm_rank(host, &rankOnHost_);
    MPI_Comm_free(&host);
  }
  ~MpiCommunicator() override {
    if (failed_) MPI_Abort(MPI_COMM_WORLD, 1);
    for (MPI_Comm &comm : groups_)
      MPI_Comm_free(&comm);
    operation_.reset();
    MPI_Finalize();
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  int ranksOnHost() const override { return ranksOnHost_; }
  int rankOnHost() const override { return rankOnHost_; }

  llvm::Expected<std::unique_ptr<Group>> group(const std::vector<int> &ranks, Device &device) override {
    if (device.nativeStream(Stream::Communication))
      return problem("--comm mpi", "it reaches the host's memory only, and the plan is for a GPU", "take --comm nccl");
    MPI_Group world, members;
    MPI_Comm comm = MPI_COMM_NULL;
    MPI_Comm_group(MPI_COMM_WORLD, &world);
    MPI_Group_incl(world, int(ranks.size()), ranks.data(), &members);
    // All ranks make their groups in the same order.
    int status = MPI_Comm_create_group(MPI_COMM_WORLD, members, /*tag=*/0, &comm);
    MPI_Group_free(&members);
    MPI_Group_free(&world);
    if (status != MPI_SUCCESS) return problem("MPI", "a group of ranks cannot be made");
    groups_.push_back(comm);
    int member = int(std::find(ranks.begin(), ranks.end(), rank_) - ranks.begin());
    return std::make_unique<MpiGroup>(comm, *operation_, member, largest_, ranks.size());
  }

  bool barrier() override { return MPI_Barrier(MPI_COMM_WORLD) == MPI_SUCCESS; }
  void abort() override { failed_ = true; }

private:
  int rank_ = 0, size_ = 1, ranksOnHost_ = 1, rankOnHost_ = 0;
  int64_t largest_;
  bool failed_ = false;
  std::unique_ptr<SmallFloats> operation_ = std::make_unique<SmallFloats>(); ///< made after MPI has started
  std::vector<MPI_Comm> groups_;
};

} // namespace

bool hasMpi() { return true; }

llvm::Expected<std::unique_ptr<Communicator>> makeMpiCommunicator(int64_t largestCount) {
  int provided = 0;
  if (MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS ||
      provided < MPI_THREAD_FUNNELED)
    return problem("--comm mpi", "MPI does not start", "start with mpirun, or take --comm local");
  return std::make_unique<MpiCommunicator>(largestCount);
}

} // namespace autotp

/// \file What every communicator must do.
#pragma once

#include "runtime/base/small_floats.h"
#include "runtime/comm/communicator.h"
#include "runtime/device/cpu/device.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

namespace autotp {

inline std::vector<int> everyRank(const Communicator &comm) {
  std::vector<int> ranks(size_t(comm.size()));
  std::iota(ranks.begin(), ranks.end(), 0);
  return ranks;
}

inline float valueOf(int rank, int64_t i) { return float(rank * 10 + i % 7); }

/// Every collective of one group, in place and not, with uneven counts; one member (if not the only one) has nothing.
inline void checkGroup(Communicator &comm, const std::vector<int> &ranks, int64_t base) {
  auto device = llvm::cantFail(makeCpuDevice(1));
  auto group = comm.group(ranks, *device);
  ASSERT_TRUE(bool(group));
  const int64_t members = int64_t(ranks.size());
  std::vector<int64_t> counts;
  int64_t all = 0, me = 0, begin = 0;
  for (int64_t m = 0; m < members; ++m) {
    if (ranks[size_t(m)] == comm.rank()) {
      me = m;
      begin = all;
    }
    counts.push_back(m == 1 ? 0 : base + m); // uneven, one empty
    all += counts.back();
  }
  std::vector<float> in(static_cast<size_t>(all)), out(in.size(), -1);
  for (int64_t i = 0; i < all; ++i)
    in[size_t(i)] = valueOf(comm.rank(), i);
  auto sumAt = [&](int64_t i) {
    float sum = 0;
    for (int rank : ranks)
      sum += valueOf(rank, i);
    return sum;
  };
  ASSERT_TRUE((*group)->allReduce(in.data(), out.data(), all, DType::F32, Reduce::Sum));
  for (int64_t i = 0; i < all; ++i)
    ASSERT_EQ(out[size_t(i)], sumAt(i));
  ASSERT_TRUE((*group)->allReduce(in.data(), out.data(), all, DType::F32, Reduce::Max));
  for (int64_t i = 0; i < all; ++i)
    ASSERT_EQ(out[size_t(i)], valueOf(*std::max_element(ranks.begin(), ranks.end()), i));
  std::vector<float> own(size_t(counts[size_t(me)]) + 1, -1);
  ASSERT_TRUE((*group)->reduceScatter(in.data(), own.data(), counts, DType::F32));
  for (int64_t i = 0; i < counts[size_t(me)]; ++i)
    ASSERT_EQ(own[size_t(i)], sumAt(begin + i));
  EXPECT_EQ(own.back(), -1); // nothing past the end
  for (int64_t i = 0; i < counts[size_t(me)]; ++i)
    own[size_t(i)] = valueOf(comm.rank(), i);
  ASSERT_TRUE((*group)->allGather(own.data(), out.data(), counts, DType::F32));
  for (int64_t m = 0, at = 0; m < members; ++m)
    for (int64_t i = 0; i < counts[size_t(m)]; ++i)
      ASSERT_EQ(out[size_t(at++)], valueOf(ranks[size_t(m)], i));
  // In place: the reduction, a part of the operand, and a part of the result.
  std::vector<float> inOut = in;
  ASSERT_TRUE((*group)->reduceScatter(inOut.data(), inOut.data() + begin, counts, DType::F32));
  for (int64_t i = 0; i < counts[size_t(me)]; ++i)
    ASSERT_EQ(inOut[size_t(begin + i)], sumAt(begin + i));
  ASSERT_TRUE((*group)->allGather(inOut.data() + begin, inOut.data(), counts, DType::F32));
  for (int64_t i = 0; i < all; ++i)
    ASSERT_EQ(inOut[size_t(i)], sumAt(i));
  ASSERT_TRUE((*group)->allReduce(in.data(), in.data(), all, DType::F32, Reduce::Sum));
  EXPECT_EQ(in, inOut);
}

/// The groups that meshes have, of 4 ranks, some of which join more than once.
inline void checkSubgroups(Communicator &comm, int rounds) {
  const int tp = comm.rank() % 2, dp = comm.rank() / 2;
  for (int round = 0; round < rounds; ++round) {
    checkGroup(comm, {dp * 2, dp * 2 + 1}, 33);
    checkGroup(comm, {tp, 2 + tp}, 1001);
  }
  if (comm.rank() != 1) checkGroup(comm, {0, 2, 3}, 7);
}

/// Sums of 3 ranks are those of threads, bit by bit: in the order of the group.
inline void checkBits(Communicator &comm, int count) {
  auto device = llvm::cantFail(makeCpuDevice(1));
  auto group = llvm::cantFail(comm.group({0, 1, 2}, *device));
  std::vector<std::vector<float>> all(3);
  std::mt19937 random(1);
  for (std::vector<float> &each : all)
    for (int i = 0; i < count; ++i)
      each.push_back(std::normal_distribution<float>()(random));
  std::vector<float> sum(all[0].size());
  ASSERT_TRUE(
      group->allReduce(all[size_t(comm.rank())].data(), sum.data(), int64_t(sum.size()), DType::F32, Reduce::Sum));
  for (size_t i = 0; i < sum.size(); ++i)
    ASSERT_EQ(sum[i], all[0][i] + all[1][i] + all[2][i]) << i;
}

/// What is one byte wide, as masks are: moved, and nothing past its end is.
inline void checkBytes(Communicator &comm) {
  auto device = llvm::cantFail(makeCpuDevice(1));
  const std::vector<int> ranks = everyRank(comm);
  auto group = comm.group(ranks, *device);
  ASSERT_TRUE(bool(group));
  const std::vector<int64_t> counts(ranks.size(), 5);
  for (DType dtype : {DType::U8, DType::Bool}) {
    const std::vector<uint8_t> own(5, uint8_t(comm.rank() % 2));
    std::vector<uint8_t> out(5 * ranks.size() + 64, 77);
    ASSERT_TRUE((*group)->allGather(own.data(), out.data(), counts, dtype));
    for (size_t i = 0; i < out.size(); ++i)
      ASSERT_EQ(out[i], i < 5 * ranks.size() ? i / 5 % 2 : 77) << i;
  }
}

/// Small floats: sums in f32, and what moves, over all ranks. Small whole numbers are exact.
inline void checkSmallFloats(Communicator &comm) {
  auto device = llvm::cantFail(makeCpuDevice(1));
  const std::vector<int> ranks = everyRank(comm);
  auto group = comm.group(ranks, *device);
  ASSERT_TRUE(bool(group));
  const int64_t each = 33, all = each * comm.size();
  for (DType dtype : {DType::BF16, DType::F16}) {
    auto bits = [&](float x) { return dtype == DType::BF16 ? floatToBf16(x) : doubleToHalf(x); };
    std::vector<uint16_t> in, sums, largest, out(static_cast<size_t>(all));
    for (int64_t i = 0; i < all; ++i) {
      in.push_back(bits(float((i + comm.rank()) % 5 - 2)));
      float sum = 0, most = -2;
      for (int r : ranks) {
        sum += float((i + r) % 5 - 2);
        most = std::max(most, float((i + r) % 5 - 2));
      }
      sums.push_back(bits(sum));
      largest.push_back(bits(most));
    }
    ASSERT_TRUE((*group)->allReduce(in.data(), out.data(), all, dtype, Reduce::Sum));
    EXPECT_EQ(out, sums);
    ASSERT_TRUE((*group)->allReduce(in.data(), out.data(), all, dtype, Reduce::Max));
    EXPECT_EQ(out, largest);
    std::vector<int64_t> counts(size_t(comm.size()), each);
    std::vector<uint16_t> own(static_cast<size_t>(each));
    ASSERT_TRUE((*group)->reduceScatter(in.data(), own.data(), counts, dtype));
    ASSERT_TRUE((*group)->allGather(own.data(), out.data(), counts, dtype));
    EXPECT_EQ(out, sums);
  }
}

} // namespace autotp

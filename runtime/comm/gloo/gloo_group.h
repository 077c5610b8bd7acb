/// \file The collectives of ranks that gloo connects.
#pragma once

#include "runtime/comm/communicator.h"

#include <gloo/context.h>

namespace autotp {

/// Calls gloo, which throws where a rank is gone or does not come in time; false then, with what it says in `failure`.
bool callGloo(std::string &failure, llvm::function_ref<void()> call);

/// Every member gets its part of each operand, combines them, and sends the result to all.
class GlooGroup : public Group {
public:
  /// `failure`, which outlives the group, gets what goes wrong.
  GlooGroup(std::shared_ptr<gloo::Context> context, size_t members, size_t member, Device &device, std::string &failure)
      : context_(std::move(context)), me_(member), device_(device), failure_(failure), counts_(members), ins_(members) {
  }

  size_t size() const override { return counts_.size(); }
  bool allReduce(const void *in, void *out, int64_t elements, DType dtype, Reduce reduce) override;
  bool reduceScatter(const void *in, void *out, std::span<const int64_t> counts, DType dtype) override;
  bool allGather(const void *in, void *out, std::span<const int64_t> counts, DType dtype) override;

private:
  bool combineOwn(const void *in, void *own, std::span<const int64_t> counts, DType dtype, Reduce reduce);

  std::shared_ptr<gloo::Context> context_;
  size_t me_;
  Device &device_;
  std::string &failure_;
  std::vector<std::byte> received_; ///< this member's part of each operand
  std::vector<int64_t> counts_;
  std::vector<const void *> ins_;
};

} // namespace autotp

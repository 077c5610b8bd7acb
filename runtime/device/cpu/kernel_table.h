/// \file How a family of kernels is listed: rows of KernelId and the function that makes a call ready.
#pragma once

#include "runtime/device/device.h"
#include "runtime/device/words.h"
#include "runtime/plan/kernels/check_call.h"

#include <memory>
#include <span>
#include <utility>

namespace autotp::cpu {

using Prepared = llvm::Expected<std::unique_ptr<PreparedKernel>>;

struct Call : KernelCall {
  int threads;
};

struct KernelRow {
  KernelId kernel;
  Prepared (*prepare)(const Call &call);
};

/// A prepared kernel whose run() is `body`, a callable that returns Status.
template <typename Body> Prepared ready(Body body) {
  class Ready final : public PreparedKernel {
  public:
    explicit Ready(Body body) : body_(std::move(body)) {}
    Status run() override { return body_(); }

  private:
    Body body_;
  };
  return std::unique_ptr<PreparedKernel>(new Ready(std::move(body)));
}

/// The row of any family, or null.
const KernelRow *findRow(KernelId kernel);

/// See Device::combine(): for several operands.
void combine(const Combination &c);

#define AUTOTP_FAMILY(family) std::span<const KernelRow> family();
#include "runtime/device/cpu/families.def"
#undef AUTOTP_FAMILY

} // namespace autotp::cpu

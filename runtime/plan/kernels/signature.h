/// \file The signature of a kernel, such as "... m k, ... k n -> ... m n": how many tensors a call has, and which of
/// their dimensions are equal. The grammar is that of operators' index texts (docs/ir.md), made exact for memory:
///
///   n          one dimension; a name stands for one size throughout the call, also for 1
///   x...       any number of dimensions, the same throughout the call
///   2, (2 d)   a dimension of this size, a product
///   h|1        a dimension of this size or of 1
///   ~          before a tensor: only its number of elements counts
///   :f32       after a tensor: its dtype is f32, i64 or bool; :index is i64 or i32, :any is every dtype. Without it a
///              tensor has the dtype of the call's data, as all others without it have
///   ?, *       after a tensor: it may be absent; there may be any number of it, each with sizes of its own
#pragma once

#include "runtime/base/error.h"
#include "runtime/plan/kernels/kernel_call.h"

#include <climits>

namespace autotp {

struct Signature {
  struct Dim {
    enum class Kind : uint8_t { One, Many, OneOr1 } kind = Kind::One;
    int64_t factor = 1; ///< the size is factor * what the name stands for
    int name = -1;      ///< index into `names`; -1: the size is the factor
  };
  enum class Type : uint8_t { Data, F32, I64, Bool, Index, Any };
  struct Tensor {
    std::vector<Dim> dims;
    Type type = Type::Data;
    bool countsElements = false, isOptional = false, isRepeated = false;
    std::string text;
  };
  std::vector<Tensor> operands, results;
  std::vector<std::string> names;

  /// `text` is one of the program's own: that it is well formed is an assertion.
  static Signature parse(llvm::StringRef text);
  int fewestOperands() const;
  int mostOperands() const; ///< INT_MAX: any number
};

/// Whether a call has as many tensors as its signature.
llvm::Error checkCounts(const Signature &signature, const KernelCall &call);
/// Whether a call, which has as many tensors as its signature, has its shapes and dtypes. Errors name the tensor.
llvm::Error matchSignature(const Signature &signature, const KernelCall &call);

/// The dtype of a call's data: that of its first tensor whose dtype the signature leaves open.
std::optional<DType> dataDType(const Signature &signature, const KernelCall &call);

} // namespace autotp

/// \file What must hold of a model's file before its graph is read.
#pragma once

#include "llvm/Support/Error.h"

#include <onnx/onnx_pb.h>

namespace autotp {

/// Errors: the format, or the version of a set of operators, is older than what is read or newer than what is known, in
/// the model or in one of its functions.
llvm::Error checkVersions(llvm::StringRef path, const onnx::ModelProto &model);

/// Errors, all in one: texts that are no UTF-8, such as names. A plan is text where it names values, so it could not be
/// read again.
llvm::Error checkTexts(llvm::StringRef path, const onnx::ModelProto &model);

} // namespace autotp

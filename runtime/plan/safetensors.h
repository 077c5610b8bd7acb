/// \file The safetensors format: a u64 header length, a JSON header, then the tensors' bytes.
#pragma once

#include "runtime/plan/dtype.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#include <memory>
#include <string>
#include <vector>

namespace autotp {

struct NamedTensor {
  std::string name;
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  llvm::ArrayRef<uint8_t> bytes; ///< not owned
};

/// Writes `tensors` in this order.
void writeSafetensors(llvm::raw_ostream &os, llvm::ArrayRef<NamedTensor> tensors);
/// The same for tensors without their bytes, which `writeBytes` writes of the one with this number. Errors: its first.
llvm::Error writeSafetensors(llvm::raw_ostream &os, llvm::ArrayRef<NamedTensor> tensors,
                             llvm::function_ref<llvm::Error(size_t)> writeBytes);
/// The same to `path`, which appears whole or not at all; a regular file there is replaced.
llvm::Error writeSafetensors(llvm::StringRef path, llvm::ArrayRef<NamedTensor> tensors);

/// A file of tensors, mapped. The tensors' bytes live as long as it does.
struct SafetensorsFile {
  std::unique_ptr<llvm::MemoryBuffer> buffer;
  std::vector<NamedTensor> tensors; ///< by name
  const NamedTensor *find(llvm::StringRef name) const;
};
/// Errors: sizes and offsets that do not fit the file, tensors that share bytes, bytes of none, unknown dtypes, a header
/// that is no JSON.
llvm::Expected<SafetensorsFile> readSafetensors(llvm::StringRef path);

/// The "weight_map" in the text of the index of several files: under each tensor's name the file that holds it, whatever that
/// is. `where` begins the messages. Errors: it is no JSON, or has none.
llvm::Expected<llvm::json::Object> weightMapOf(llvm::StringRef where, llvm::StringRef text);

} // namespace autotp

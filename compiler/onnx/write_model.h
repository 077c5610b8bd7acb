/// \file Writes a ModelProto, with the contents of initializers in the file itself or in one beside it.
#pragma once

#include "runtime/base/output_file.h"

#include <onnx/onnx_pb.h>

namespace autotp {

/// A protobuf ends at 2 GiB: more bytes of weights than this belong into a file beside the model.
constexpr int64_t kMostInlineBytes = int64_t(3) << 29;

class ModelWriter {
public:
  /// `isBeside`: contents go to PATH.data, which must not exist yet. Errors: a file cannot be made.
  static llvm::Expected<ModelWriter> create(const std::string &path, bool isBeside);

  /// Gives an initializer of the model that will be written these contents. Beside the model, they begin at a page.
  void store(onnx::TensorProto &tensor, llvm::ArrayRef<uint8_t> bytes);
  /// Says that the contents are elsewhere, by the keys of ONNX's external data.
  static void setExternal(onnx::TensorProto &tensor,
                          std::initializer_list<std::pair<const char *, std::string>> entries);
  /// Both files appear whole, by rename, the data first. Errors: the disk is full; the model is too large for a protobuf.
  llvm::Error commit(const onnx::ModelProto &model);

private:
  std::string path_;
  std::unique_ptr<OutputFile> file_, data_; ///< `data_` is null if all contents are in the model
};

} // namespace autotp

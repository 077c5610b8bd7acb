/// \file Writes numbers for TensorBoard: an event file, which is a sequence of TFRecords.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

#include <memory>
#include <string>

namespace autotp {

class TensorBoard {
public:
  struct Scalar {
    llvm::StringLiteral tag; ///< such as "train/loss"
    double value;
  };

  /// Makes the folder, and those that lead to it, if they do not exist, and a new event file in it: TensorBoard shows all
  /// files of a folder as one run, so a run that goes on adds to what an earlier one wrote. Errors: either cannot be made.
  static llvm::Expected<std::unique_ptr<TensorBoard>> open(const std::string &folder);
  ~TensorBoard();

  /// Writes an event, which is in the file when it returns. Errors: the file takes no more.
  llvm::Error write(int64_t step, llvm::ArrayRef<Scalar> scalars);

private:
  llvm::Error writeRecord(llvm::StringRef data);

  std::string name_; ///< for messages
  std::unique_ptr<llvm::raw_fd_ostream> file_;
};

/// CRC-32C (Castagnoli), as in RFC 3720, of which TFRecords have a masked form.
uint32_t crc32c(llvm::StringRef data);

} // namespace autotp

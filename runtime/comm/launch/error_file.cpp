#include "runtime/comm/launch/error_file.h"

#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

#include <chrono>

namespace autotp {

std::string errorFileOf(Variable variable) {
  const char *file = variable("TORCHELASTIC_ERROR_FILE");
  return file ? file : "";
}

/// torchrun prints the traceback of the rank whose time is the first.
void writeErrorFile(const std::string &file, llvm::StringRef error) {
  if (file.empty()) return;
  std::error_code failed;
  llvm::raw_fd_ostream os(file, failed);
  if (failed) return;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const std::string seconds = std::to_string(std::chrono::duration_cast<std::chrono::seconds>(now).count()),
                    text = llvm::json::fixUTF8(error);
  llvm::json::Object extra{{"py_callstack", text}, {"timestamp", seconds}};
  os << llvm::json::Value(
      llvm::json::Object{{"message", llvm::json::Object{{"message", text}, {"extraInfo", std::move(extra)}}}});
  os.close();
  os.clear_error();
}

} // namespace autotp

/// \file Text that is kept in the repository and compared: reviewers read what changed. UPDATE_GOLDEN=1 rewrites it.
#pragma once

#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#include "gtest/gtest.h"

#include <cstdlib>
#include <string>

namespace autotp::test {

/// `path`: within the repository.
inline void expectGolden(const std::string &path, const std::string &text) {
  const std::string file = std::string(AUTOTP_SOURCE_DIR) + "/" + path;
  if (std::getenv("UPDATE_GOLDEN")) {
    std::error_code code;
    llvm::raw_fd_ostream(file, code) << text;
    ASSERT_FALSE(code) << code.message();
  }
  auto kept = llvm::MemoryBuffer::getFile(file);
  ASSERT_TRUE(bool(kept)) << path << " is missing: run with UPDATE_GOLDEN=1";
  EXPECT_EQ((*kept)->getBuffer().str(), text) << "UPDATE_GOLDEN=1 rewrites " << path;
}

} // namespace autotp::test

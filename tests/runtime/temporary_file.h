/// \file A file that a test writes byte by byte, gone at its end.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/CRC.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>

namespace autotp::test {

class TemporaryFolder {
public:
  TemporaryFolder() {
    static int count = 0;
    path_ = std::filesystem::temp_directory_path() /
            ("autotp-test-" + std::to_string(getpid()) + "-" + std::to_string(count++));
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  std::string path() const { return path_.string(); }
  std::string write(const std::string &name, const std::string &bytes) const {
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    return (path_ / name).string();
  }

private:
  std::filesystem::path path_;
};

/// `value` little-endian in `bytes` bytes.
inline std::string little(uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i)
    text.push_back(i < 8 ? char(value >> (8 * i)) : '\0');
  return text;
}

/// As a zip has it of each file.
inline uint32_t crcOf(const std::string &bytes) {
  return llvm::crc32(llvm::makeArrayRef(reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size()));
}

} // namespace autotp::test

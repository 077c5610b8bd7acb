/// \file What targets of libFuzzer share. A target gives bytes that nobody vouches for to one reader: it may refuse them by
/// an error, and nothing else.
#pragma once

#include "runtime/base/error.h"

#include "llvm/ADT/StringRef.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>

namespace autotp::test {

inline llvm::StringRef textOf(const uint8_t *data, size_t size) { return {reinterpret_cast<const char *>(data), size}; }

/// A file of this process's own folder, which goes with the process. Readers map files, so their inputs lie in one.
inline std::string fuzzFile(const std::string &name, llvm::StringRef bytes) {
  struct Folder {
    std::string path;
    Folder() { // in memory, where there is such a folder: thousands of files are written in a second
      const std::filesystem::path memory = "/dev/shm";
      const bool isThere = std::filesystem::is_directory(memory);
      path = (isThere ? memory : std::filesystem::temp_directory_path()) / ("autotp-fuzz-" + std::to_string(getpid()));
      std::filesystem::create_directories(path);
    }
    ~Folder() { std::filesystem::remove_all(path); }
  };
  static const Folder folder;
  const std::string path = folder.path + "/" + name;
  std::ofstream(path, std::ios::binary).write(bytes.data(), std::streamsize(bytes.size()));
  return path;
}

/// An error is an answer; that its text can be made is part of it.
template <typename T> void answered(llvm::Expected<T> made) {
  if (!made) (void)describe(made.takeError());
}

} // namespace autotp::test

/// \file Runs the built commands as a user does, and checks how they fail: exit code, one clear line, nothing left.
#pragma once

#include "tests/runtime/temporary_file.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Program.h"

#include <gtest/gtest.h>
#include <sstream>

namespace autotp::test {

inline std::string contentsOf(const std::string &path) {
  std::ifstream stream(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

struct Ended {
  int code;
  std::string out, err;
  uint64_t peakBytes; ///< the most memory that was resident
};

/// A folder of one test, in which commands run.
class Commands : public testing::Test {
protected:
  /// `arguments` are parted by blanks. {} in them stands for this test's folder, @ for tests/fixtures.
  Ended run(const std::string &arguments) const {
    std::vector<std::string> words;
    std::istringstream stream(arguments);
    for (std::string word; stream >> word;) {
      for (auto [mark, path] : {std::pair(std::string("{}"), folder.path()), {"@", fixtures}})
        for (size_t at; (at = word.find(mark)) != std::string::npos;)
          word.replace(at, mark.size(), path);
      words.push_back(word);
    }
    words[0] = std::string(AUTOTP_BINARY_DIR) + "/bin/" + words[0];
    std::vector<llvm::StringRef> views(words.begin(), words.end());
    std::string out = folder.path() + "/.out", err = folder.path() + "/.err", message;
    llvm::Optional<llvm::StringRef> redirects[] = {llvm::StringRef(""), llvm::StringRef(out), llvm::StringRef(err)};
    constexpr unsigned kSeconds = 60;
    std::filesystem::remove(out); // a redirection does not cut what is there
    std::filesystem::remove(err);
    llvm::Optional<llvm::sys::ProcessStatistics> statistics;
    int code = llvm::sys::ExecuteAndWait(words[0], views, llvm::None, redirects, kSeconds, /*MemoryLimit=*/0, &message,
                                         nullptr, &statistics);
    EXPECT_EQ(message, "") << arguments; // a crash, or more than kSeconds
    return {code, contentsOf(out), contentsOf(err), statistics ? statistics->PeakMemory * 1024 : 0};
  }

  void succeeds(const std::string &arguments) const {
    Ended ended = run(arguments);
    EXPECT_EQ(ended.code, 0) << arguments << "\n" << ended.err;
  }

  /// `code` 1 or 2; `culprit` must be named; no file may appear or vanish in the folder.
  void fails(int code, const std::string &arguments, const std::string &culprit) const {
    SCOPED_TRACE(arguments);
    std::vector<std::string> before = files();
    Ended ended = run(arguments);
    EXPECT_EQ(ended.code, code);
    llvm::StringRef text(ended.err);
    bool isFromLlvm = code == 2 && llvm::StringRef(arguments).startswith(text.split(": for the -").first); // a value
    EXPECT_EQ(text.startswith("error: "), !isFromLlvm) << ended.err;
    EXPECT_EQ(text.count("error: "), isFromLlvm ? 0u : 1u) << ended.err;
    EXPECT_EQ(text.count('\n'), 1 + text.count("\n  do:  ")) << ended.err;
    EXPECT_NE(ended.err.find(culprit), std::string::npos) << ended.err << "names no " << culprit;
    EXPECT_EQ(files(), before);
  }

  std::vector<std::string> files() const {
    std::vector<std::string> all;
    for (const auto &entry : std::filesystem::recursive_directory_iterator(folder.path()))
      if (entry.path().filename() != ".out" && entry.path().filename() != ".err") all.push_back(entry.path().string());
    std::sort(all.begin(), all.end());
    return all;
  }

  /// Changes one text of a file; it must be there.
  static std::string replaced(std::string text, const std::string &from, const std::string &to) {
    size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return at == std::string::npos ? text : text.replace(at, from.size(), to);
  }

  TemporaryFolder folder;
  const std::string fixtures = std::string(AUTOTP_SOURCE_DIR) + "/tests/fixtures";
};

} // namespace autotp::test

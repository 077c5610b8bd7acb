/// \file Files of cases as text: a head, and for each case a title, a head of its own, a graph, and what is expected.
///   == a bias, on either side       the title
///   passes: fuse-epilogues          the head, which says more of the case
///   graph { ... }
///   -- after                        or another word, with the text that follows
#pragma once

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/MemoryBuffer.h"

#include <string>
#include <vector>

namespace autotp {

struct TextCase {
  std::string title, head, graph; ///< `head`: the lines between the title and the graph, as they are
  std::string kind, expected;     ///< what stands behind "-- ", and the lines below it
};

struct CaseFile {
  std::string path, head; ///< `head`: the lines before the first case, as they are
  std::vector<TextCase> cases;
};

/// A file that cannot be read has no cases.
inline CaseFile readCases(const std::string &path) {
  CaseFile file{path, "", {}};
  auto buffer = llvm::MemoryBuffer::getFile(path);
  llvm::StringRef rest = buffer ? (*buffer)->getBuffer() : "";
  std::string *part = &file.head;
  while (!rest.empty()) {
    llvm::StringRef line;
    std::tie(line, rest) = rest.split('\n');
    TextCase *last = file.cases.empty() ? nullptr : &file.cases.back();
    if (line.consume_front("== ")) {
      file.cases.push_back({line.str(), "", "", "", ""});
      part = &file.cases.back().head;
    } else if (last && line.consume_front("-- ")) {
      last->kind = line.str();
      part = &last->expected;
    } else {
      if (last && part == &last->head && line.startswith("graph")) part = &last->graph;
      *part += (line + "\n").str();
    }
  }
  return file;
}

/// What a head says in its line "NAME: ...", or `otherwise`.
inline std::string said(llvm::StringRef head, llvm::StringRef name, const std::string &otherwise = "") {
  llvm::SmallVector<llvm::StringRef, 4> lines;
  head.split(lines, '\n');
  for (llvm::StringRef line : lines)
    if (line.consume_front(name) && line.consume_front(": ")) return line.str();
  return otherwise;
}

/// The texts of a graph that is written in several ways. A line that begins with | may stand in the place of the line
/// before it, and "; " stands between its statements. All combinations are returned, first the one without such lines.
inline std::vector<std::string> spellings(llvm::StringRef text) {
  std::vector<std::string> before, all = {""};
  while (!text.empty()) {
    llvm::StringRef line;
    std::tie(line, text) = text.split('\n');
    const bool isOther = line.consume_front("|");
    if (!isOther) before = std::exchange(all, {});
    std::string statements = (line + "\n").str();
    for (size_t at; (at = statements.find("; ")) != std::string::npos;)
      statements.replace(at, 2, "\n");
    for (const std::string &one : before)
      all.push_back(one + statements);
  }
  return all;
}

} // namespace autotp

/// \file What the manifest of a plan says that has no copy of its weights.
#pragma once

#include "runtime/plan/located_tensor.h"

#include "llvm/Support/JSON.h"

namespace autotp {

/// Where the weights lie of a plan that has no copy of them: in files of the user's.
struct ReferencedFiles {
  struct File {
    std::string path, digest; ///< the path is absolute
  };
  struct Parameter {
    std::string name;
    LocatedTensor tensor;      ///< what fills it; in a checkpoint its name says where, and not its place
    bool isTransposed = false; ///< of the graph's initializer
  };
  std::string checkpoint; ///< the folder, if they lie in one
  std::vector<File> files;
  std::vector<Parameter> parameters;
};

bool fromJSON(const llvm::json::Value &value, ReferencedFiles &referenced, llvm::json::Path path);
void writeReferenced(llvm::json::OStream &json, const ReferencedFiles &referenced);

} // namespace autotp

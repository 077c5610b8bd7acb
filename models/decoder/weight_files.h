/// \file The safetensors files of a Hugging Face model: one, or several with an index.
#pragma once

#include "runtime/plan/safetensors.h"

#include <map>
#include <string>
#include <vector>

namespace autotp {

class WeightFiles {
public:
  /// `path`: a .safetensors file, a .json index of several, or a folder that holds model.safetensors or
  /// model.safetensors.index.json, of which the first goes before as in transformers. The files are mapped. Errors, all
  /// at once: an index that is none, or names files of other folders; files that cannot be read; tensors that lie not
  /// where the index says.
  static llvm::Expected<WeightFiles> open(const std::string &path);

  struct Located {
    const NamedTensor *tensor;
    std::string file; ///< in which it lies, for messages
  };
  /// By name.
  const std::map<std::string, Located> &tensors() const { return tensors_; }
  /// What was opened, for messages.
  const std::string &path() const { return path_; }
  std::vector<std::string> files() const;

private:
  llvm::Error addFile(const std::string &path);
  llvm::Error addIndexed(const std::string &index);

  std::string path_;
  std::map<std::string, SafetensorsFile> files_;
  std::map<std::string, Located> tensors_;
};

} // namespace autotp

/// \file The keys of a DeepSpeed configuration by their paths, "zero_optimization.stage", and which of them were asked for.
#pragma once

#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

#include <map>
#include <set>
#include <string>

namespace autotp {

/// What nobody asks for is not honoured, which is an error. The configuration must outlive this.
class DeepSpeedKeys {
public:
  explicit DeepSpeedKeys(const llvm::json::Object &configuration);

  /// Whether a section, an object of known keys, is there.
  bool has(llvm::StringRef section) const { return sections_.count(section.str()) != 0; }
  /// The value of a key; null where there is none, or Hugging Face's placeholder "auto".
  const llvm::json::Value *find(llvm::StringRef path) const;
  /// The same; the key is asked for from now on.
  const llvm::json::Value *take(llvm::StringRef path);
  /// Whether a key is there, and says "auto".
  bool isAuto(llvm::StringRef path) const;
  /// Asks for all keys that begin with this.
  void takeAll(llvm::StringRef prefix);

  /// Notes what is wrong with a key.
  void wrong(llvm::StringRef path, llvm::StringRef what);
  void wrong(llvm::Error error);
  bool isWrong() const { return isWrong_; }
  /// All that was wrong, then the keys that nobody asked for.
  llvm::Error takeErrors();

private:
  void read(const llvm::json::Object &object, const std::string &prefix);

  std::map<std::string, const llvm::json::Value *> values_;
  std::set<std::string> sections_, taken_;
  llvm::Error errors_ = llvm::Error::success();
  bool isWrong_ = false;
};

} // namespace autotp

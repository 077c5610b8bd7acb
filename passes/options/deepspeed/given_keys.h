/// \file The keys of one DeepSpeed configuration by their paths, "zero_optimization.stage", and which of them were asked
/// for.
#pragma once

#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace autotp {

struct KnownKey;

/// What nobody asks for is what its row of known_keys.h says. The configuration must outlive this.
class DeepSpeedKeys {
public:
  explicit DeepSpeedKeys(const llvm::json::Object &configuration);

  /// Whether a section, an object of known keys, is there.
  bool has(llvm::StringRef section) const { return sections_.count(section.str()) != 0; }
  /// Whether a key is there, with a value or "auto".
  bool isGiven(llvm::StringRef path) const { return values_.count(path.str()) != 0; }
  /// The value of a key; null where there is none, or Hugging Face's placeholder "auto".
  const llvm::json::Value *find(llvm::StringRef path) const;
  /// The same; the key is asked for from now on.
  const llvm::json::Value *take(llvm::StringRef path);
  /// Whether a key is there, and says "auto".
  bool isAuto(llvm::StringRef path) const;
  /// Asks for all keys that begin with this.
  void takeAll(llvm::StringRef prefix);

  /// Notes what is wrong with a key, and what to do.
  void wrong(llvm::StringRef path, llvm::StringRef what, llvm::StringRef remedy = "");
  void wrong(llvm::Error error);
  bool isWrong() const { return isWrong_; }
  /// All that was wrong, then what of the keys that nobody asked for is refused or unknown.
  llvm::Error takeErrors();

  /// The keys that are there and harmless, each reason once: "overlap_comm (it is planned by the compiler)".
  std::string harmless() const;

private:
  void read(const llvm::json::Object &object, const std::string &prefix);
  void readSection(const std::string &path, const llvm::json::Value &value);
  void refuse(const std::string &path, const llvm::json::Value *value);

  std::map<std::string, const llvm::json::Value *> values_; ///< null: "auto"
  std::set<std::string> sections_, taken_;
  llvm::Error errors_ = llvm::Error::success();
  bool isWrong_ = false;
};

} // namespace autotp

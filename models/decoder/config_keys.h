/// \file Reads the keys of one JSON object; what is wrong with them gathers, each by its name.
#pragma once

#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

#include <optional>
#include <string>
#include <vector>

namespace autotp {

class ConfigKeys {
public:
  /// `where` names the file, and `prefix` stands before each key in messages. All of them outlive this.
  ConfigKeys(const llvm::json::Object &object, llvm::StringRef where, std::string prefix, llvm::Error &errors)
      : object_(object), where_(where), prefix_(std::move(prefix)), errors_(errors) {}

  /// The keys of the object that is here under `key`; nothing where that is absent or null.
  std::optional<ConfigKeys> within(llvm::StringRef key);

  /// The value, or nullptr where the key is absent or null.
  const llvm::json::Value *find(llvm::StringRef key) const;
  bool has(llvm::StringRef key) const { return find(key); }
  bool isNull(llvm::StringRef key) const;

  /// A whole number from 1 (or `least`) to `most`. A key that is not there gives `absent`, or is a mistake if there is
  /// none. So it is below.
  int64_t size(llvm::StringRef key, int64_t most, std::optional<int64_t> absent = {}, int64_t least = 1);
  double positive(llvm::StringRef key, std::optional<double> absent = {});
  /// A list of exactly `count` positive numbers, which is never absent. After a mistake there are as many.
  std::vector<double> positives(llvm::StringRef key, size_t count);
  bool boolean(llvm::StringRef key, bool absent = false);
  std::string text(llvm::StringRef key, llvm::StringRef absent = "");
  /// Nothing where the key is absent.
  std::optional<std::vector<std::string>> texts(llvm::StringRef key);

  void fail(llvm::StringRef key, llvm::StringRef what, llvm::StringRef remedy = "");

private:
  const llvm::json::Object &object_;
  llvm::StringRef where_;
  std::string prefix_;
  llvm::Error &errors_;
};

} // namespace autotp

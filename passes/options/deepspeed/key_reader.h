/// \file What decides each honoured key: the file, a flag in the place of "auto", or a default, and who is told of it.
#pragma once

#include "passes/compile_options.h"
#include "passes/options/deepspeed/given_keys.h"

#include <deque>

namespace autotp {

/// The readers of single sections, below, share one of these.
class KeyReader {
public:
  KeyReader(DeepSpeedKeys given, CompileOptions &options) : keys(std::move(given)), o(options) {}

  DeepSpeedKeys keys;
  CompileOptions &o;
  bool isQuiet = false; ///< defaults are not told, because nothing reads what they decide

  /// Whether the command line says the option.
  bool isFlagged(llvm::StringRef flag) const;

  /// What the key says: the file's value; for "auto" Hugging Face's default, and for an absent key DeepSpeed's, both
  /// unless a flag says the option. null: the flag, or this program's default, stays. What was not the file's is told.
  const llvm::json::Value *decide(llvm::StringRef key, llvm::StringRef flag = "");

  /// Reads a value of the row; nothing where it may not have it, which is then an error.
  std::optional<OptionValue> valueOf(const CompileRow &row, llvm::StringRef key);
  /// Sets the option, unless a flag says it. If the file says the key, so does `options.said`.
  void say(const CompileRow &row, llvm::StringRef key, const OptionValue &value);
  /// Lets the key decide the row.
  void take(const CompileRow &row, llvm::StringRef key);
  void note(const CompileRow &row, llvm::StringRef key);

  /// A number that no row stands for.
  std::optional<int64_t> number(llvm::StringRef key, int64_t least, int64_t most, llvm::StringRef flag = "");
  bool isTrue(llvm::StringRef key, bool otherwise, llvm::StringRef flag = "");

  void tellAuto(llvm::StringRef key, const llvm::Twine &what);
  void tellHugging(llvm::StringRef key, const llvm::Twine &value);
  void tellDefault(llvm::StringRef key, const llvm::Twine &value);
  void tell(std::string sentence) { sentences_.push_back(std::move(sentence)); }
  /// All that was told, for people, one line each.
  std::vector<std::string> told() const;

private:
  std::deque<llvm::json::Value> defaults_; ///< those that decide() has given
  std::vector<std::string> autos_, hugging_, absent_, sentences_;
};

/// The value of an option as people write it.
std::string valueText(const CompileRow &row, const OptionValue &value);

void readOptimizer(KeyReader &reader); // optimizer.cpp: with the scheduler
void readPrecision(KeyReader &reader); // precision.cpp: dtype and loss scale
void readRanks(KeyReader &reader);     // ranks.cpp: tensor parallelism, ZeRO, activation checkpointing
void readBatch(KeyReader &reader);     // batch.cpp: sizes of batches, after the ranks

} // namespace autotp

/// \file Every key of DeepSpeed's configuration, and what becomes of it here. docs/guide/deepspeed.md is written from these
/// rows, and a key that is in none of them is an error.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <string>
#include <vector>

namespace autotp {

enum class KeyVerdict : uint8_t {
  Honoured, ///< an option of this program, or several, do what it says
  Harmless, ///< it changes no number that is trained
  Part,     ///< of what another key of its section asks for, which is refused or harmless
  Refused   ///< it would change the result, and this program does not have it
};

/// A row: keys of one section that share all of this.
struct KnownKey {
  llvm::StringRef section; ///< "zero_optimization"; empty: the outermost object
  llvm::StringRef names;   ///< separated by spaces
  KeyVerdict verdict;
  llvm::StringRef why;          ///< what is done, or why it is harmless or refused; a clause
  llvm::StringRef remedy = {};  ///< of what is refused
  llvm::StringRef unasked = {}; ///< values of what is refused that ask for nothing, as JSON, separated by '|'
  llvm::StringRef hugging = {}; ///< what "auto" is in Hugging Face's Trainer, as JSON
  llvm::StringRef absent = {};  ///< what DeepSpeed takes where the key is absent, as JSON
};

llvm::ArrayRef<KnownKey> trainingKeys(); // training_keys.cpp: sizes, precision, optimizer, scheduler
llvm::ArrayRef<KnownKey> memoryKeys();   // memory_keys.cpp: ZeRO, offload, activation checkpointing, tensor parallelism
llvm::ArrayRef<KnownKey>
technicalKeys(); // technical_keys.cpp: communication, monitors, checkpoints, further techniques

/// All rows, in the order of the guide.
llvm::ArrayRef<const KnownKey *> knownKeys();

/// The row of a key by its path, "zero_optimization.stage"; null: none knows it.
const KnownKey *findKnownKey(llvm::StringRef path);
/// Whether rows know keys within this object.
bool isKnownSection(llvm::StringRef path);
/// The known key that is most like an unknown one; empty: none is like it.
std::string closestKnownKey(llvm::StringRef path);

/// The paths of a row's keys.
std::vector<std::string> pathsOf(const KnownKey &row);

} // namespace autotp

/// \file Opens files of tokens, a function for each form. What they share is said in data_kinds.h.
#pragma once

#include "runtime/data/token_file.h"

#include "llvm/Support/Error.h"

namespace autotp {

/// What the file of an index of Megatron's begins with.
constexpr llvm::StringLiteral kMegatronMagic = llvm::StringLiteral::withInnerNUL("MMIDIDX\0\0");
/// What llm.c's two kinds of shards begin with: the numbers 20240520 and 20240801.
constexpr llvm::StringLiteral kLlmcMagic16 = "\x88\xd8\x34\x01", kLlmcMagic32 = "\xa1\xd9\x34\x01";

/// Bytes are tokens.
llvm::Expected<TokenFile> openText(llvm::StringRef where, const std::string &path);
/// Tokens and nothing else, as nanoGPT writes them.
llvm::Expected<TokenFile> openUint16(llvm::StringRef where, const std::string &path);
llvm::Expected<TokenFile> openUint32(llvm::StringRef where, const std::string &path);
/// A header of 256 int32 (magic, version, number of tokens), then tokens of two or four bytes.
llvm::Expected<TokenFile> openLlmc(llvm::StringRef where, const std::string &path);
/// An array of whole numbers of any shape, row by row.
llvm::Expected<TokenFile> openNpyTokens(llvm::StringRef where, const std::string &path);
/// Megatron-LM's PREFIX.bin of sequences, which PREFIX.idx lists; either is named, or the prefix.
llvm::Expected<TokenFile> openMegatron(llvm::StringRef where, const std::string &path);
/// A JSON object a line, whose member "text" is a document; its bytes and a line feed are tokens. It is read into memory.
llvm::Expected<TokenFile> openJsonl(llvm::StringRef where, const std::string &path);

/// PREFIX.idx of PREFIX.bin, and of PREFIX.
std::string indexBeside(llvm::StringRef path);

} // namespace autotp

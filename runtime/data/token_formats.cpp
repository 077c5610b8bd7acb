#include "runtime/data/token_formats.h"

#include "runtime/base/error.h"
#include "runtime/base/input_file.h"
#include "runtime/data/npy.h"

#include "llvm/Support/Endian.h"

#include <optional>

namespace autotp {
namespace {

using llvm::support::endian::read32le;
using llvm::support::endian::read64le;

constexpr llvm::StringLiteral kPrepare =
    "give a file of tokens (docs/guide/data.md lists the kinds), or make one with scripts/prepare_data.py";

/// The whole file as tokens of one type, from `offset` on.
llvm::Expected<TokenFile> openRaw(llvm::StringRef where, const std::string &path, uint8_t bytes, size_t offset = 0) {
  llvm::Expected<std::shared_ptr<llvm::MemoryBuffer>> file = mapFile(where, path, kPrepare);
  if (!file) return file.takeError();
  const size_t size = (*file)->getBufferSize() - std::min(offset, (*file)->getBufferSize());
  if (size % bytes)
    return problem(where,
                   bytes == 2 ? "its size is odd, but its tokens are of two bytes"
                              : "its size is no multiple of four, but its tokens are of four bytes",
                   "give the whole file, or say KIND:FILE if it is of another kind");
  TokenFile tokens;
  tokens.path = path;
  tokens.type = {ElementKind::Unsigned, bytes};
  tokens.tokens = (*file)->getBufferStart() + offset;
  tokens.count = int64_t(size / bytes);
  tokens.owner = *file;
  return tokens;
}

/// What the numbers of Megatron's index stand for; of floats, and of nothing, there are no tokens.
std::optional<ElementType> megatronType(uint8_t code) {
  constexpr ElementType kTypes[] = {{ElementKind::Unsigned, 1}, {ElementKind::Signed, 1},  {ElementKind::Signed, 2},
                                    {ElementKind::Signed, 4},   {ElementKind::Signed, 8},  {ElementKind::Float, 8},
                                    {ElementKind::Float, 4},    {ElementKind::Unsigned, 2}};
  if (code == 0 || code > std::size(kTypes) || !kTypes[code - 1].isWhole()) return std::nullopt;
  return kTypes[code - 1];
}

/// Reads an index: magic, version (u64), type (u8), numbers of sequences and documents (u64 each), then the length of
/// each sequence (i32), where it begins (i64, in bytes), and the first sequence of each document (i64). Gives the type,
/// and the tokens of all sequences. Errors: sequences do not follow one another.
struct MegatronIndex {
  ElementType type;
  uint64_t tokens = 0;
};
llvm::Expected<MegatronIndex> readMegatronIndex(llvm::StringRef where, llvm::StringRef bytes) {
  constexpr uint64_t kHeader = 9 + 8 + 1 + 8 + 8;
  auto bad = [&](const llvm::Twine &what) { return problem(where, "its index " + what.str(), "write it again"); };
  if (!bytes.startswith(kMegatronMagic)) return bad("does not begin as Megatron's do");
  if (bytes.size() < kHeader) return bad("is truncated");
  if (read64le(bytes.data() + 9) != 1)
    return bad("is of version " + llvm::Twine(read64le(bytes.data() + 9)) + ", not 1");
  const std::optional<ElementType> type = megatronType(uint8_t(bytes[17]));
  if (!type) return bad("says that its elements are no whole numbers (type " + llvm::Twine(int(bytes[17])) + ")");
  const uint64_t sequences = read64le(bytes.data() + 18), documents = read64le(bytes.data() + 26);
  if (sequences > bytes.size() / 12 || documents > bytes.size() / 8 ||
      bytes.size() != kHeader + sequences * 12 + documents * 8)
    return bad("is of another size than its numbers of sequences and documents say");
  const char *lengths = bytes.data() + kHeader, *begins = lengths + sequences * 4;
  MegatronIndex index{*type};
  for (uint64_t s = 0; s < sequences; ++s) {
    const int32_t length = int32_t(read32le(lengths + s * 4));
    if (length < 0 || read64le(begins + s * 8) != index.tokens * type->bytes)
      return bad("does not put sequence " + llvm::Twine(s) + " behind the one before");
    index.tokens += uint64_t(length);
  }
  return index;
}

} // namespace

llvm::Expected<TokenFile> openText(llvm::StringRef where, const std::string &path) { return openRaw(where, path, 1); }
llvm::Expected<TokenFile> openUint16(llvm::StringRef where, const std::string &path) { return openRaw(where, path, 2); }
llvm::Expected<TokenFile> openUint32(llvm::StringRef where, const std::string &path) { return openRaw(where, path, 4); }

llvm::Expected<TokenFile> openLlmc(llvm::StringRef where, const std::string &path) {
  constexpr size_t kHeader = 1024;
  llvm::Expected<TokenFile> whole = openRaw(where, path, 1);
  if (!whole) return whole;
  const llvm::StringRef head(whole->tokens, size_t(whole->count));
  const bool isWide = head.startswith(kLlmcMagic32);
  if (!isWide && !head.startswith(kLlmcMagic16))
    return problem(where, "it does not begin as llm.c's shards do", "leave out llmc:, or say what it is");
  if (head.size() < kHeader) return problem(where, "it is shorter than the header of llm.c's shards", "write it again");
  const uint32_t version = read32le(head.data() + 4), count = read32le(head.data() + 8);
  if (version != (isWide ? 7 : 1))
    return problem(where,
                   llvm::formatv("it is of version {0} of llm.c's shards, not {1}", version, isWide ? 7 : 1).str(),
                   "write it again");
  llvm::Expected<TokenFile> tokens = openRaw(where, path, isWide ? 4 : 2, kHeader);
  if (tokens && tokens->count != int64_t(count))
    return problem(where, llvm::formatv("it says that it has {0} tokens, and has {1}", count, tokens->count).str(),
                   "write it again");
  return tokens;
}

llvm::Expected<TokenFile> openNpyTokens(llvm::StringRef where, const std::string &path) {
  llvm::Expected<std::shared_ptr<llvm::MemoryBuffer>> file = mapFile(where, path, kPrepare);
  if (!file) return file.takeError();
  llvm::Expected<NpyArray> array = parseNpy(where, (*file)->getBuffer());
  if (!array) return array.takeError();
  if (!array->type.isWhole() || array->type.kind == ElementKind::Bool)
    return problem(where, "its elements are no whole numbers, so they are no tokens",
                   "store tokens as such, for example by array.astype('<u4')");
  TokenFile tokens;
  tokens.path = path;
  tokens.type = array->type;
  tokens.tokens = reinterpret_cast<const char *>(array->data.data());
  tokens.count = int64_t(array->data.size() / array->type.bytes);
  tokens.owner = *file;
  return tokens;
}

std::string indexBeside(llvm::StringRef path) {
  path.consume_back(".bin");
  path.consume_back(".idx");
  return (path + ".idx").str();
}

llvm::Expected<TokenFile> openMegatron(llvm::StringRef where, const std::string &path) {
  const std::string indexPath = indexBeside(path), prefix = llvm::StringRef(indexPath).drop_back(4).str();
  llvm::Expected<std::shared_ptr<llvm::MemoryBuffer>> file = mapFile(
      (where + ": index " + escaped(indexPath)).str(), indexPath, "name a PREFIX.bin with a PREFIX.idx beside it");
  if (!file) return file.takeError();
  llvm::Expected<MegatronIndex> index = readMegatronIndex(where, (*file)->getBuffer());
  if (!index) return index.takeError();
  llvm::Expected<TokenFile> tokens = openRaw(where, prefix + ".bin", 1);
  if (!tokens) return tokens;
  if (uint64_t(tokens->count) != index->tokens * index->type.bytes)
    return problem(where,
                   llvm::formatv("it has {0} bytes, and the sequences of its index {1}", tokens->count,
                                 index->tokens * index->type.bytes)
                       .str(),
                   "write both again");
  tokens->type = index->type;
  tokens->count = int64_t(index->tokens);
  tokens->beside = {indexPath};
  return tokens;
}

} // namespace autotp

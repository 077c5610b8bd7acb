#include "runtime/data/data_kinds.h"

#include "runtime/base/error.h"
#include "runtime/base/input_file.h"
#include "runtime/data/npy.h"
#include "runtime/data/token_formats.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

namespace autotp {
namespace {

constexpr DataKind kKinds[] = {
    {"text", ".txt .text .md", {"", ""}, "bytes are tokens", openText},
    {"jsonl", ".jsonl .ndjson", {"", ""}, "bytes of the member \"text\" of each line, and a line feed", openJsonl},
    {"uint16", ".bin", {"", ""}, "tokens of two bytes, as nanoGPT writes them", openUint16},
    {"uint32", "", {"", ""}, "tokens of four bytes", openUint32},
    {"llmc", ".bin", {kLlmcMagic16, kLlmcMagic32}, "a shard of llm.c, for GPT-2 or Llama 3", openLlmc},
    {"megatron", ".bin .idx", {kMegatronMagic, ""}, "Megatron-LM's .bin with its .idx beside it", openMegatron},
    {"npy", ".npy", {kNpyMagic, ""}, "numpy's array of whole numbers", openNpyTokens},
};

/// Files that are often taken for tokens.
struct Foreign {
  llvm::StringLiteral magic, what;
};
constexpr Foreign kForeign[] = {
    {"PK\x03\x04", "a zip, as numpy.savez and torch.save write it; an .npz of samples is given by --feed"},
    {"\x1f\x8b\x08", "packed by gzip"},
    {"\x28\xb5\x2f\xfd", "packed by zstd"},
    {"PAR1", "a table of Parquet"},
    {"ARROW1", "a table of Arrow"},
    {"\x89HDF", "of HDF5"},
    {"TNTIDX", "an index of Megatron's old form"},
};

bool hasExtension(const DataKind &kind, llvm::StringRef extension) {
  llvm::SmallVector<llvm::StringRef, 3> extensions;
  kind.extensions.split(extensions, ' ', -1, false);
  return llvm::is_contained(extensions, extension);
}

bool beginsAs(const DataKind &kind, llvm::StringRef head) {
  return llvm::any_of(kind.magics, [&](llvm::StringRef magic) { return !magic.empty() && head.startswith(magic); });
}

/// "say text:FILE, jsonl:FILE or npy:FILE": how the kinds that are meant are said.
std::string sayOneOf(llvm::ArrayRef<const DataKind *> kinds) {
  std::string text = "say ";
  for (size_t i = 0; i < kinds.size(); ++i)
    text += (i == 0 ? "" : i + 1 == kinds.size() ? " or " : ", ") + kinds[i]->name.str() + ":FILE";
  return text;
}

/// The kind of a .bin that begins with no magic.
llvm::Expected<const DataKind *> kindOfBin(llvm::StringRef where, const std::string &path) {
  const std::string index = indexBeside(path);
  if (!llvm::sys::fs::exists(index)) return dataKindNamed("uint16");
  llvm::Expected<std::shared_ptr<llvm::MemoryBuffer>> file = mapFile(where, index);
  if (!file) return file.takeError();
  if ((*file)->getBuffer().startswith(kMegatronMagic)) return dataKindNamed("megatron");
  return problem(where, "beside it lies " + escaped(index) + ", which is no index of Megatron's",
                 sayOneOf({dataKindNamed("uint16"), dataKindNamed("uint32")}) + " if the index does not belong to it");
}

} // namespace

llvm::ArrayRef<DataKind> dataKinds() { return kKinds; }

const DataKind *dataKindNamed(llvm::StringRef name) {
  const DataKind *at = llvm::find_if(kKinds, [&](const DataKind &kind) { return kind.name == name; });
  return at == std::end(kKinds) ? nullptr : at;
}

llvm::Expected<const DataKind *> tellKind(llvm::StringRef where, const std::string &path) {
  llvm::Expected<std::shared_ptr<llvm::MemoryBuffer>> file =
      mapFile(where, path, "give a file that exists, or synthetic[:seed]");
  if (!file) return file.takeError();
  const llvm::StringRef head = (*file)->getBuffer().take_front(16);
  const std::string extension = llvm::sys::path::extension(path).lower();
  llvm::SmallVector<const DataKind *> named, all;
  const DataKind *begun = nullptr;
  for (const DataKind &kind : kKinds) {
    all.push_back(&kind);
    if (hasExtension(kind, extension)) named.push_back(&kind);
    if (beginsAs(kind, head)) begun = &kind;
  }
  for (const Foreign &foreign : kForeign)
    if (!begun && head.startswith(foreign.magic))
      return problem(where, ("it is " + foreign.what).str(),
                     "make a file of tokens with scripts/prepare_data.py; if it is one, " + sayOneOf(all));
  if (named.empty())
    return problem(where, "its name does not tell what it is", sayOneOf(begun ? llvm::makeArrayRef(begun) : all));
  if (begun && !llvm::is_contained(named, begun)) {
    named.push_back(begun);
    return problem(where, "it begins as a file of the kind " + begun->name.str() + ", but is named " + extension,
                   sayOneOf(named));
  }
  if (begun) {
    if (begun->name != "llmc" || !llvm::sys::fs::exists(indexBeside(path))) return begun;
    return problem(where, "it begins as llm.c's shards do, but an .idx lies beside it",
                   sayOneOf({begun, dataKindNamed("megatron")}));
  }
  if (extension == ".bin") return kindOfBin(where, path);
  if (!named[0]->magics[0].empty())
    return problem(where, "it is named " + extension + ", but does not begin as such a file", sayOneOf(all));
  return named[0];
}

llvm::Error checkTold(llvm::StringRef where, const DataKind &kind, const TokenFile &file, int64_t vocabulary) {
  if (kind.name == "text" && file.count > 0 && std::memchr(file.tokens, 0, size_t(file.count)))
    return problem(where, "it is named as a text, but holds zero bytes", sayOneOf({&kind}) + " to train on its bytes");
  if (kind.name != "uint16" || file.count < 2 || file.count % 2) return llvm::Error::success();
  constexpr int64_t kLargest = 1 << 18, kLooked = 1 << 20; // no vocabulary in use is larger
  for (int64_t i = 0; i < std::min(file.count / 2, kLooked); ++i)
    if (loadElement<uint32_t>(file.tokens, size_t(i)) >= uint64_t(vocabulary ? vocabulary : kLargest))
      return llvm::Error::success();
  return problem(where, "its tokens may be of two bytes or of four: as either they lie within the vocabulary",
                 sayOneOf({&kind, dataKindNamed("uint32")}));
}

} // namespace autotp

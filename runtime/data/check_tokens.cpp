#include "runtime/data/check_tokens.h"

#include <algorithm>
#include <atomic>
#include <thread>

namespace autotp {
namespace {

/// A part of a file that one thread looks through.
struct Block {
  size_t file;
  int64_t begin, end;
};

/// Position of the first token outside in a block, or its end. Negative tokens are large as unsigned ones. Blocks without
/// any are passed by a loop that the compiler makes of vectors.
template <typename T>
int64_t searchBlock(const TokenFile &file, const Block &block, uint64_t limit,
                    llvm::function_ref<bool(int64_t token)> isLegal) {
  using Unsigned = std::make_unsigned_t<T>;
  if (std::is_signed_v<T>) limit = std::min(limit, uint64_t(1) << (8 * sizeof(T) - 1));
  if (limit > uint64_t(Unsigned(-1))) return block.end;
  const Unsigned bound = Unsigned(limit);
  Unsigned isAny = 0;
  for (int64_t i = block.begin; i < block.end; ++i)
    isAny |= Unsigned(loadElement<Unsigned>(file.tokens, size_t(i)) >= bound);
  int64_t i = isAny ? block.begin : block.end;
  while (i < block.end && (loadElement<Unsigned>(file.tokens, size_t(i)) < bound ||
                           isLegal(int64_t(loadElement<T>(file.tokens, size_t(i))))))
    ++i;
  return i;
}

int64_t search(const TokenFile &file, const Block &block, uint64_t limit,
               llvm::function_ref<bool(int64_t token)> isLegal) {
  return visitElement(file.type, [&](auto zero) {
    if constexpr (std::is_integral_v<decltype(zero)>)
      return searchBlock<decltype(zero)>(file, block, limit, isLegal);
    else
      return block.begin; // a file of floats is never opened as tokens
  });
}

} // namespace

std::vector<std::optional<int64_t>> firstOutside(llvm::ArrayRef<const TokenFile *> files, uint64_t limit,
                                                 llvm::function_ref<bool(int64_t token)> isLegal) {
  constexpr int64_t kBlock = 1 << 20;
  std::vector<Block> blocks;
  std::vector<std::atomic<int64_t>> first(files.size());
  for (size_t f = 0; f < files.size(); ++f) {
    first[f] = files[f]->count;
    for (int64_t begin = 0; begin < files[f]->count; begin += kBlock)
      blocks.push_back({f, begin, std::min(begin + kBlock, files[f]->count)});
  }
  std::atomic<size_t> next = 0;
  auto work = [&] {
    for (size_t b = next++; b < blocks.size(); b = next++) {
      const Block &block = blocks[b];
      std::atomic<int64_t> &least = first[block.file];
      if (block.begin >= least) continue;
      const int64_t found = search(*files[block.file], block, limit, isLegal);
      for (int64_t known = least; found < block.end && found < known && !least.compare_exchange_weak(known, found);) {
      }
    }
  };
  const size_t wanted = std::min<size_t>({16, std::max(1u, std::thread::hardware_concurrency()), blocks.size()});
  std::vector<std::thread> threads;
  for (size_t t = 1; t < wanted; ++t)
    threads.emplace_back(work);
  work();
  for (std::thread &thread : threads)
    thread.join();
  std::vector<std::optional<int64_t>> found(files.size());
  for (size_t f = 0; f < files.size(); ++f)
    if (first[f] < files[f]->count) found[f] = first[f];
  return found;
}

} // namespace autotp

#include "runtime/checkpoint/stored_weights.h"

#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/base/input_file.h"
#include "runtime/base/small_floats.h"
#include "runtime/base/transposed.h"
#include "runtime/checkpoint/find_checkpoint.h"
#include "runtime/checkpoint/stored_checkpoint.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/Path.h"

#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

namespace autotp {
namespace {

constexpr llvm::StringLiteral kFile = ".safetensors", kIndex = ".safetensors.index.json";
constexpr llvm::StringLiteral kExpected =
    "name a .safetensors file, a .safetensors.index.json, a folder with one of them, or a checkpoint";

/// f16 is a part of f32, so this is exact; only numbers below the normal ones take the slow way.
float halfToFloat(uint16_t bits) {
  const uint32_t exponent = bits >> 10 & 31;
  if (exponent == 0 || exponent == 31) return float(halfToDouble(bits));
  return llvm::BitsToFloat(uint32_t(bits & 0x8000) << 16 | (exponent + 112) << 23 | uint32_t(bits & 1023) << 13);
}

/// Converts elements that lie at `from`, which need not be aligned.
template <typename T, typename F> void convert(const uint8_t *from, llvm::MutableArrayRef<float> to, F toFloat) {
  for (size_t i = 0; i < to.size(); ++i) {
    T element;
    std::memcpy(&element, from + i * sizeof(T), sizeof(T));
    to[i] = toFloat(element);
  }
}

void convert(DType dtype, const uint8_t *from, llvm::MutableArrayRef<float> to) {
  switch (dtype) {
  case DType::F64:
    return convert<double>(from, to, [](double value) { return float(value); });
  case DType::BF16:
    return convert<uint16_t>(from, to, bf16ToFloat);
  case DType::F16:
    return convert<uint16_t>(from, to, halfToFloat);
  default:
    assert(dtype == DType::F32);
    std::memcpy(to.data(), from, to.size() * sizeof(float));
  }
}

/// The names in a folder that end so, sorted.
std::vector<std::string> namesIn(llvm::StringRef folder, llvm::StringRef end) {
  std::vector<std::string> names;
  std::error_code code;
  for (llvm::sys::fs::directory_iterator at(folder, code), last; !code && at != last; at.increment(code))
    if (llvm::StringRef name = llvm::sys::path::filename(at->path()); name.endswith(end)) names.push_back(name.str());
  llvm::sort(names);
  return names;
}

std::string inFolder(llvm::StringRef folder, llvm::StringRef name) {
  llvm::SmallString<256> path(folder);
  llvm::sys::path::append(path, name);
  return path.str().str();
}

/// Which tensors lie in each file, as an index says. Errors: it says something else.
llvm::Expected<std::map<std::string, std::vector<std::string>>> readIndex(const std::string &path) {
  auto text = mapFile(path);
  if (!text) return text.takeError();
  llvm::Expected<llvm::json::Object> map = weightMapOf(escaped(path), (*text)->getBuffer());
  if (!map) return map.takeError();
  std::map<std::string, std::vector<std::string>> byFile;
  llvm::Error errors = llvm::Error::success();
  for (const auto &entry : *map) {
    const llvm::StringRef tensor = entry.first;
    const llvm::Optional<llvm::StringRef> file = entry.second.getAsString();
    // Names with a folder in them could lead anywhere, and Hugging Face writes none.
    if (file && !file->empty() && !file->contains('/') && *file != "." && *file != ".." && !file->contains('\0'))
      byFile[file->str()].push_back(tensor.str());
    else
      errors = llvm::joinErrors(std::move(errors),
                                problem(escaped(path) + ": tensor '" + escaped(tensor) + "'",
                                        file ? "its file '" + escaped(*file) + "' is no name of a file beside the index"
                                             : "its file is no text",
                                        "put all files into the folder of the index"));
  }
  if (errors) return errors;
  return byFile;
}

} // namespace

/// The files of tensors, as many mappings as there are files.
struct StoredWeights::Mapped {
  std::map<std::string, std::unique_ptr<llvm::MemoryBuffer>> files; ///< by path
  std::atomic<uint64_t> sinceRelease = 0; ///< bytes that were read since pages were given back

  /// Gives the pages back that were read: they stay in the system's cache, but no longer count as this process's.
  void release(uint64_t justRead) {
    constexpr uint64_t kMost = uint64_t(64) << 20;
    if ((sinceRelease += justRead) < kMost) return;
    sinceRelease = 0;
    for (const auto &[path, file] : files)
      if (file->getBufferKind() == llvm::MemoryBuffer::MemoryBuffer_MMap) {
        const uintptr_t page = uintptr_t(sysconf(_SC_PAGESIZE));
        const char *begin = file->getBufferStart(), *end = file->getBufferEnd();
        begin += llvm::alignTo(uintptr_t(begin), page) - uintptr_t(begin);
        if (begin < end) madvise(const_cast<char *>(begin), size_t(end - begin), MADV_DONTNEED);
      }
  }
};

StoredWeights::StoredWeights() : mapped_(std::make_unique<Mapped>()) {}
StoredWeights::~StoredWeights() = default;

int64_t StoredWeights::Tensor::elements() const {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  return count;
}

llvm::Expected<std::unique_ptr<StoredWeights>> StoredWeights::open(llvm::StringRef flag, llvm::StringRef path) {
  std::unique_ptr<StoredWeights> weights(new StoredWeights());
  if (llvm::Error error = weights->openPath(flag, path.str())) return error;
  llvm::sort(weights->tensors_, [](const Tensor &a, const Tensor &b) { return a.name < b.name; });
  if (weights->tensors_.empty()) return problem(escaped(weights->path_), "it has no tensors", kExpected);
  return weights;
}

llvm::Expected<std::unique_ptr<StoredWeights>> StoredWeights::openLocated(llvm::ArrayRef<LocatedTensor> tensors) {
  std::unique_ptr<StoredWeights> weights(new StoredWeights());
  llvm::Error errors = llvm::Error::success();
  for (const LocatedTensor &tensor : tensors)
    errors = llvm::joinErrors(std::move(errors), weights->openRange(tensor));
  if (errors) return errors;
  llvm::sort(weights->tensors_, [](const Tensor &a, const Tensor &b) { return a.name < b.name; });
  return weights;
}

llvm::Expected<std::unique_ptr<StoredWeights>> StoredWeights::openUnchecked(llvm::StringRef checkpoint) {
  auto reader = CheckpointReader::open(checkpoint);
  if (!reader) return reader.takeError();
  std::unique_ptr<StoredWeights> weights(new StoredWeights());
  weights->openCheckpoint(std::move(*reader));
  llvm::sort(weights->tensors_, [](const Tensor &a, const Tensor &b) { return a.name < b.name; });
  return weights;
}

/// Maps the file of a tensor, which may hold others.
llvm::Error StoredWeights::openRange(const LocatedTensor &tensor) {
  auto [known, isNew] = mapped_->files.try_emplace(tensor.file);
  if (isNew) {
    auto mapped = llvm::sys::fs::is_regular_file(tensor.file) // reading a FIFO would wait for ever
                      ? llvm::MemoryBuffer::getFile(tensor.file, /*IsText=*/false, /*RequiresNullTerminator=*/false)
                      : std::make_error_code(std::errc::no_such_file_or_directory);
    if (!mapped) return problem(escaped(tensor.file), "it cannot be read: " + mapped.getError().message());
    known->second = std::move(*mapped);
  }
  if (!known->second) return llvm::Error::success(); // it was said of the first of its tensors
  const llvm::StringRef all = known->second->getBuffer();
  int64_t bytes = int64_t(sizeOf(tensor.dtype));
  for (int64_t size : tensor.shape)
    if (size < 0 || llvm::MulOverflow(bytes, size, bytes))
      return problem(escaped(tensor.file), "tensor '" + escaped(tensor.name) + "' is too large");
  if (tensor.offset > all.size() || uint64_t(bytes) > all.size() - tensor.offset)
    return problem(escaped(tensor.file), "it ends before tensor '" + escaped(tensor.name) + "' does");
  tensors_.push_back({tensor, reinterpret_cast<const uint8_t *>(all.data()) + tensor.offset});
  return llvm::Error::success();
}

llvm::Error StoredWeights::openPath(llvm::StringRef flag, const std::string &path) {
  path_ = path;
  const std::string where = (flag + " " + escaped(path)).str();
  if (!llvm::sys::fs::exists(path)) return problem(where, "there is no such file or folder", kExpected);
  if (!llvm::sys::fs::is_directory(path))
    return llvm::StringRef(path).endswith(".json") ? openIndex(path) : openFile(path);
  llvm::Expected<bool> isFound = openFolder(path);
  if (!isFound || *isFound) return isFound.takeError();
  llvm::Expected<FoundCheckpoint> found = namedCheckpoint(flag, path);
  if (!found) return llvm::joinErrors(found.takeError(), problem(where, "it holds no .safetensors", kExpected));
  if (llvm::Error error = found->reader->verify()) return error;
  openCheckpoint(std::move(found->reader));
  return llvm::Error::success();
}

/// A checkpoint also holds .safetensors, so it is told by its manifest. Returns whether the folder is one of files.
llvm::Expected<bool> StoredWeights::openFolder(const std::string &path) {
  if (llvm::sys::fs::exists(inFolder(path, kCheckpointManifest)) || !stepsIn(path).empty()) return false;
  const std::vector<std::string> files = namesIn(path, kFile), indexes = namesIn(path, kIndex);
  const std::string whole = "model" + kFile.str(), index = "model" + kIndex.str();
  std::string name;
  if (llvm::is_contained(files, whole)) // the order in which Hugging Face looks
    name = whole;
  else if (llvm::is_contained(indexes, index))
    name = index;
  else if (indexes.size() == 1)
    name = indexes[0];
  else if (indexes.empty() && files.size() == 1)
    name = files[0];
  else if (indexes.empty() && files.empty())
    return false;
  else
    return problem(escaped(path), "it holds several .safetensors, and none is called " + whole,
                   "name one of them, or an index");
  path_ = inFolder(path, name);
  if (llvm::Error error = llvm::StringRef(name).endswith(kIndex) ? openIndex(path_) : openFile(path_)) return error;
  return true;
}

llvm::Error StoredWeights::openFile(const std::string &path) {
  llvm::Expected<SafetensorsFile> file = readSafetensors(path);
  if (!file) return file.takeError();
  const auto *start = reinterpret_cast<const uint8_t *>(file->buffer->getBufferStart());
  for (const NamedTensor &tensor : file->tensors)
    tensors_.push_back(
        {{tensor.name, tensor.dtype, tensor.shape, path, uint64_t(tensor.bytes.data() - start)}, tensor.bytes.data()});
  mapped_->files.emplace(path, std::move(file->buffer));
  return llvm::Error::success();
}

llvm::Error StoredWeights::openIndex(const std::string &path) {
  auto byFile = readIndex(path);
  if (!byFile) return byFile.takeError();
  llvm::Error errors = llvm::Error::success();
  auto add = [&](llvm::Error error) { errors = llvm::joinErrors(std::move(errors), std::move(error)); };
  for (auto &[name, listed] : *byFile) {
    const std::string file = inFolder(llvm::sys::path::parent_path(path), name);
    const size_t before = tensors_.size();
    if (llvm::Error error = openFile(file)) {
      add(std::move(error));
      continue;
    }
    const auto opened = llvm::makeArrayRef(tensors_).drop_front(before);
    for (const std::string &tensor : listed)
      if (llvm::none_of(opened, [&](const Tensor &t) { return t.name == tensor; }))
        add(problem(escaped(file), "it lacks tensor '" + escaped(tensor) + "', which the index puts there",
                    "fetch or save the model again, whole"));
    for (const Tensor &tensor : opened)
      if (!llvm::is_contained(listed, tensor.name))
        add(problem(escaped(file), "it holds tensor '" + escaped(tensor.name) + "', which the index does not put there",
                    "fetch or save the model again, whole"));
  }
  return errors;
}

void StoredWeights::openCheckpoint(std::unique_ptr<CheckpointReader> reader) {
  checkpoint_ = std::make_unique<OfCheckpoint>();
  path_ = reader->folder();
  for (const Checkpoint::Tensor &tensor : reader->facts().tensors) {
    if (tensor.kind != kWeights) continue;
    auto add = [&](const std::string &name, bool isTransposed) {
      std::vector<int64_t> shape = tensor.shape;
      if (isTransposed) std::swap(shape[0], shape[1]);
      tensors_.push_back({{name, DType::F32, std::move(shape), path_}});
      checkpoint_->sources[name] = {&tensor, isTransposed};
    };
    add(tensor.parameter, false);
    for (const Checkpoint::Alias &alias : tensor.aliases)
      add(alias.name, alias.isTransposed);
  }
  checkpoint_->reader = std::move(reader);
}

const StoredWeights::Tensor *StoredWeights::find(llvm::StringRef name) const {
  const auto at = llvm::lower_bound(tensors_, name, [](const Tensor &t, llvm::StringRef n) { return t.name < n; });
  return at != tensors_.end() && at->name == name ? &*at : nullptr;
}

llvm::Error StoredWeights::read(const Tensor &tensor, int64_t begin, llvm::MutableArrayRef<float> to) const {
  assert(isReadable(tensor.dtype) && begin >= 0 && begin + int64_t(to.size()) <= tensor.elements());
  if (to.empty()) return llvm::Error::success();
  const uint64_t bytes = to.size() * sizeOf(tensor.dtype);
  bytesRead_ += bytes;
  if (!checkpoint_) {
    convert(tensor.dtype, tensor.mapped + size_t(begin) * sizeOf(tensor.dtype), to);
    mapped_->release(bytes);
    return llvm::Error::success();
  }
  const std::lock_guard<std::mutex> lock(checkpoint_->mutex);
  if (checkpoint_->last != tensor.name) {
    const OfCheckpoint::Source source = checkpoint_->sources.find(tensor.name)->second;
    checkpoint_->elements = {}; // before the next one is put together
    llvm::Expected<std::vector<float>> whole = checkpoint_->reader->readWhole(*source.tensor);
    if (!whole) return whole.takeError();
    const auto &shape = source.tensor->shape;
    checkpoint_->elements = source.isTransposed ? transposed(*whole, shape[0], shape[1]) : std::move(*whole);
    checkpoint_->last = tensor.name;
  }
  std::memcpy(to.data(), checkpoint_->elements.data() + begin, to.size() * sizeof(float));
  return llvm::Error::success();
}

std::vector<std::string> StoredWeights::paths() const {
  std::vector<std::string> paths = {path_};
  for (const auto &[path, file] : mapped_->files)
    if (path != path_) paths.push_back(path);
  if (checkpoint_) llvm::append_range(paths, checkpoint_->reader->paths());
  return paths;
}

llvm::Expected<std::vector<std::pair<std::string, std::string>>> StoredWeights::digestsOfFiles() const {
  std::vector<std::pair<std::string, std::string>> digests;
  if (checkpoint_)
    for (const auto &[name, digest] : checkpoint_->reader->facts().digests)
      digests.push_back({checkpoint_->reader->folder() + "/" + name, digest});
  for (const auto &[path, file] : mapped_->files) {
    digests.push_back({path, digestOfFile(path)});
    if (digests.back().second.empty()) return problem(escaped(path), "it cannot be read");
  }
  return digests;
}

std::string StoredWeights::digest() const {
  if (checkpoint_) return checkpoint_->reader->digest();
  Digest digest;
  for (const Tensor &tensor : tensors_) {
    digest.add(llvm::formatv("{0}\n{1}\n{2:$[,]}\n{3}\n", tensor.name, nameOf(tensor.dtype),
                             llvm::make_range(tensor.shape.begin(), tensor.shape.end()),
                             llvm::sys::path::filename(tensor.file))
                   .str());
  }
  return digest.text();
}

} // namespace autotp

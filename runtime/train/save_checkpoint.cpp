#include "runtime/train/save_checkpoint.h"

#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/checkpoint/find_checkpoint.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"

namespace autotp {
namespace {

constexpr size_t kDigestBytes = kDigestDigits / 2, kTokenBytes = 8;

/// Hexadecimal digits as numbers that ranks can sum: one a byte, which f32 holds exactly.
void putBytes(llvm::StringRef digits, llvm::MutableArrayRef<float> to) {
  const std::string bytes = llvm::fromHex(digits);
  for (size_t i = 0; i < to.size(); ++i)
    to[i] = float(uint8_t(bytes[i]));
}

std::string digitsOf(llvm::ArrayRef<float> from) {
  std::vector<uint8_t> bytes(from.begin(), from.end());
  return llvm::toHex(bytes, /*LowerCase=*/true);
}

/// Where another rank writes, as OutputFolder names it.
std::string temporaryOf(llvm::StringRef checkpoint, llvm::StringRef token) {
  return (checkpoint + ".autotp-" + token).str();
}

} // namespace

CheckpointSaver::CheckpointSaver(Executor &executor, Group &world, int rank, llvm::ArrayRef<const plan::Program *> byTp,
                                 SaveOptions options)
    : executor_(executor), world_(world), rank_(rank), options_(std::move(options)), byTp_(byTp.vec()),
      old_(options_.folder, options_.keep) {
  const std::vector<SavedSlice> slices = savedSlices(byTp_, executor.place().dp);
  tensors_ = tensorsOf(slices);
  for (const SavedSlice &slice : slices) {
    files_.push_back(fileOfSlices(slice.kind, slice.rank));
    if (slice.rank == rank) own_.push_back(slice);
  }
  llvm::sort(files_);
  files_.erase(std::unique(files_.begin(), files_.end()), files_.end());
}

/// A write that is under way ends first, since it reads what this owns. If rank 0 was killed, it has left the folder that
/// it would have named or deleted; the others delete it.
CheckpointSaver::~CheckpointSaver() {
  if (written_.valid()) written_.wait();
  if (rank_ != 0 && llvm::sys::fs::is_directory(path_) && options_.hasFirstEnded())
    (void)llvm::sys::fs::remove_directories(path_); // those who come later find less, or nothing
}

llvm::Error CheckpointSaver::save(Checkpoint facts) {
  if (isWriting())
    if (llvm::Error error = complete()) return error;
  begun_ = std::chrono::steady_clock::now();
  facts_ = std::move(facts);
  if (llvm::Error error = agreeOnFolder()) return error;
  if (llvm::Error error = copyOut()) return error;
  if (rank_ == 0) collectScalars();
  written_ = std::async(options_.isAsync ? std::launch::async : std::launch::deferred, [this] { return writeFiles(); });
  return options_.isAsync ? llvm::Error::success() : complete();
}

bool CheckpointSaver::hasWritten() const {
  return written_.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

/// Rank 0 makes the folder, and tells the others its name.
llvm::Error CheckpointSaver::agreeOnFolder() {
  const std::string checkpoint = checkpointOf(options_.folder, facts_.step);
  std::vector<float> token(kTokenBytes, 0);
  if (rank_ == 0) {
    OutputFolder::Options options;
    options.isDurable = true;
    options.force = options_.damaged.count(checkpoint) != 0;
    llvm::Expected<std::unique_ptr<OutputFolder>> folder = OutputFolder::open(checkpoint, std::move(options));
    if (!folder) return folder.takeError();
    folder_ = std::move(*folder);
    llvm::Expected<std::string> temporary = folder_->temporary();
    if (!temporary) return temporary.takeError();
    for (const std::string &file : files_)
      folder_->list(file, "");
    putBytes(llvm::StringRef(*temporary).take_back(2 * kTokenBytes), token);
  }
  if (llvm::Error error = executor_.sumIntoAll(world_, token)) return error;
  path_ = temporaryOf(checkpoint, digitsOf(token));
  if (llvm::sys::fs::is_directory(path_)) return llvm::Error::success();
  return problem("--save " + escaped(options_.folder),
                 "rank " + std::to_string(rank_) + " does not see the folder that rank 0 has made there",
                 "name a folder on a file system that all hosts share");
}

/// Lays out this rank's files. Their contents are the arena itself if they are written before training goes on, and the
/// host can read it.
llvm::Error CheckpointSaver::copyOut() {
  std::vector<size_t> places;
  size_t bytes = 0;
  for (const SavedSlice &slice : own_) {
    places.push_back(bytes);
    bytes += size_t(slice.end - slice.begin) * sizeof(float);
  }
  const bool isCopied = options_.isAsync || !executor_.isOnHost();
  if (isCopied && !copy_) copy_ = std::make_unique_for_overwrite<std::byte[]>(bytes);
#pragma omp parallel for schedule(dynamic) if (executor_.isOnHost())
  for (size_t i = 0; i < own_.size(); ++i)
    if (isCopied) executor_.download(own_[i].tensor, copy_.get() + places[i]);
  std::map<std::string, std::vector<NamedTensor>> files;
  for (size_t i = 0; i < own_.size(); ++i) {
    const SavedSlice &slice = own_[i];
    const plan::TensorRef &held = slice.parameter->tensor();
    const bool isAll = slice.end - slice.begin == elementsOf(held);
    const std::byte *at = isCopied ? copy_.get() + places[i] : executor_.bytes(slice.tensor).data();
    NamedTensor tensor;
    tensor.name = slice.parameter->name();
    tensor.shape = {slice.end - slice.begin};
    if (isAll) tensor.shape.assign(held.shape().begin(), held.shape().end());
    tensor.bytes = {reinterpret_cast<const uint8_t *>(at), size_t(slice.end - slice.begin) * sizeof(float)};
    files[fileOfSlices(slice.kind, rank_)].push_back(std::move(tensor));
  }
  toWrite_.clear();
  for (auto &[name, tensors] : files)
    toWrite_.push_back({name, std::move(tensors)});
  return executor_.synchronise();
}

/// States of the program that outlive a step and are no parameter's.
void CheckpointSaver::collectScalars() {
  scalars_.clear();
  scalarBytes_.clear();
  for (const plan::State *state : lastingStates(executor_.program())) {
    const plan::TensorRef &ref = state->tensor();
    scalarBytes_.emplace_back(executor_.bytes(ref).size());
    executor_.download(ref, scalarBytes_.back().data());
    scalars_.push_back({state->name(), DType(ref.dtype()), {ref.shape().begin(), ref.shape().end()}, {}});
  }
  for (size_t i = 0; i < scalars_.size(); ++i)
    scalars_[i].bytes = scalarBytes_[i];
}

CheckpointSaver::Written CheckpointSaver::writeFiles() const {
  Written written;
  const std::string shown = checkpointOf(options_.folder, facts_.step);
  for (const File &file : toWrite_) {
    llvm::Expected<std::string> digest =
        writeNewFile(path_ + "/" + file.name, shown + "/" + file.name, /*isDurable=*/true,
                     [&](llvm::raw_ostream &os) { writeSafetensors(os, file.tensors); });
    if (!digest) {
      written.failure = inOneLine(digest.takeError());
      return written;
    }
    written.digests[file.name] = *digest;
  }
  return written;
}

llvm::Error CheckpointSaver::complete() {
  const Written written = written_.get();
  if (llvm::Error error = shareDigests(written)) return error;
  return rank_ == 0 ? nameFolder() : llvm::Error::success();
}

/// Tells rank 0 the digests of all files.
llvm::Error CheckpointSaver::shareDigests(const Written &written) {
  if (!written.failure.empty())
    return problem("--save " + escaped(options_.folder), written.failure,
                   "make room; the checkpoints before this one are whole");
  std::vector<float> digests(files_.size() * kDigestBytes, 0);
  for (const auto &[name, digest] : written.digests) {
    const size_t at = size_t(llvm::lower_bound(files_, name) - files_.begin());
    putBytes(digest, llvm::MutableArrayRef<float>(digests).slice(at * kDigestBytes, kDigestBytes));
  }
  if (llvm::Error error = executor_.sumIntoFirst(world_, digests)) return error;
  for (size_t i = 0; rank_ == 0 && i < files_.size(); ++i)
    folder_->list(files_[i], digitsOf(llvm::makeArrayRef(digests).slice(i * kDigestBytes, kDigestBytes)));
  return llvm::Error::success();
}

llvm::Error CheckpointSaver::nameFolder() {
  llvm::Expected<std::string> scalars =
      folder_->write(kScalarsFile, [&](llvm::raw_ostream &os) { writeSafetensors(os, scalars_); });
  if (!scalars) return scalars.takeError();
  facts_.tensors = tensors_;
  llvm::Expected<std::string> manifest =
      folder_->write(kCheckpointManifest, [&](llvm::raw_ostream &os) { os << checkpointText(facts_); });
  if (!manifest) return manifest.takeError();
  llvm::Expected<std::string> movedTo = folder_->commit();
  if (!movedTo) return movedTo.takeError();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count();
  std::string note;
  llvm::raw_string_ostream(note) << "saved " << folder_->path() << llvm::format(" in %.2f s", seconds);
  notes_.push_back(std::move(note));
  if (!movedTo->empty()) notes_.push_back("the damaged one that stood there is now " + *movedTo);
  old_.add(facts_.step, folder_->written());
  folder_.reset();
  return llvm::Error::success();
}

std::vector<std::string> CheckpointSaver::takeNotes() {
  std::vector<std::string> notes = std::exchange(notes_, {});
  llvm::append_range(notes, old_.takeNotes());
  return notes;
}

} // namespace autotp

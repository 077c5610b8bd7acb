#include "runtime/train/tensorboard.h"

#include "runtime/base/error.h"
#include "runtime/base/output_file.h"
#include "runtime/base/output_path.h"
#include "runtime/train/tensorboard.pb.h"

#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"

#include <cerrno>
#include <chrono>
#include <unistd.h>

namespace autotp {
namespace {

double now() {
  const std::chrono::duration<double> since = std::chrono::system_clock::now().time_since_epoch();
  return since.count();
}

/// The form in which TFRecords have a CRC, since a CRC of data that holds CRCs is weak.
uint32_t masked(uint32_t crc) { return (crc >> 15 | crc << 17) + 0xa282ead8u; }

} // namespace

uint32_t crc32c(llvm::StringRef data) {
  constexpr uint32_t kReversedPolynomial = 0x82f63b78;
  uint32_t crc = ~0u;
  for (char byte : data) {
    crc ^= uint8_t(byte);
    for (int bit = 0; bit < 8; ++bit)
      crc = crc >> 1 ^ (crc & 1 ? kReversedPolynomial : 0);
  }
  return ~crc;
}

llvm::Expected<std::unique_ptr<TensorBoard>> TensorBoard::open(const std::string &folder) {
  llvm::Expected<bool> isThere = isFolder("--tensorboard", folder);
  if (!isThere) return isThere.takeError();
  if (std::error_code code = llvm::sys::fs::create_directories(folder)) return cannotBeWritten(folder, code.value());
  const double begin = now();
  const std::string path =
      llvm::formatv("{0}/events.out.tfevents.{1}.autotp.{2}", folder, int64_t(begin), getpid()).str();
  auto board = std::make_unique<TensorBoard>();
  board->name_ = "--tensorboard " + escaped(folder);
  std::error_code error;
  board->file_ = std::make_unique<llvm::raw_fd_ostream>(path, error, llvm::sys::fs::CD_CreateNew);
  if (error) return cannotBeWritten(path, error.value());
  tensorboard::Event version;
  version.set_wall_time(begin);
  version.set_file_version("brain.Event:2");
  if (llvm::Error failed = board->writeRecord(version.SerializeAsString())) return failed;
  return board;
}

/// write() has flushed the file and returned its errors.
TensorBoard::~TensorBoard() {
  if (!file_) return;
  file_->close();
  file_->clear_error();
}

llvm::Error TensorBoard::write(int64_t step, llvm::ArrayRef<Scalar> scalars) {
  tensorboard::Event event;
  event.set_wall_time(now());
  event.set_step(step);
  for (const Scalar &scalar : scalars) {
    tensorboard::Summary::Value &value = *event.mutable_summary()->add_value();
    value.set_tag(scalar.tag.str());
    value.set_simple_value(float(scalar.value));
  }
  return writeRecord(event.SerializeAsString());
}

/// A TFRecord: the length as u64, its masked CRC as u32, the data, their masked CRC, all little-endian.
llvm::Error TensorBoard::writeRecord(llvm::StringRef data) {
  char length[8], crc[4];
  llvm::support::endian::write64le(length, data.size());
  llvm::support::endian::write32le(crc, masked(crc32c({length, sizeof length})));
  file_->write(length, sizeof length).write(crc, sizeof crc) << data;
  llvm::support::endian::write32le(crc, masked(crc32c(data)));
  file_->write(crc, sizeof crc);
  return flushed(*file_, name_);
}

} // namespace autotp

// Event files for TensorBoard, record by record.
#include "runtime/base/error.h"
#include "runtime/train/tensorboard.h"
#include "runtime/train/tensorboard.pb.h"
#include "tests/runtime/temporary_file.h"

#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"

#include <gtest/gtest.h>

namespace autotp {
namespace {

std::vector<std::string> filesIn(const std::string &folder) {
  std::vector<std::string> paths;
  std::error_code error;
  for (llvm::sys::fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    paths.push_back(at->path());
  return paths;
}

uint32_t unmasked(uint32_t crc) {
  crc -= 0xa282ead8u;
  return crc >> 17 | crc << 15;
}

/// Reads the records of an event file, and checks both checksums of each.
std::vector<tensorboard::Event> eventsIn(const std::string &path) {
  using namespace llvm::support::endian;
  std::vector<tensorboard::Event> events;
  auto buffer = llvm::cantFail(llvm::errorOrToExpected(llvm::MemoryBuffer::getFile(path)));
  for (llvm::StringRef rest = buffer->getBuffer(); !rest.empty();) {
    const uint64_t length = read64le(rest.data());
    EXPECT_EQ(unmasked(read32le(rest.data() + 8)), crc32c(rest.take_front(8)));
    const llvm::StringRef data = rest.substr(12, length);
    EXPECT_EQ(unmasked(read32le(rest.data() + 12 + length)), crc32c(data));
    EXPECT_TRUE(events.emplace_back().ParseFromString(data.str()));
    rest = rest.drop_front(16 + length);
  }
  return events;
}

/// Values of RFC 3720, appendix B.4.
TEST(TensorBoard, Checksum) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
}

TEST(TensorBoard, WritesEventsAtOnce) {
  const test::TemporaryFolder folder;
  const std::string runs = folder.path() + "/runs/one";
  auto board = TensorBoard::open(runs);
  ASSERT_TRUE(bool(board)) << describe(board.takeError());
  ASSERT_FALSE(bool((*board)->write(3, {{"train/loss", 1.5}, {"train/lr", 1e-3}})));
  ASSERT_FALSE(bool((*board)->write(4, {{"eval/loss", 2.5}})));
  ASSERT_EQ(filesIn(runs).size(), 1u);
  const std::vector<tensorboard::Event> events = eventsIn(filesIn(runs)[0]); // which is still being written
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].file_version(), "brain.Event:2");
  EXPECT_EQ(events[1].step(), 3);
  ASSERT_EQ(events[1].summary().value_size(), 2);
  EXPECT_EQ(events[1].summary().value(0).tag(), "train/loss");
  EXPECT_EQ(events[1].summary().value(0).simple_value(), 1.5f);
  EXPECT_EQ(events[1].summary().value(1).simple_value(), 1e-3f);
  EXPECT_EQ(events[2].step(), 4);
  EXPECT_GE(events[2].wall_time(), events[0].wall_time());
}

TEST(TensorBoard, ReplacesNothing) {
  const test::TemporaryFolder folder;
  const std::string file = folder.path() + "/file";
  std::error_code error;
  llvm::raw_fd_ostream(file, error) << "mine";
  auto board = TensorBoard::open(file);
  ASSERT_FALSE(bool(board));
  EXPECT_NE(describe(board.takeError()).find("not a folder"), std::string::npos);
  auto below = TensorBoard::open(file + "/runs");
  ASSERT_FALSE(bool(below));
  EXPECT_NE(describe(below.takeError()).find(file), std::string::npos);
}

} // namespace
} // namespace autotp

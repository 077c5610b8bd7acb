/// \file numpy's arrays and zips of them: what is read, and what is refused.
#include "runtime/data/npz.h"
#include "tests/runtime/data_files.h"

#include <zlib.h>

namespace autotp {
namespace {

using namespace test;

TEST(Npz, ReadsAndRefuses) {
  TemporaryFolder folder;
  std::string good = npz("ids.npy", npy("<i8", "(2, 3)", longs({0, 1, 2, 3, 4, 5})));
  auto arrays = readNpz(folder.write("a.npz", good));
  ASSERT_TRUE(bool(arrays)) << describe(arrays.takeError());
  ASSERT_EQ(arrays->size(), 1u);
  EXPECT_EQ((*arrays)[0].name, "ids");
  EXPECT_EQ((*arrays)[0].type, (ElementType{ElementKind::Signed, 8}));
  EXPECT_EQ((*arrays)[0].shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(std::to_integer<int>((*arrays)[0].data[40]), 5);
  auto refuses = [&](const std::string &bytes, const char *what) {
    auto read = readNpz(folder.write("bad.npz", bytes));
    EXPECT_FALSE(bool(read)) << what;
    if (!read) llvm::consumeError(read.takeError());
  };
  for (size_t size = 0; size < good.size(); size += 7)
    refuses(good.substr(0, size), "truncated");
  refuses(npz("a.npy", "not an array"), "no array");
  refuses(npz("a.npy", npy(">i8", "(1,)", longs({1}))), "big-endian");
  refuses(npz("a.npy", npy("<i8", "(2, 2)", longs({1, 2, 3, 4}), "True")), "Fortran");
  refuses(npz("a.npy", npy("<c8", "(1,)", longs({1}))), "complex");
  refuses(npz("a.npy", npy("<i8", "(2,)", longs({1}))), "too short");
  refuses(npz("a.npy", npy("<i8", "(-1,)", longs({1}))), "negative");
  refuses(npz("a.npy", npy("<i8", "(4611686018427387904, 4)", longs({1}))), "overflow");
  for (size_t i = 0; i < good.size(); ++i) { // no byte may lead outside
    std::string bad = good;
    bad[i] = char(0xff);
    auto read = readNpz(folder.write("bad.npz", bad));
    if (!read) llvm::consumeError(read.takeError());
  }
}

/// The array of an .npy, or the message.
std::string headerSaid(const std::string &dictionary, const std::string &data) {
  const std::string bytes = "\x93NUMPY" + std::string("\x02\x00", 2) + little(dictionary.size(), 4) + dictionary + data;
  return saidOf(parseNpy("a", bytes));
}

TEST(Npy, HeadersAreDictionariesOfPython) {
  const std::string four = longs({1, 2, 3, 4});
  EXPECT_EQ(headerSaid("{'shape': (2, 2), 'descr': '<i8', 'fortran_order': False}", four), "");
  EXPECT_EQ(headerSaid(R"({"descr": "<i8", "fortran_order": False, "shape": (2L, 2L), } )", four), "");
  EXPECT_EQ(headerSaid(R"({"descr": "<i8", "fortran_order": True, "shape": (2, 2)})", four),
            "error: a: it is in Fortran order\n  do:  store it by numpy.ascontiguousarray(array)");
  EXPECT_EQ(headerSaid("{'descr': [('x', '<i8')], 'fortran_order': False, 'shape': (4,)}", four),
            "error: a: its element type is not a little-endian bool, integer or float: '[('x', '<i8')]'\n"
            "  do:  store it as such, for example by array.astype('<i4')");
  for (const char *bad : {"", "{", "{}", "{'descr': '<i8', 'shape': (4,)}", "{'descr': '<i8', 'fortran_order': False}",
                          "{'descr': '<i8', 'descr': '<i8', 'fortran_order': False, 'shape': (4,)}",
                          "{'descr': '<i8', 'fortran_order': False, 'shape': (4}",
                          "{'descr': '<i8', 'fortran_order': No, 'shape': (4,)}", "{'descr': '<i8"})
    EXPECT_EQ(headerSaid(bad, four), "error: a: its header cannot be read") << bad;
}

TEST(Npy, EveryElementType) {
  const std::pair<const char *, ElementType> types[] = {
      {"|b1", {ElementKind::Bool, 1}},     {"|i1", {ElementKind::Signed, 1}},   {"<i2", {ElementKind::Signed, 2}},
      {"<i4", {ElementKind::Signed, 4}},   {"<i8", {ElementKind::Signed, 8}},   {"|u1", {ElementKind::Unsigned, 1}},
      {"<u2", {ElementKind::Unsigned, 2}}, {"<u4", {ElementKind::Unsigned, 4}}, {"<u8", {ElementKind::Unsigned, 8}},
      {"<f2", {ElementKind::Float, 2}},    {"<f4", {ElementKind::Float, 4}},    {"<f8", {ElementKind::Float, 8}}};
  for (const auto &[descr, type] : types) {
    const std::string bytes = npy(descr, "(3,)", std::string(3u * type.bytes, '\0'));
    llvm::Expected<NpyArray> array = parseNpy("a", bytes);
    ASSERT_TRUE(bool(array)) << descr << describe(array.takeError());
    EXPECT_EQ(array->type, type) << descr;
    EXPECT_EQ(array->data.size(), 3u * type.bytes);
  }
}

/// A stored file as the directory of a zip64 lists it: sizes and offset stand in an extra field.
std::string zip64Entry(const std::string &name, uint64_t size, uint64_t offset, uint32_t crc) {
  const std::string extra = little(1, 2) + little(24, 2) + little(size, 8) + little(size, 8) + little(offset, 8);
  return "PK\x01\x02" + little(45, 2) + little(45, 2) + little(0, 8) + little(crc, 4) + little(0xffffffff, 4) +
         little(0xffffffff, 4) + little(name.size(), 2) + little(extra.size(), 2) + little(0, 10) +
         little(0xffffffff, 4) + name + extra;
}

std::string localHeader(const std::string &name) {
  return "PK\x03\x04" + little(45, 2) + little(0, 8) + little(0, 4) + little(0xffffffff, 4) + little(0xffffffff, 4) +
         little(name.size(), 2) + little(0, 2) + name;
}

/// What follows the directory of a zip64 that begins at `offset`.
std::string zip64End(uint64_t count, uint64_t bytes, uint64_t offset) {
  return "PK\x06\x06" + little(44, 8) + little(45, 2) + little(45, 2) + little(0, 8) + little(count, 8) +
         little(count, 8) + little(bytes, 8) + little(offset, 8) + "PK\x06\x07" + little(0, 4) +
         little(offset + bytes, 8) + little(1, 4) + "PK\x05\x06" + little(0, 4) + little(0xffff, 2) +
         little(0xffff, 2) + little(0xffffffff, 4) + little(0xffffffff, 4) + little(0, 2);
}

TEST(Npz, Zip64Records) {
  TemporaryFolder folder;
  const std::string array = npy("<i8", "(2,)", longs({7, 8})), local = localHeader("ids.npy") + array,
                    directory = zip64Entry("ids.npy", array.size(), 0, crcOf(array));
  const std::string good = local + directory + zip64End(1, directory.size(), local.size());
  auto arrays = readNpz(folder.write("a.npz", good));
  ASSERT_TRUE(bool(arrays)) << describe(arrays.takeError());
  ASSERT_EQ(arrays->size(), 1u);
  EXPECT_EQ(loadElement<int64_t>((*arrays)[0].data.data(), 1), 8);
  const std::string bad = local + directory + zip64End(1, directory.size(), uint64_t(1) << 40);
  EXPECT_NE(saidOf(readNpz(folder.write("b.npz", bad))).find("its directory is damaged"), std::string::npos);
  for (size_t i = 0; i < good.size(); ++i) { // no byte may lead outside
    std::string changed = good;
    changed[i] = char(changed[i] ^ 0x55);
    llvm::consumeError(readNpz(folder.write("c.npz", changed)).takeError());
  }
}

/// The CRC of these bytes and so many zeros after them.
uint32_t crcAndZeros(const std::string &bytes, uint64_t zeros) {
  uLong all = crcOf(bytes), some = crcOf(std::string(1, '\0')); // some: of `length` zeros
  for (uint64_t length = 1; length <= zeros; length *= 2) {
    if (zeros & length) all = crc32_combine(all, some, z_off_t(length));
    some = crc32_combine(some, some, z_off_t(length));
  }
  return uint32_t(all);
}

/// The first array is a hole in the file, so the second lies beyond 4 GiB and yet takes no room.
TEST(Npz, ArraysBeyondFourGib) {
  TemporaryFolder folder;
  const uint64_t elements = (uint64_t(1) << 32) + 5;
  std::string big = npy("|u1", "(" + std::to_string(elements) + ",)", "");
  const uint64_t bigSize = big.size() + elements;
  const std::string first = localHeader("big.npy") + big, array = npy("<i8", "(2,)", longs({7, 8}));
  const uint64_t second = localHeader("big.npy").size() + bigSize;
  const std::string directory = zip64Entry("big.npy", bigSize, 0, crcAndZeros(big, elements)) +
                                zip64Entry("ids.npy", array.size(), second, crcOf(array));
  const std::string rest = localHeader("ids.npy") + array;
  std::ofstream file(folder.path() + "/a.npz", std::ios::binary);
  file << first;
  file.seekp(std::streamoff(second));
  file << rest << directory << zip64End(2, directory.size(), second + rest.size());
  file.close();
  auto arrays = readNpz(folder.path() + "/a.npz");
  ASSERT_TRUE(bool(arrays)) << describe(arrays.takeError());
  ASSERT_EQ(arrays->size(), 2u);
  EXPECT_EQ((*arrays)[0].data.size(), elements);
  EXPECT_EQ((*arrays)[1].name, "ids");
  EXPECT_EQ(loadElement<int64_t>((*arrays)[1].data.data(), 0), 7);
}

/// numpy writes a CRC of each array, and every other reader checks it.
TEST(Npz, AChangedByteOfAnArrayIsFound) {
  TemporaryFolder folder;
  const std::string bytes = npy("<i8", "(2,)", longs({7, 8})), good = npz("a.npy", bytes);
  ASSERT_EQ(saidOf(readNpz(folder.write("a.npz", good))), "");
  const size_t last = good.find(bytes) + bytes.size() - 1;
  std::string changed = good;
  changed[last] ^= 1;
  EXPECT_NE(saidOf(readNpz(folder.write("b.npz", changed))).find("array 'a.npy' is damaged"), std::string::npos);
}

/// Else a file of some MB could hold any number of arrays that are each as large as it is.
TEST(Npz, ArraysInTheSameBytes) {
  TemporaryFolder folder;
  const std::string array = npy("|u1", "(1,)", "a"), local = localHeader("a.npy") + array,
                    directory = zip64Entry("a.npy", array.size(), 0, crcOf(array)) +
                                zip64Entry("b.npy", array.size(), 0, crcOf(array));
  const std::string bytes = local + directory + zip64End(2, directory.size(), local.size());
  EXPECT_NE(saidOf(readNpz(folder.write("a.npz", bytes))).find("arrays 'a.npy' and 'b.npy' lie in the same bytes"),
            std::string::npos);
}

TEST(Npz, TwoArraysOfOneName) {
  TemporaryFolder folder;
  const std::string array = npy("|u1", "(1,)", "a"), local = localHeader("a.npy") + array,
                    directory = zip64Entry("a.npy", array.size(), 0, 0) + zip64Entry("a.npy", array.size(), 0, 0);
  const std::string bytes = local + directory + zip64End(2, directory.size(), local.size());
  EXPECT_NE(saidOf(readNpz(folder.write("a.npz", bytes))).find("two arrays 'a.npy'"), std::string::npos);
}

} // namespace
} // namespace autotp

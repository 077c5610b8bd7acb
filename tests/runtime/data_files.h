/// \file What tests of data write byte by byte, and how they read rows.
#pragma once

#include "runtime/base/error.h"
#include "runtime/data/source.h"
#include "tests/runtime/temporary_file.h"

#include <gtest/gtest.h>

namespace autotp::test {

inline std::string npy(const std::string &descr, const std::string &shape, const std::string &data,
                       const std::string &order = "False") {
  std::string header = "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
  return "\x93NUMPY" + std::string("\x01\x00", 2) + little(header.size(), 2) + header + data;
}

/// A zip of one stored file, as numpy.savez writes it.
inline std::string npz(const std::string &name, const std::string &bytes) {
  std::string sizes = little(crcOf(bytes), 4) + little(bytes.size(), 4) + little(bytes.size(), 4) +
                      little(name.size(), 2) + little(0, 2); // crc, sizes, names
  std::string local = "PK\x03\x04" + little(20, 2) + little(0, 8) + sizes + name + bytes;
  std::string directory = "PK\x01\x02" + little(20, 2) + little(20, 2) + little(0, 8) + sizes + little(0, 2) +
                          little(0, 2) + little(0, 2) + little(0, 4) + little(0, 4) + name;
  return local + directory + "PK\x05\x06" + little(0, 4) + little(1, 2) + little(1, 2) + little(directory.size(), 4) +
         little(local.size(), 4) + little(0, 2);
}

inline std::string longs(std::vector<int64_t> values) {
  std::string bytes;
  for (int64_t v : values)
    bytes += little(uint64_t(v), 8);
  return bytes;
}

inline Manifest tokensManifest(int64_t limit, const std::string &label = "next-labels") {
  Manifest m;
  m.microBatch = 2;
  m.inputs = {{"ids", "i64", "tokens", {2, 4}, true, limit, {}}, {"labels", "i64", label, {2, 4}, true, limit, {}}};
  return m;
}

inline std::vector<int64_t> rowOf(const Source &source, int64_t row, size_t input, int64_t length = 4) {
  std::vector<int64_t> values(static_cast<size_t>(length), -1);
  llvm::Error error = source.fill(row, input, std::as_writable_bytes(std::span(values)));
  EXPECT_FALSE(bool(error)) << describe(std::move(error));
  return values;
}

/// The message of an error; "": there is none.
template <typename T> std::string saidOf(llvm::Expected<T> made) { return made ? "" : describe(made.takeError()); }

} // namespace autotp::test

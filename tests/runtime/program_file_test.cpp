// The file of a program: there and back, and files that are none.
#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/plan/dtype.h"
#include "runtime/plan/manifest.h"
#include "runtime/plan/program_file.h"
#include "tests/runtime/temporary_file.h"

#include <gtest/gtest.h>

namespace autotp {
namespace {

using test::little;
using test::TemporaryFolder;

void addConstant(plan::Program &program, uint64_t offset, std::vector<int64_t> shape, const std::string &data) {
  plan::Constant &constant = *program.add_constants();
  constant.mutable_tensor()->set_offset(offset);
  constant.mutable_tensor()->set_dtype(uint32_t(DType::F32));
  for (int64_t d : shape)
    constant.mutable_tensor()->add_shape(d);
  constant.set_data(data);
}

/// Two constants of numbers and one without elements.
plan::Program sample() {
  plan::Program program;
  program.set_format_version(uint32_t(kPlanFormatVersion));
  program.set_arena_bytes(256);
  addConstant(program, 0, {2}, "12345678");
  addConstant(program, 16, {0, 3}, "");
  addConstant(program, 32, {1, 3}, std::string("abc\0efgh\0jkl", 12));
  return program;
}

std::string fileOf(const plan::Program &program) {
  std::string bytes;
  llvm::raw_string_ostream os(bytes);
  writeProgram(os, program, messageOf(program));
  return os.str();
}

llvm::Expected<plan::Program> read(const std::string &bytes) {
  const TemporaryFolder folder;
  return readProgram(folder.write("0000.plan", bytes), digestOf(bytes), 1, 1);
}

TEST(ProgramFile, RoundTrip) {
  const plan::Program program = sample();
  llvm::Expected<plan::Program> again = read(fileOf(program));
  ASSERT_TRUE(bool(again)) << describe(again.takeError());
  EXPECT_EQ(again->SerializeAsString(), program.SerializeAsString());
  EXPECT_EQ(messageOf(program).find("12345678"), std::string::npos) << "numbers lie behind the message";
}

TEST(ProgramFile, WhatIsNoneIsRefused) {
  const plan::Program program = sample();
  const std::string file = fileOf(program), message = messageOf(program);
  plan::Program large = program;
  large.mutable_constants(0)->mutable_tensor()->set_shape(0, int64_t(1) << 61);
  plan::Program negative = program;
  negative.mutable_constants(0)->mutable_tensor()->set_shape(0, -2);
  plan::Program untyped = program;
  untyped.mutable_constants(0)->mutable_tensor()->set_dtype(300);
  for (const std::string &bytes :
       {std::string(), std::string("autotp-p"), program.SerializeAsString(), file.substr(0, file.size() - 1),
        file + "x", file.substr(0, 16), "autotp-p" + little(~0ull, 8) + message, "autotp-q" + file.substr(8),
        "autotp-p" + little(3, 8) + file.substr(16), fileOf(large), fileOf(negative), fileOf(untyped)}) {
    llvm::Expected<plan::Program> again = read(bytes);
    ASSERT_FALSE(bool(again));
    EXPECT_NE(describe(again.takeError()).find("it is no program of a plan"), std::string::npos);
  }
}

} // namespace
} // namespace autotp

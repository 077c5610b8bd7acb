/// \file Programs that would do harm are refused.
#include "runtime/base/error.h"
#include "runtime/plan/check_program.h"
#include "runtime/plan/dtype.h"
#include "runtime/plan/kernels/kernel_id.h"
#include "runtime/plan/manifest.h"

#include <gtest/gtest.h>

#include <functional>

namespace autotp {
namespace {

void setTensor(plan::TensorRef *t, uint64_t offset, std::vector<int64_t> shape) {
  t->set_offset(offset);
  t->set_dtype(uint32_t(DType::F32));
  t->clear_shape();
  for (int64_t d : shape)
    t->add_shape(d);
}

/// A kernel and a reduce-scatter over two dp ranks; checked with tp 1, dp 2.
plan::Program sampleProgram() {
  plan::Program p;
  p.set_format_version(uint32_t(kPlanFormatVersion));
  p.set_arena_bytes(256);
  plan::Group *group = p.add_groups();
  group->set_axis(plan::DP);
  group->add_ranks(0);
  group->add_ranks(1);
  plan::Bucket *bucket = p.add_buckets();
  setTensor(bucket->mutable_accumulator(), 0, {4});
  setTensor(bucket->mutable_parameters(), 112, {8});
  bucket->set_elements(8);
  plan::Parameter *parameter = p.add_parameters();
  parameter->set_name("w");
  parameter->add_global_shape(8);
  parameter->add_covers()->add_begins(4);
  parameter->mutable_covers(0)->add_ends(8);
  setTensor(parameter->mutable_tensor(), 128, {4});
  parameter->set_bucket_begin(4);
  setTensor(p.add_inputs()->mutable_tensor(), 0, {2});
  plan::Section *section = p.add_sections();
  section->set_name("micro_step");
  plan::KernelCall *call = section->add_instructions()->mutable_kernel();
  call->set_kernel(uint32_t(KernelId::Neg));
  setTensor(call->add_operands(), 0, {8});
  setTensor(call->add_results(), 32, {8});
  plan::Collective *collective = section->add_instructions()->mutable_collective();
  collective->set_kind(plan::REDUCE_SCATTER_SUM);
  setTensor(collective->mutable_operand(), 0, {8});
  setTensor(collective->mutable_result(), 64, {4});
  return p;
}

TEST(CheckProgram, AcceptsASoundOne) {
  llvm::Error error = checkProgram(sampleProgram(), 1, 2);
  EXPECT_FALSE(bool(error)) << describe(std::move(error));
}

TEST(CheckProgram, RefusesWhatWouldDoHarm) {
  using P = plan::Program;
  struct Row {
    const char *what;
    std::function<void(P &)> change;
  };
  auto call = [](P &p) { return p.mutable_sections(0)->mutable_instructions(0)->mutable_kernel(); };
  auto collective = [](P &p) { return p.mutable_sections(0)->mutable_instructions(1)->mutable_collective(); };
  const Row rows[] = {
      {"version", [](P &p) { p.set_format_version(99); }},
      {"arena", [](P &p) { p.set_arena_bytes(~0ull); }},
      {"offset", [&](P &p) { call(p)->mutable_operands(0)->set_offset(225); }},
      {"offset that overflows", [&](P &p) { call(p)->mutable_results(0)->set_offset(~0ull - 3); }},
      {"dp stride", [&](P &p) { call(p)->mutable_operands(0)->set_dp_stride(225); }},
      {"negative shape", [&](P &p) { call(p)->mutable_operands(0)->set_shape(0, -1); }},
      {"shape that overflows", [&](P &p) { call(p)->mutable_operands(0)->add_shape(int64_t(1) << 62); }},
      {"dtype", [&](P &p) { call(p)->mutable_operands(0)->set_dtype(77); }},
      {"kernel", [&](P &p) { call(p)->set_kernel(9999); }},
      {"no kernel", [&](P &p) { call(p)->set_kernel(0); }},
      {"kernel beyond 16 bits", [&](P &p) { call(p)->set_kernel(65536 + uint32_t(KernelId::Neg)); }},
      {"workspace", [&](P &p) { call(p)->set_workspace_bytes(257); }},
      {"empty step", [](P &p) { p.mutable_sections(0)->add_instructions(); }},
      {"group", [](P &p) { p.mutable_groups(0)->set_ranks(1, 2); }},
      {"no such group", [&](P &p) { collective(p)->set_group(1); }},
      {"counts", [&](P &p) { collective(p)->add_counts(8); }},
      {"sum of counts",
       [&](P &p) {
         collective(p)->add_counts(4);
         collective(p)->add_counts(3);
       }},
      {"negative counts",
       [&](P &p) {
         collective(p)->add_counts(-1);
         collective(p)->add_counts(9);
       }},
      {"elements", [&](P &p) { collective(p)->mutable_result()->set_shape(0, 5); }},
      {"kind", [&](P &p) { collective(p)->set_kind(plan::CollectiveKind(5)); }}, // once a broadcast
      {"sum of bytes",
       [&](P &p) {
         for (plan::TensorRef *tensor : {collective(p)->mutable_operand(), collective(p)->mutable_result()})
           tensor->set_dtype(uint32_t(DType::U8));
       }},
      {"dtypes", [&](P &p) { collective(p)->mutable_result()->set_dtype(uint32_t(DType::I32)); }},
      {"cover outside", [](P &p) { p.mutable_parameters(0)->mutable_covers(0)->set_ends(0, 9); }},
      {"cover too small", [](P &p) { p.mutable_parameters(0)->mutable_covers(0)->set_begins(0, 5); }},
      {"cover unpaired", [](P &p) { p.mutable_parameters(0)->mutable_covers(0)->add_begins(1); }},
      {"bucket", [](P &p) { p.mutable_parameters(0)->set_bucket(1); }},
      {"state", [](P &p) { setTensor(p.add_states()->mutable_tensor(), 0, {3}); }},
      {"beside its bucket", [](P &p) { p.mutable_parameters(0)->mutable_tensor()->set_offset(132); }},
      {"beyond its bucket", [](P &p) { p.mutable_parameters(0)->set_bucket_begin(5); }},
      {"before its bucket", [](P &p) { p.mutable_parameters(0)->set_bucket_begin(~0ull); }},
      {"a place in a slice", [](P &p) { setTensor(p.mutable_buckets(0)->mutable_parameters(), 112, {4}); }},
      {"slice", [](P &p) { setTensor(p.mutable_buckets(0)->mutable_accumulator(), 0, {2}); }},
      {"negative bucket", [](P &p) { p.mutable_buckets(0)->set_elements(-8); }},
      {"parameters", [](P &p) { p.mutable_buckets(0)->clear_parameters(); }},
      {"constant", [](P &p) { setTensor(p.add_constants()->mutable_tensor(), 0, {3}); }},
      {"accumulator", [](P &p) { setTensor(p.add_zeroed_each_step(), 256, {1}); }},
  };
  for (const Row &row : rows) {
    P p = sampleProgram();
    row.change(p);
    llvm::Error error = checkProgram(p, 1, 2);
    EXPECT_TRUE(bool(error)) << row.what;
    llvm::consumeError(std::move(error));
  }
}

} // namespace
} // namespace autotp

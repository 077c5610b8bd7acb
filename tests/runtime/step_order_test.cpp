/// \file Events between the queues of kernels and collectives, and collectives between ranks.
#include "runtime/base/error.h"
#include "runtime/plan/check_world.h"
#include "runtime/plan/dtype.h"
#include "runtime/plan/step_order.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <random>

namespace autotp {
namespace {

void setTensor(plan::TensorRef *t, uint64_t offset, int64_t elements, uint64_t dpStride = 0) {
  t->set_offset(offset);
  t->set_dp_stride(dpStride);
  t->set_dtype(uint32_t(DType::F32));
  t->add_shape(elements);
}

plan::Instruction *addKernel(plan::Section *section, const char *name, uint64_t from, uint64_t to) {
  plan::Instruction *step = section->add_instructions();
  step->set_name(name);
  setTensor(step->mutable_kernel()->add_operands(), from, 4);
  setTensor(step->mutable_kernel()->add_results(), to, 4);
  return step;
}
plan::Instruction *addAllReduce(plan::Section *section, const char *name, uint64_t at, uint32_t group = 0) {
  plan::Instruction *step = section->add_instructions();
  step->set_name(name);
  step->mutable_collective()->set_group(group);
  setTensor(step->mutable_collective()->mutable_operand(), at, 4);
  setTensor(step->mutable_collective()->mutable_result(), at, 4);
  return step;
}

std::string orderOf(const plan::Program &p, int64_t dp = 1) {
  llvm::Error error = checkOrder(p, dp);
  return error ? describe(std::move(error)) : "";
}

/// a -> all-reduce -> b, and c, which overwrites what the all-reduce read.
struct Sample {
  plan::Program p;
  plan::Section *section = p.add_sections();
  plan::Instruction *a = addKernel(section, "a", 0, 16), *sum = addAllReduce(section, "sum", 16),
                    *other = addKernel(section, "other", 64, 80), *b = addKernel(section, "b", 16, 32);

  Sample() {
    p.set_events(2);
    a->set_signals(1);
    sum->add_waits(0);
    sum->set_signals(2);
    b->add_waits(1);
  }
};

TEST(StepOrder, EveryWaitIsNeeded) {
  EXPECT_EQ(orderOf(Sample().p), "");
  Sample early;
  early.sum->clear_waits();
  EXPECT_NE(orderOf(early.p).find("instruction 'sum' (from ): it may run before instruction 'a'"), std::string::npos)
      << orderOf(early.p);
  Sample late;
  late.b->clear_waits();
  EXPECT_NE(orderOf(late.p).find("instruction 'b' (from ): it may run before instruction 'sum'"), std::string::npos);
}

TEST(StepOrder, MemoryThatIsUsedAgainIsOrderedToo) {
  Sample s;
  s.b->clear_waits();
  s.b->mutable_kernel()->mutable_operands(0)->set_offset(64); // reads nothing of the sum
  EXPECT_EQ(orderOf(s.p), "");
  s.b->mutable_kernel()->mutable_results(0)->set_offset(28); // but writes its last element
  EXPECT_NE(orderOf(s.p), "");
  s.b->mutable_kernel()->mutable_results(0)->set_offset(32); // workspace counts as written
  s.b->mutable_kernel()->set_workspace_offset(20);
  s.b->mutable_kernel()->set_workspace_bytes(4);
  EXPECT_NE(orderOf(s.p), "");
}

TEST(StepOrder, SlicesOfDpRanksAreToldApartOnEachRank) {
  Sample s;
  s.other->mutable_kernel()->mutable_results(0)->set_offset(0);
  s.other->mutable_kernel()->mutable_results(0)->set_dp_stride(16);
  EXPECT_EQ(orderOf(s.p, 1), "");
  EXPECT_NE(orderOf(s.p, 2), ""); // rank 1 writes where the sum lies
}

TEST(StepOrder, EventsThatMeanNothing) {
  Sample unknown, later, twice;
  unknown.b->add_waits(7);
  EXPECT_NE(orderOf(unknown.p).find("no earlier step signals"), std::string::npos);
  later.a->add_waits(1);
  EXPECT_NE(orderOf(later.p).find("no earlier step signals"), std::string::npos);
  twice.b->set_signals(1);
  EXPECT_NE(orderOf(twice.p).find("another step's"), std::string::npos);
}

/// What checkOrder says of random sections is what comparing every two steps says.
TEST(StepOrder, EveryConflictIsSeen) {
  std::mt19937 random(1);
  int refused = 0;
  for (int round = 0; round < 2000; ++round) {
    plan::Program p;
    p.set_events(8);
    plan::Section *section = p.add_sections();
    auto place = [&](plan::TensorRef *t) {
      t->set_offset(random() % 6 * 16);
      t->set_dp_stride(random() % 3 ? 0 : 32);
    };
    for (int i = 0; i < 8; ++i) {
      const bool isCollective = random() % 2;
      plan::Instruction *step = isCollective ? addAllReduce(section, "c", 0) : addKernel(section, "k", 0, 0);
      place(isCollective ? step->mutable_collective()->mutable_operand() : step->mutable_kernel()->mutable_operands(0));
      place(isCollective ? step->mutable_collective()->mutable_result() : step->mutable_kernel()->mutable_results(0));
      step->set_signals(uint32_t(i + 1));
      if (i > 0 && random() % 2) step->add_waits(uint32_t(random() % unsigned(i)));
    }
    int done[2] = {-1, -1};
    bool isOrdered = true;
    for (int i = 0; i < 8; ++i) {
      const plan::Instruction &step = section->instructions(i);
      for (uint32_t wait : step.waits())
        if (section->instructions(int(wait)).has_collective() != step.has_collective())
          done[step.has_collective()] = std::max(done[step.has_collective()], int(wait));
      for (int j = done[step.has_collective()] + 1; j < i; ++j)
        isOrdered &= section->instructions(j).has_collective() == step.has_collective() ||
                     !conflict(accessesOf(step), accessesOf(section->instructions(j)), 2);
    }
    EXPECT_EQ(orderOf(p, 2).empty(), isOrdered) << "round " << round;
    refused += !isOrdered;
  }
  EXPECT_GT(refused, 200);
  EXPECT_LT(refused, 1900);
}

/// Two tp ranks with a group of both.
struct World {
  plan::Program p[2];
  World() {
    for (plan::Program &program : p) {
      plan::Group *tp = program.add_groups(), *dp = program.add_groups();
      tp->set_axis(plan::TP);
      dp->set_axis(plan::DP);
      for (uint32_t c : {0u, 1u}) {
        tp->add_ranks(c);
        dp->add_ranks(c);
      }
      plan::Section *section = program.add_sections();
      addAllReduce(section, "first", 0);
      addAllReduce(section, "over dp", 0, 1);
      addAllReduce(section, "second", 0)->mutable_collective()->set_sequence(1);
    }
  }
  std::string check() {
    llvm::Error error = checkWorld({&p[0], &p[1]});
    return error ? describe(std::move(error)) : "";
  }
  plan::Collective *last(int c) { return p[c].mutable_sections(0)->mutable_instructions(2)->mutable_collective(); }
};

TEST(CheckWorld, AllMembersMeet) {
  World sound, missing, kind, count, dtype, own;
  EXPECT_EQ(sound.check(), "");
  own.p[1].mutable_sections(0)->mutable_instructions()->DeleteSubrange(1, 1); // over dp: every replica does the same
  EXPECT_EQ(own.check(), "");
  missing.p[1].mutable_sections(0)->mutable_instructions()->RemoveLast();
  EXPECT_NE(missing.check().find("never come"), std::string::npos) << missing.check();
  kind.last(0)->set_kind(plan::ALL_REDUCE_MAX);
  EXPECT_NE(kind.check().find("does not agree"), std::string::npos);
  count.last(1)->mutable_operand()->set_shape(0, 5);
  EXPECT_NE(count.check().find("does not agree"), std::string::npos);
  dtype.last(1)->mutable_operand()->set_dtype(uint32_t(DType::F64));
  EXPECT_NE(dtype.check().find("does not agree"), std::string::npos);
}

} // namespace
} // namespace autotp

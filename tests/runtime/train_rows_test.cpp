// The options of autotp-run: what the rows must be, and what flags set.
#include "runtime/base/error.h"
#include "runtime/options/option_values.h"
#include "runtime/train/train_options.h"
#include "runtime/train/train_rows.h"

#include "llvm/ADT/StringExtras.h"

#include <gtest/gtest.h>
#include <set>

namespace autotp {
namespace {

std::vector<const OptionRow *> rows() {
  std::vector<const OptionRow *> all;
  for (const OptionSection &section : trainSections())
    llvm::append_range(all, section.rows);
  return all;
}

using Flags = std::vector<std::pair<llvm::StringRef, const char *>>;

/// The message; "": all is right.
std::string read(const Flags &flags, TrainOptions &options) {
  std::vector<GivenFlag> given;
  for (const auto &[flag, text] : flags)
    for (const OptionRow *row : rows())
      if (row->flag == flag) given.push_back({row, text});
  EXPECT_EQ(given.size(), flags.size());
  llvm::Error error = setFlags(given, options);
  return error ? describe(std::move(error)) : "";
}

TEST(TrainRows, AreWithoutFault) {
  std::set<std::string> flags;
  for (const OptionRow *row : rows()) {
    EXPECT_EQ(llvm::join(faultsOf(*row), ", "), "") << flagText(*row);
    EXPECT_TRUE(flags.insert(flagText(*row)).second) << flagText(*row) << " is the flag of two rows";
  }
}

TEST(TrainRows, SetTheirMembers) {
  TrainOptions options;
  EXPECT_EQ(read({{"steps", "3"}, {"lr", "0.5"}, {"comm", "local"}, {"quiet", "true"}, {"log", "a"}}, options), "");
  EXPECT_EQ(options.steps, 3);
  EXPECT_EQ(options.lr, 0.5);
  EXPECT_FALSE(options.seed);
  EXPECT_EQ(options.comm, "local");
  EXPECT_TRUE(options.isQuiet);
  EXPECT_EQ(options.log, "a");
  EXPECT_EQ(read({{"seed", "0"}, {"comm", "auto"}, {"feed", ""}}, options), "");
  EXPECT_EQ(options.seed, 0);
  EXPECT_EQ(options.comm, ""); // the first that serves
  EXPECT_EQ(read({{"data", ""}}, options), "error: --data: '' is not of the form synthetic[:seed]|FILE.txt|FILE.bin");
}

TEST(TrainRows, AllThatIsWrongIsSaidAtOnce) {
  TrainOptions options;
  EXPECT_EQ(read({{"steps", "0"},
                  {"seed", "-1"},
                  {"lr", "nan"},
                  {"comm", "tcp"},
                  {"device", "tpu"},
                  {"threads", "x"},
                  {"threads", "99999999999"}},
                 options),
            "error: --steps: '0' is not 1 or more\n"
            "error: --seed: '-1' is not 0 or more\n"
            "error: --lr: 'nan' is negative, infinite or no number\n"
            "error: --comm: 'tcp' is none of auto, nccl, mpi, local\n"
            "error: --device: 'tpu' is neither cpu nor cuda\n"
            "error: --threads: 'x' is no whole number\n"
            "error: --threads: '99999999999' is not from 0 to 4096");
}

} // namespace
} // namespace autotp

// The guide's tables are the rows of the keys. UPDATE_GOLDEN=1 rewrites them.
#include "passes/options/deepspeed/guide_page.h"
#include "tests/golden/expect_golden.h"

namespace autotp::test {
namespace {

TEST(DeepSpeedGuide, IsCurrent) { expectGolden("docs/guide/deepspeed.md", deepSpeedPage()); }

} // namespace
} // namespace autotp::test

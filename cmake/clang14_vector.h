// Included before every source that clang 14 compiles. libstdc++ 12's vector is constexpr, so clang 14 instantiates it at once,
// also for the incomplete type in LLVM's JSON.h.
#include <memory>
#include <string>
#undef _GLIBCXX20_CONSTEXPR
#define _GLIBCXX20_CONSTEXPR
#define __fill_a1 __fill_a1_of_bits
#include <vector>
#undef __fill_a1
#undef _GLIBCXX20_CONSTEXPR
#define _GLIBCXX20_CONSTEXPR constexpr

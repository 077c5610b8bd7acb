/// \file Atomics: plain reads and writes, as no other thread of a device runs meanwhile.
#pragma once

#include "emulation/kernel_language.h"

namespace emulation {

template <typename T> struct Same {
  using Type = T; // keeps an argument out of deduction, so that atomicAdd(&unsignedCount, 1) compiles as on a device
};

template <typename T, typename F> T update(T *address, F next) {
  T old = *address;
  *address = next(old);
  return old;
}

} // namespace emulation

#define EMULATION_ATOMIC(name, expression)                                                                             \
  template <typename T> T name(T *address, typename emulation::Same<T>::Type value) {                                  \
    return emulation::update(address, [value](T old) { return T(expression); });                                       \
  }                                                                                                                    \
  template <typename T> T name##_block(T *address, typename emulation::Same<T>::Type value) {                          \
    return name(address, value);                                                                                       \
  }
EMULATION_ATOMIC(atomicAdd, old + value)
EMULATION_ATOMIC(atomicSub, old - value)
EMULATION_ATOMIC(atomicMax, old < value ? value : old)
EMULATION_ATOMIC(atomicMin, value < old ? value : old)
EMULATION_ATOMIC(atomicExch, (static_cast<void>(old), value))
EMULATION_ATOMIC(atomicAnd, old &value)
EMULATION_ATOMIC(atomicOr, old | value)
EMULATION_ATOMIC(atomicXor, old ^ value)
EMULATION_ATOMIC(atomicInc, old >= value ? T(0) : T(old + 1))
EMULATION_ATOMIC(atomicDec, old == 0 || old > value ? value : T(old - 1))
#undef EMULATION_ATOMIC

template <typename T>
T atomicCAS(T *address, typename emulation::Same<T>::Type compare, typename emulation::Same<T>::Type value) {
  return emulation::update(address, [=](T old) { return old == compare ? value : old; });
}

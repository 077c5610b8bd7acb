/// \file How many GPUs the emulated machine has.
#pragma once

#include "emulation/control.h"

namespace autotp::test {

/// A machine of so many GPUs, while it lives.
class Gpus {
public:
  explicit Gpus(int count) {
    emulation::Machine machine = before_;
    machine.devices = count;
    emulation::setMachine(machine);
  }
  ~Gpus() { emulation::setMachine(before_); }

private:
  const emulation::Machine before_ = emulation::machine();
};

} // namespace autotp::test

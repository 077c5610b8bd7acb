/// \file How one element of a parameter is updated, and the loss scale: one text for every device, kernels.def has the
/// formulas.
/// An Update holds a call's attributes; step() makes the numbers of one step ready, in double, of elements that decay
/// or do not; these then change a parameter and its states, given its gradient, in f32.
#pragma once

#include "runtime/base/host_device.h"
#include "runtime/device/device.h"
#include "runtime/plan/kernels/checks.h"

#include <cmath>

namespace autotp {

/// Kingma and Ba 2015; its decays: Loshchilov and Hutter 2019.
struct AdamUpdate {
  static constexpr int kStates = 2;
  double beta1, beta2, epsilon, l2, decayBefore, decayAfter, shrinkAfter;
  bool correctsRoot;

  explicit AdamUpdate(const KernelAttributes &a)
      : beta1(a.real("beta1")), beta2(a.real("beta2")), epsilon(a.real("epsilon")), l2(a.real("l2")),
        decayBefore(a.real("decay_before")), decayAfter(a.real("decay_after")), shrinkAfter(a.real("shrink_after")),
        correctsRoot(a.integer("corrects_root") != 0) {}

  struct Step {
    float beta1, beta2, epsilon, l2, keepBefore, keepAfter, size, root;
    AUTOTP_HOST_DEVICE void operator()(float &p, float g, float &m, float &v) const {
      g += l2 * p;
      m = beta1 * m + (1.0f - beta1) * g;
      v = beta2 * v + (1.0f - beta2) * g * g;
      p = (p * keepBefore - size * m / (sqrtf(v) * root + epsilon)) * keepAfter;
    }
  };

  AUTOTP_HOST_DEVICE Step step(double rate, double count, bool decays) const {
    const double first = count > 0 ? 1 - pow(beta1, count) : 1, second = count > 0 ? sqrt(1 - pow(beta2, count)) : 1;
    return {float(beta1),
            float(beta2),
            float(epsilon),
            float(decays ? l2 : 0),
            float(decays ? 1 - rate * decayBefore : 1),
            float(decays ? (1 - rate * decayAfter) * (1 - shrinkAfter) : 1),
            float(correctsRoot ? rate / first : rate * second / first),
            float(correctsRoot ? 1 / second : 1)};
  }
};

/// Duchi, Hazan and Singer 2011.
struct AdagradUpdate {
  static constexpr int kStates = 1;
  double epsilon, l2, rateDecay;

  explicit AdagradUpdate(const KernelAttributes &a)
      : epsilon(a.real("epsilon")), l2(a.real("l2")), rateDecay(a.real("rate_decay")) {}

  struct Step {
    float epsilon, l2, rate;
    AUTOTP_HOST_DEVICE void operator()(float &p, float g, float &squares) const {
      g += l2 * p;
      squares += g * g;
      p -= rate * g / (sqrtf(squares) + epsilon);
    }
  };

  AUTOTP_HOST_DEVICE Step step(double rate, double count, bool decays) const {
    return {float(epsilon), float(decays ? l2 : 0), float(rate / (1 + count * rateDecay))};
  }
};

/// Polyak 1964; Nesterov's: Sutskever, Martens, Dahl and Hinton 2013.
struct MomentumUpdate {
  static constexpr int kStates = 1;
  double momentum, beta, l2;
  bool isNesterov;

  explicit MomentumUpdate(const KernelAttributes &a)
      : momentum(a.real("momentum")), beta(a.real("beta")), l2(a.real("l2")), isNesterov(a.integer("nesterov") != 0) {}

  struct Step {
    float momentum, beta, l2, ofGradient, ofVelocity; ///< the last two are how far the parameter goes
    AUTOTP_HOST_DEVICE void operator()(float &p, float g, float &velocity) const {
      g += l2 * p;
      velocity = momentum * velocity + beta * g;
      p -= ofGradient * g + ofVelocity * velocity;
    }
  };

  AUTOTP_HOST_DEVICE Step step(double rate, double count, bool decays) const {
    return {float(momentum), float(count > 0 ? beta : 1), float(decays ? l2 : 0), float(isNesterov ? rate : 0),
            float(isNesterov ? rate * momentum : rate)};
  }
};

struct SgdUpdate {
  static constexpr int kStates = 0;
  double l2;

  explicit SgdUpdate(const KernelAttributes &a) : l2(a.real("l2")) {}

  struct Step {
    float l2, rate;
    AUTOTP_HOST_DEVICE void operator()(float &p, float g) const { p -= rate * (g + l2 * p); }
  };

  AUTOTP_HOST_DEVICE Step step(double rate, double, bool decays) const { return {float(decays ? l2 : 0), float(rate)}; }
};

/// What a LossScale kernel is told. After `window` good steps the loss scale doubles, up to kLargestLossScale, and
/// `hysteresis` overflows are left; `refills` gives them back after each good step. A step that overflows takes one of
/// those that are left; the last, which is not taken, halves the loss scale, down to `minimum`, which is at least 1.
/// `isLate`: the good step after an overflow does not count. Source: DeepSpeed's DynamicLossScaler; torch's GradScaler is
/// a hysteresis of 1.
struct LossScaleRules {
  float window, hysteresis, minimum;
  bool refills, isLate;
};

inline LossScaleRules lossScaleRules(const KernelAttributes &a) {
  const double minimum = a.real("minimum", 1);
  return {float(a.integer("window")), float(a.integer("hysteresis", 1)), minimum > 1 ? float(minimum) : 1.0f,
          a.integer("refills") != 0, a.integer("is_late") != 0};
}

/// `state`: the loss scale, good steps, skipped steps, overflows that are left.
AUTOTP_HOST_DEVICE inline void moveLossScale(float *state, bool isGood, const LossScaleRules &rules) {
  if (!isGood) {
    const float half = state[0] / 2;
    if (state[3] > 1)
      state[3] -= 1;
    else
      state[0] = half > rules.minimum ? half : rules.minimum;
    state[1] = rules.isLate ? -1.0f : 0.0f;
    state[2] += 1;
    return;
  }
  state[1] += 1;
  if (rules.refills) state[3] = rules.hysteresis;
  if (state[1] < rules.window) return;
  const float twice = state[0] * 2 < kLargestLossScale ? state[0] * 2 : kLargestLossScale;
  if (twice > state[0]) state[0] = twice; // it may have begun above
  state[1] = 0;
  state[3] = rules.hysteresis;
}

} // namespace autotp

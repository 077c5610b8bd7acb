/// \file CUDA's short vectors and dim3, with the alignment that they have on a device: a misaligned wide load is
/// undefined there, and UBSan reports it here.
#pragma once

#define EMULATION_VECTOR(scalar, base, align2, align4)                                                                 \
  struct base##1 {                                                                                                     \
    scalar x;                                                                                                          \
  };                                                                                                                   \
  struct alignas(align2) base##2 {                                                                                     \
    scalar x, y;                                                                                                       \
  };                                                                                                                   \
  struct base##3 {                                                                                                     \
    scalar x, y, z;                                                                                                    \
  };                                                                                                                   \
  struct alignas(align4) base##4 {                                                                                     \
    scalar x, y, z, w;                                                                                                 \
  };                                                                                                                   \
  constexpr base##1 make_##base##1(scalar x) { return {x}; }                                                           \
  constexpr base##2 make_##base##2(scalar x, scalar y) { return {x, y}; }                                              \
  constexpr base##3 make_##base##3(scalar x, scalar y, scalar z) { return {x, y, z}; }                                 \
  constexpr base##4 make_##base##4(scalar x, scalar y, scalar z, scalar w) { return {x, y, z, w}; }

EMULATION_VECTOR(signed char, char, 2, 4)
EMULATION_VECTOR(unsigned char, uchar, 2, 4)
EMULATION_VECTOR(short, short, 4, 8)
EMULATION_VECTOR(unsigned short, ushort, 4, 8)
EMULATION_VECTOR(int, int, 8, 16)
EMULATION_VECTOR(unsigned, uint, 8, 16)
EMULATION_VECTOR(float, float, 8, 16)
EMULATION_VECTOR(long long, longlong, 16, 16)
EMULATION_VECTOR(unsigned long long, ulonglong, 16, 16)
EMULATION_VECTOR(double, double, 16, 16)
#undef EMULATION_VECTOR

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned vx = 1, unsigned vy = 1, unsigned vz = 1) : x(vx), y(vy), z(vz) {}
  constexpr dim3(uint3 v) : x(v.x), y(v.y), z(v.z) {}
  constexpr operator uint3() const { return {x, y, z}; }
};

/// \file Kernels that the tests start, each by a function of its own.
#pragma once

#include "cuda_runtime.h"

/// out[i] = a x[i] + y[i].
cudaError_t launchSaxpy(int n, float a, const float *x, const float *y, float *out, cudaStream_t stream);
/// out[b] = sum of 64 x of block b, through a static shared array; `sync` false leaves a barrier out.
cudaError_t launchBlockSum(int blocks, const float *x, float *out, bool sync, cudaStream_t stream);
/// The same through dynamic shared memory and a template's static array.
cudaError_t launchDynamicSum(int blocks, size_t sharedBytes, const float *x, float *out, cudaStream_t stream);
const void *dynamicSumKernel();
/// Each of 64 threads: out[64 k + i] is the k-th of shuffle, xor, up, down, xor in groups of 8, ballot, any, all.
cudaError_t launchWarp(const int *x, int *out, cudaStream_t stream);
/// out[0..5] = added, greatest, least, exchanged count, compared, or-ed, by n threads.
cudaError_t launchAtomics(int n, int *out, cudaStream_t stream);
/// What a shared array holds before it is written.
cudaError_t launchReadUnwritten(unsigned *out, cudaStream_t stream);
/// Mistakes: a barrier in one branch while the others wait for lanes; a shuffle without its lane; a lane not named.
enum class Mistake { BarrierInBranch, MissingLane, LaneNotNamed, ReadsEndedLane, DifferentOperations };
cudaError_t launchMistake(Mistake mistake, int *out, cudaStream_t stream);
/// Barriers with a predicate: out[3 i ..] = count, and, or for thread i of 64.
cudaError_t launchPredicates(int *out, cudaStream_t stream);
/// out[i] = in[i] + 1, `passes` times with a barrier each, in blocks of 1024.
cudaError_t launchBarriers(int passes, float *data, cudaStream_t stream);
/// Writes one element behind the end of n.
cudaError_t launchPastEnd(int n, float *data, cudaStream_t stream);
/// Writes one element behind the end of a static shared array.
cudaError_t launchPastShared(float *out, cudaStream_t stream);
cudaError_t launchShape(dim3 grid, dim3 block, size_t sharedBytes);

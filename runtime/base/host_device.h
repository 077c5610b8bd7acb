/// \file Marks functions that kernels call as well, so that the same text runs on the host and on a GPU.
#pragma once

#ifdef __CUDACC__
#define AUTOTP_HOST_DEVICE __host__ __device__
#else
#define AUTOTP_HOST_DEVICE
#endif

#include "runtime/comm/mpi/broadcast.h"

#include "runtime/base/error.h"

#include <mpi.h>

#include <algorithm>
#include <array>

namespace autotp {

llvm::Expected<std::string> broadcastOverMpi(const std::string &text, int64_t ranks) {
  if (MPI_Init(nullptr, nullptr) != MPI_SUCCESS)
    return problem("MPI", "it does not start", "set MASTER_ADDR and MASTER_PORT on all ranks");
  int size = 0;
  std::array<char, 1025> bytes{};
  std::copy_n(text.begin(), std::min(text.size(), bytes.size() - 1), bytes.begin());
  bool isOk = MPI_Comm_size(MPI_COMM_WORLD, &size) == MPI_SUCCESS;
  isOk =
      isOk && (size != ranks || MPI_Bcast(bytes.data(), int(bytes.size()), MPI_CHAR, 0, MPI_COMM_WORLD) == MPI_SUCCESS);
  MPI_Finalize();
  if (!isOk) return problem("MPI", "a broadcast fails", "set MASTER_ADDR and MASTER_PORT on all ranks");
  if (size == ranks) return std::string(bytes.data());
  return problem("MPI", llvm::formatv("the launcher started {0} ranks, but MPI sees {1}", ranks, size).str(),
                 "use the launcher of the MPI that autotp was built with, or set MASTER_ADDR and MASTER_PORT");
}

} // namespace autotp

#include "runtime/comm/mpi/broadcast.h"

#include "runtime/base/error.h"

#include <mpi.h>

#include <algorithm>
#include <array>
#include <numeric>

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

llvm::Expected<std::vector<std::string>> gatherOverMpi(const std::string &text) {
  int size = 0, own = int(text.size());
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  std::vector<int> sizes(size_t(size), 0), begins(size_t(size) + 1, 0);
  bool isOk = MPI_Allgather(&own, 1, MPI_INT, sizes.data(), 1, MPI_INT, MPI_COMM_WORLD) == MPI_SUCCESS;
  std::partial_sum(sizes.begin(), sizes.end(), begins.begin() + 1);
  std::string all(size_t(begins.back()), '\0');
  isOk = isOk && MPI_Allgatherv(text.data(), own, MPI_CHAR, all.data(), sizes.data(), begins.data(), MPI_CHAR,
                                MPI_COMM_WORLD) == MPI_SUCCESS;
  if (!isOk) return problem("MPI", "a gather fails", "see what the other ranks say");
  std::vector<std::string> texts;
  for (size_t r = 0; r < sizes.size(); ++r)
    texts.push_back(all.substr(size_t(begins[r]), size_t(sizes[r])));
  return texts;
}

} // namespace autotp

/// \file Ranks as forks of a test, in the environment that torchrun gives.
#pragma once

#include "runtime/base/error.h"
#include "runtime/comm/communicator.h"
#include "runtime/comm/launch/launch.h"
#include "runtime/comm/launch/socket.h"

#include <gtest/gtest.h>

#include <csignal>
#include <functional>
#include <map>
#include <sys/wait.h>
#include <unistd.h>

namespace autotp {

/// How a rank's process ended.
enum Ending { Fine = 0, Failed = 1, Says = 2, Killed = 128 + SIGKILL };

using JoinRanks = std::function<llvm::Expected<std::unique_ptr<Communicator>>(const Launch &, Variable)>;

/// Calls body(communicator), which returns an Ending, as the rank that this process is.
template <typename Body> int asRank(int rank, int size, uint16_t port, const JoinRanks &join, Body body) {
  const std::map<std::string, std::string> environment = {{"RANK", std::to_string(rank)},
                                                          {"WORLD_SIZE", std::to_string(size)},
                                                          {"LOCAL_WORLD_SIZE", std::to_string(size)},
                                                          {"MASTER_ADDR", "127.0.0.1"},
                                                          {"MASTER_PORT", std::to_string(port)}};
  auto variable = [&](const char *name) {
    auto at = environment.find(name);
    return at == environment.end() ? nullptr : at->second.c_str();
  };
  auto launch = readLaunch(variable);
  if (!launch || !*launch || (*launch)->ranksOnHost != size) return Failed;
  auto comm = join(**launch, variable);
  if (!comm) {
    ADD_FAILURE() << describe(comm.takeError());
    return Failed;
  }
  const int ending = body(**comm);
  return testing::Test::HasFailure() ? int(Failed) : ending;
}

/// The endings of all ranks, of which each is a process.
template <typename Body> std::vector<int> endingsOfRanks(int size, const JoinRanks &join, Body body) {
  const uint16_t port = portOf(llvm::cantFail(listenOn(0)));
  std::vector<pid_t> children;
  for (int r = 0; r < size; ++r) {
    children.push_back(::fork());
    if (children.back() == 0) ::_exit(asRank(r, size, port, join, body));
  }
  std::vector<int> endings;
  for (pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    endings.push_back(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  }
  return endings;
}

} // namespace autotp

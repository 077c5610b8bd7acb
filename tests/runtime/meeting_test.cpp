/// \file Ranks as processes meet as each launcher's environment says; nothing is waited for without a limit.
#include "runtime/base/error.h"
#include "runtime/comm/launch/meeting_point.h"
#include "runtime/comm/launch/node_list.h"
#include "runtime/comm/launch/socket.h"
#include "runtime/comm/launch/store.h"

#include "llvm/ADT/StringExtras.h"

#include <array>
#include <chrono>
#include <gtest/gtest.h>
#include <map>
#include <sys/wait.h>
#include <unistd.h>

namespace autotp {
namespace {

using namespace std::chrono_literals;
using Environment = std::map<std::string, std::string>;

std::string namesOf(const std::string &list) {
  auto names = readNodeList(list);
  return names ? llvm::join(*names, " ") : describe(names.takeError());
}

TEST(NodeList, Names) {
  EXPECT_EQ(namesOf("node1"), "node1");
  EXPECT_EQ(namesOf("node[01-03,07],gpu5"), "node01 node02 node03 node07 gpu5");
  EXPECT_EQ(namesOf("a,b-2,c.d"), "a b-2 c.d");
  EXPECT_EQ(namesOf("n[8-11]"), "n8 n9 n10 n11");
  EXPECT_EQ(namesOf("n[098-101]"), "n098 n099 n100 n101");
  EXPECT_EQ(namesOf("rack[0-1]n[2,4-5]-ib"), "rack0n2-ib rack0n4-ib rack0n5-ib rack1n2-ib rack1n4-ib rack1n5-ib");
  EXPECT_EQ(namesOf("[1-2]"), "1 2");
  EXPECT_EQ(llvm::cantFail(readNodeList("n[1-65536]")).size(), 65536u);
}

TEST(NodeList, MistakesAreNamedWithTheirPlace) {
  const std::pair<const char *, const char *> kCases[] = {
      {"", "a name is empty, at its character 1"},
      {"a,,b", "a name is empty, at its character 3"},
      {"a,", "a name is empty, at its character 3"},
      {"n[1-2", "a bracket does not close, at its character 6"},
      {"n1]", "a bracket closes that was not opened, at its character 3"},
      {"n[]", "a range is none, at its character 3"},
      {"n[3-1]", "a range is none"},
      {"n[1-]", "a range is none"},
      {"n[x]", "a range is none"},
      {"n[1[2]]", "a bracket does not close"},
      {"n[99999999999999999999]", "a range is none"},
      {"n[1-65537]", "more than 65536 names"},
      {"n[1-40000],m[1-40000]", "more than 65536 names"},
      {"a[1-1000]b[1-1000]c[1-1000]", "more than 65536 names"},
  };
  for (const auto &[list, mistake] : kCases)
    EXPECT_NE(namesOf(list).find(mistake), std::string::npos) << list << ": " << namesOf(list);
  EXPECT_NE(namesOf("n[1-2").find("error: list of nodes 'n[1-2': "), std::string::npos);
  EXPECT_NE(namesOf(std::string(2000, 'n')).find("longer than 1024 characters"), std::string::npos);
}

llvm::Expected<MeetingPoint> pointOf(const Environment &environment) {
  auto variable = [&](const char *name) {
    auto at = environment.find(name);
    return at == environment.end() ? nullptr : at->second.c_str();
  };
  auto launch = readLaunch(variable);
  return findMeetingPoint(**launch, variable);
}

Environment torchrun(int rank, int size, uint16_t port) {
  return {{"RANK", std::to_string(rank)},
          {"WORLD_SIZE", std::to_string(size)},
          {"MASTER_ADDR", "127.0.0.1"},
          {"MASTER_PORT", std::to_string(port)},
          {"TORCHELASTIC_RUN_ID", "none"},
          {"TORCHELASTIC_RESTART_COUNT", "2"},
          {"TORCHELASTIC_USE_AGENT_STORE", "False"}};
}

const Environment kSlurm = {
    {"SLURM_PROCID", "1"},  {"SLURM_STEP_NUM_TASKS", "4"},       {"SLURM_JOB_ID", "123456"},
    {"SLURM_STEP_ID", "3"}, {"SLURM_STEP_NODELIST", "n[07-08]"}, {"SLURM_JOB_NODELIST", "n[01-08]"}};

TEST(MeetingPoint, OfTorchrun) {
  Environment environment = torchrun(1, 2, 29500);
  MeetingPoint served = llvm::cantFail(pointOf(environment));
  EXPECT_EQ(served.host, "127.0.0.1");
  EXPECT_EQ(served.port, 29500);
  EXPECT_FALSE(served.isLaunchers);
  EXPECT_EQ(served.prefix, "autotp/none/2/");
  environment["TORCHELASTIC_USE_AGENT_STORE"] = "True";
  environment["TORCHELASTIC_RESTART_COUNT"] = "3";
  MeetingPoint again = llvm::cantFail(pointOf(environment));
  EXPECT_TRUE(again.isLaunchers);
  EXPECT_EQ(again.prefix, "autotp/none/3/") << "keys of the ranks before the restart are in the same store";
  environment.erase("MASTER_ADDR");
  auto none = pointOf(environment);
  ASSERT_FALSE(bool(none));
  EXPECT_NE(describe(none.takeError()).find("MASTER_ADDR and MASTER_PORT are not both set"), std::string::npos);
}

TEST(MeetingPoint, OfSlurm) {
  MeetingPoint point = llvm::cantFail(pointOf(kSlurm));
  EXPECT_EQ(point.host, "n07");
  EXPECT_EQ(point.port, 20000 + (123456 * 31 + 3) % 10000);
  EXPECT_FALSE(point.isLaunchers);
  Environment other = kSlurm;
  other["SLURM_STEP_ID"] = "4";
  EXPECT_NE(llvm::cantFail(pointOf(other)).port, point.port);
  other["MASTER_PORT"] = "29501";
  EXPECT_EQ(llvm::cantFail(pointOf(other)).port, 29501);
  other.erase("SLURM_STEP_NODELIST");
  EXPECT_EQ(llvm::cantFail(pointOf(other)).host, "n01");
  other["MASTER_ADDR"] = "elsewhere";
  EXPECT_EQ(llvm::cantFail(pointOf(other)).host, "elsewhere");
}

TEST(MeetingPoint, WhatIsNoneIsAnError) {
  for (const auto &[name, value] : Environment{{"MASTER_PORT", "http"},
                                               {"MASTER_PORT", "65536"},
                                               {"SLURM_JOB_ID", ""},
                                               {"SLURM_STEP_ID", "-1"},
                                               {"SLURM_STEP_NODELIST", "n[1"}}) {
    Environment environment = kSlurm;
    environment[name] = value;
    auto point = pointOf(environment);
    ASSERT_FALSE(bool(point)) << name;
    EXPECT_NE(describe(point.takeError()).find(value), std::string::npos) << name;
  }
}

TEST(MeetingPoint, OfMpirun) {
  Environment environment = {{"OMPI_COMM_WORLD_RANK", "1"}, {"OMPI_COMM_WORLD_SIZE", "2"}};
  EXPECT_EQ(llvm::cantFail(pointOf(environment)).host, "") << "MPI tells it";
  environment["MASTER_ADDR"] = "h";
  environment["MASTER_PORT"] = "1234";
  EXPECT_EQ(llvm::cantFail(pointOf(environment)).host, "h");
}

/// meeting_rank in this environment alone; its output is read at the end.
class Process {
public:
  Process(const Environment &environment, const std::string &limit) {
    std::vector<std::string> texts;
    for (const auto &[name, value] : environment)
      texts.push_back(name + "=" + value);
    std::vector<char *> variables;
    for (std::string &text : texts)
      variables.push_back(text.data());
    variables.push_back(nullptr);
    std::string program = AUTOTP_BINARY_DIR "/bin/meeting_rank", argument = limit;
    char *arguments[] = {program.data(), argument.data(), nullptr};
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    child_ = ::fork();
    if (child_ == 0) {
      ::dup2(ends[1], STDOUT_FILENO);
      ::close(ends[0]);
      ::close(ends[1]);
      ::execve(program.c_str(), arguments, variables.data());
      ::_exit(127);
    }
    ::close(ends[1]);
    output_ = ends[0];
  }

  struct Ended {
    int code = -1;
    std::string said;
  };
  Ended end() {
    Ended ended;
    std::array<char, 4096> bytes;
    for (ssize_t got; (got = ::read(output_, bytes.data(), bytes.size())) > 0;)
      ended.said.append(bytes.data(), size_t(got));
    ::close(output_);
    int status = 0;
    ::waitpid(child_, &status, 0);
    if (WIFEXITED(status)) ended.code = WEXITSTATUS(status);
    return ended;
  }

private:
  pid_t child_ = -1;
  int output_ = -1;
};

uint16_t freePort() { return portOf(llvm::cantFail(listenOn(0))); }

void expectAllMeet(const std::vector<Environment> &ranks) {
  std::vector<Process> processes;
  for (const Environment &environment : ranks)
    processes.emplace_back(environment, "20000");
  std::string lines;
  for (size_t r = 0; r < ranks.size(); ++r)
    lines += (r ? ", line of " : "line of ") + std::to_string(r);
  for (size_t r = 0; r < ranks.size(); ++r) {
    Process::Ended ended = processes[r].end();
    EXPECT_EQ(ended.code, 0) << "rank " << r;
    EXPECT_EQ(ended.said, "rank " + std::to_string(r) + ": " + lines + "; word\\x00\n");
  }
}

TEST(Meeting, ProcessesUnderTorchrunWhereRank0Serves) {
  const uint16_t port = freePort();
  std::vector<Environment> ranks;
  for (int r = 0; r < 5; ++r)
    ranks.push_back(torchrun(r, 5, port));
  expectAllMeet(ranks);
}

TEST(Meeting, ProcessesUnderTorchrunThatServesItself) {
  auto store = llvm::cantFail(serveStore(0, 1s));
  for (const char *restart : {"0", "1"}) { // and again in the same store
    std::vector<Environment> ranks;
    for (int r = 0; r < 3; ++r) {
      ranks.push_back(torchrun(r, 3, store->port()));
      ranks.back()["TORCHELASTIC_USE_AGENT_STORE"] = "True";
      ranks.back()["TORCHELASTIC_RESTART_COUNT"] = restart;
    }
    expectAllMeet(ranks);
  }
}

TEST(Meeting, ProcessesUnderSlurm) {
  char host[256] = {};
  ASSERT_EQ(::gethostname(host, sizeof host - 1), 0);
  const uint16_t port = freePort();
  std::vector<Environment> ranks;
  for (int r = 0; r < 4; ++r) {
    ranks.push_back(kSlurm);
    ranks.back()["SLURM_PROCID"] = std::to_string(r);
    ranks.back()["SLURM_STEP_NODELIST"] = std::string(host) + ",not-reached[1-3]";
    ranks.back()["MASTER_PORT"] = std::to_string(port);
  }
  expectAllMeet(ranks);
}

TEST(Meeting, AStoreThatNobodyServes) {
  const uint16_t port = freePort();
  const auto start = std::chrono::steady_clock::now();
  Process::Ended ended = Process(torchrun(1, 2, port), "300").end();
  EXPECT_EQ(ended.code, 1);
  EXPECT_NE(
      ended.said.find("error: store at 127.0.0.1:" + std::to_string(port) + ": nobody listens there within 300 ms"),
      std::string::npos)
      << ended.said;
  EXPECT_LT(std::chrono::steady_clock::now() - start, 10s);
}

TEST(Meeting, RanksThatDoNotComeAreNamed) {
  const uint16_t port = freePort();
  Process one(torchrun(1, 4, port), "20000");
  Process::Ended zero = Process(torchrun(0, 4, port), "1500").end(), other = one.end();
  EXPECT_EQ(zero.code, 1);
  EXPECT_NE(zero.said.find("of 4 ranks these have not come within 1500 ms: 2, 3"), std::string::npos) << zero.said;
  EXPECT_EQ(other.code, 1);
  EXPECT_EQ(other.said, "error: another rank has failed, and says why\n"); // which a command does not print
}

TEST(Meeting, APortThatIsTaken) {
  Socket taken = llvm::cantFail(listenOn(0));
  Process::Ended ended = Process(torchrun(0, 2, portOf(taken)), "300").end();
  EXPECT_EQ(ended.code, 1);
  EXPECT_NE(ended.said.find("port " + std::to_string(portOf(taken)) + " cannot be had"), std::string::npos);
}

} // namespace
} // namespace autotp

/// \file Ranks meet in a store over loopback, and nobody waits for ever for one that is broken.
#include "runtime/base/error.h"
#include "runtime/comm/launch/socket.h"
#include "runtime/comm/launch/store.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <thread>

namespace autotp {
namespace {

using namespace std::chrono_literals;

std::unique_ptr<IdExchange> join(uint16_t port, std::string prefix = "run/") {
  return llvm::cantFail(connectToStore("127.0.0.1", port, std::move(prefix), 2s));
}

TEST(Store, SetLookAndWait) {
  auto server = llvm::cantFail(serveStore(0, 1s));
  auto one = join(server->port()), two = join(server->port()), other = join(server->port(), "other/");
  EXPECT_FALSE(llvm::cantFail(one->look("id")));
  const std::string bytes("a\0b", 3), large(100000, 'x');
  std::thread later([&] {
    std::this_thread::sleep_for(30ms);
    llvm::cantFail(one->set("id", bytes));
    llvm::cantFail(one->set("large", large));
    llvm::cantFail(one->set("empty", ""));
  });
  EXPECT_EQ(llvm::cantFail(two->get("id", 5s)), bytes);
  EXPECT_EQ(llvm::cantFail(two->get("large", 5s)), large);
  EXPECT_EQ(llvm::cantFail(two->get("empty", 5s)), "");
  later.join();
  EXPECT_FALSE(llvm::cantFail(other->look("id"))) << "another run's";
  auto never = two->get("never", 50ms);
  ASSERT_FALSE(bool(never));
  EXPECT_NE(describe(never.takeError()).find("nobody has set 'never' within 50 ms"), std::string::npos);
}

TEST(Store, NobodyListens) {
  uint16_t port = 0;
  {
    Socket once = llvm::cantFail(listenOn(0));
    port = portOf(once);
  }
  const auto start = std::chrono::steady_clock::now();
  auto store = connectToStore("127.0.0.1", port, "", 200ms);
  ASSERT_FALSE(bool(store));
  EXPECT_NE(describe(store.takeError()).find("nobody listens there within 200 ms"), std::string::npos);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 2s);
}

/// What a client says of a server that answers these bytes, and then closes.
std::string complaintAbout(const std::string &answer) {
  Socket listening = llvm::cantFail(listenOn(0));
  std::thread server([&] {
    pollfd asked{listening.descriptor(), POLLIN, 0};
    ::poll(&asked, 1, 5000);
    Socket client(::accept(listening.descriptor(), nullptr, nullptr));
    char hello[5 + 1 + 8 + 8 + 5]; // and a CHECK of "run/k"
    EXPECT_TRUE(client.receive(hello, sizeof hello, 5s));
    EXPECT_TRUE(client.send(answer, 1s));
    ::shutdown(client.descriptor(), SHUT_WR);
    char rest[13];
    (void)client.receive(rest, sizeof rest, 1s);
  });
  std::string text;
  {
    auto store = join(portOf(listening));
    auto value = store->look("k");
    text = value ? "no complaint" : describe(value.takeError());
  }
  server.join();
  return text;
}

TEST(Store, BrokenAnswers) {
  auto sized = [](uint64_t size) { return std::string(reinterpret_cast<const char *>(&size), sizeof size); };
  const std::string isThere(1, '\0');
  EXPECT_NE(complaintAbout("").find("does not answer"), std::string::npos);
  EXPECT_NE(complaintAbout("H").find("something else"), std::string::npos);
  EXPECT_NE(complaintAbout(isThere + sized(8).substr(3)).find("does not answer"), std::string::npos);
  EXPECT_NE(complaintAbout(isThere + sized(8) + "half").find("in the middle"), std::string::npos);
  EXPECT_NE(complaintAbout(isThere + sized(uint64_t(1) << 60)).find("1152921504606846976 bytes"), std::string::npos);
}

TEST(Store, WhoLeavesWithoutAWordHasFailed) {
  auto server = llvm::cantFail(serveStore(0, 1s, "run/"));
  auto watcher = join(server->port()), other = join(server->port(), "other/"), silent = join(server->port());
  llvm::cantFail(other->set("k", "v"));
  other.reset();  // of another run
  silent.reset(); // no rank: it has set nothing but that it leaves
  {
    auto rank = join(server->port());
    llvm::cantFail(rank->set("line", "v")); // and leaves in order
  }
  std::this_thread::sleep_for(100ms);
  EXPECT_FALSE(llvm::cantFail(watcher->look(kFailedKey)));
  {
    Socket killed = llvm::cantFail(connectTo("127.0.0.1", server->port(), 2s));
    EXPECT_TRUE(killed.send(std::string("\1\5\0\0\0\0\0\0\0run/k\0\0\0\0\0\0\0\0", 22), 1s));
    EXPECT_EQ(llvm::cantFail(watcher->get("k", 5s)), "");
  }
  EXPECT_EQ(llvm::cantFail(watcher->get(kFailedKey, 5s)), kNoWord);
}

TEST(Store, AServerOutlivesBrokenClients) {
  auto server = llvm::cantFail(serveStore(0, 1s));
  for (const std::string &bytes : {std::string("\x01\xff\xff\xff\xff\xff\xff\xff\xff", 9), std::string("\x63", 1),
                                   std::string("\0\1\2\3\4", 5), std::string("\1\2\0", 3)}) {
    Socket socket = llvm::cantFail(connectTo("127.0.0.1", server->port(), 2s));
    EXPECT_TRUE(socket.send(bytes, 1s));
  }
  auto store = join(server->port());
  llvm::cantFail(store->set("k", "v"));
  EXPECT_EQ(llvm::cantFail(store->get("k", 5s)), "v");
}

} // namespace
} // namespace autotp

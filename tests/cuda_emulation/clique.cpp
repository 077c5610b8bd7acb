// When the parts of a communicator's ranks meet, and what they then do.
#include "tests/cuda_emulation/clique.h"

#include "tests/cuda_emulation/reduction.h"

#include <algorithm>
#include <cstring>
#include <set>

namespace emulation {
namespace {

/// Copies of what every rank sends, taken before anything is written: calls of one group run at the same time.
using Staged = std::vector<std::vector<std::byte>>;

std::vector<const std::byte *> startsOf(const Staged &staged, size_t offset) {
  std::vector<const std::byte *> starts;
  for (const auto &bytes : staged)
    starts.push_back(bytes.data() + offset);
  return starts;
}

void receive(const Request &request, int rank, const Staged &staged) {
  size_t bytes = request.count * bytesOf(request.type);
  switch (request.operation) {
  case Operation::AllReduce:
    return combine(startsOf(staged, 0), request.recv, request.count, request.type, request.reduction);
  case Operation::ReduceScatter:
    return combine(startsOf(staged, rank * bytes), request.recv, request.count, request.type, request.reduction);
  case Operation::AllGather:
    for (size_t from = 0; from < staged.size(); ++from)
      std::memcpy(request.recv + from * bytes, staged[from].data(), bytes);
    return;
  case Operation::Broadcast:
    std::memcpy(request.recv, staged[request.root].data(), bytes);
    return;
  case Operation::Reduce:
    if (rank == request.root)
      combine(startsOf(staged, 0), request.recv, request.count, request.type, request.reduction);
    return;
  case Operation::Send:
  case Operation::Recv:
    return;
  }
}

std::vector<std::byte> stage(const Request &request, int ranks) {
  size_t bytes = request.send ? sentBytes(request, ranks) : 0;
  return {request.send, request.send + bytes};
}

std::vector<Request> collectivesOf(const RankPart &part) {
  std::vector<Request> found;
  std::copy_if(part.requests().begin(), part.requests().end(), std::back_inserter(found),
               [](const Request &request) { return !isPointToPoint(request.operation); });
  return found;
}

/// Messages of `part` to or from `peer`, in order.
std::vector<Request> messagesOf(const RankPart &part, Operation operation, int peer) {
  std::vector<Request> found;
  std::copy_if(part.requests().begin(), part.requests().end(), std::back_inserter(found),
               [=](const Request &request) { return request.operation == operation && request.root == peer; });
  return found;
}

std::string differ(int rank, const std::string &what, int other, const std::string &instead) {
  return "ranks of a collective differ: rank " + std::to_string(rank) + " calls " + what + ", rank " +
         std::to_string(other) + " " + instead;
}

bool overlaps(const void *a, size_t aBytes, const void *b, size_t bBytes) {
  auto x = reinterpret_cast<uintptr_t>(a), y = reinterpret_cast<uintptr_t>(b);
  return x < y + bBytes && y < x + aBytes;
}

/// In place means one certain address for each operation; any other overlap is an error.
bool breaksInPlaceRule(const Request &request, int rank, int ranks) {
  if (isPointToPoint(request.operation) || !request.send || !request.recv) return false;
  if (request.operation == Operation::Reduce && rank != request.root) return false;
  size_t part = rank * request.count * bytesOf(request.type);
  const std::byte *allowed = request.send;
  if (request.operation == Operation::ReduceScatter) allowed = request.send + part;
  bool inPlace =
      request.operation == Operation::AllGather ? request.send == request.recv + part : request.recv == allowed;
  return !inPlace &&
         overlaps(request.send, sentBytes(request, ranks), request.recv, receivedBytes(request, ranks, rank));
}

std::string collectiveMismatch(const std::map<int, RankPart *> &parts) {
  auto &[firstRank, firstPart] = *parts.begin();
  std::vector<Request> expected = collectivesOf(*firstPart);
  for (auto &[rank, part] : parts) {
    std::vector<Request> calls = collectivesOf(*part);
    for (size_t i = 0; i < std::max(calls.size(), expected.size()); ++i) {
      std::string a = i < expected.size() ? textOf(expected[i]) : "nothing";
      std::string b = i < calls.size() ? textOf(calls[i]) : "nothing";
      if (a != b) return differ(firstRank, a, rank, b);
    }
  }
  return {};
}

std::string messageMismatch(const std::map<int, RankPart *> &parts) {
  for (auto &[from, sender] : parts)
    for (auto &[to, receiver] : parts) {
      std::vector<Request> sent = messagesOf(*sender, Operation::Send, to);
      std::vector<Request> expected = messagesOf(*receiver, Operation::Recv, from);
      for (size_t i = 0; i < std::max(sent.size(), expected.size()); ++i) {
        std::string a = i < sent.size() ? textOf(sent[i]) : "no such send";
        std::string b = i < expected.size() ? textOf(expected[i]) : "no such receive";
        bool same = i < sent.size() && i < expected.size() && sent[i].count == expected[i].count &&
                    sent[i].type == expected[i].type;
        if (!same) return differ(from, a, to, b);
      }
    }
  return {};
}

} // namespace

bool isPointToPoint(Operation operation) { return operation == Operation::Send || operation == Operation::Recv; }

size_t sentBytes(const Request &request, int ranks) {
  size_t bytes = request.count * bytesOf(request.type);
  return request.operation == Operation::ReduceScatter ? bytes * ranks : bytes;
}

size_t receivedBytes(const Request &request, int ranks, int rank) {
  size_t bytes = request.count * bytesOf(request.type);
  if (request.operation == Operation::AllGather) return bytes * ranks;
  bool nothing =
      request.operation == Operation::Send || (request.operation == Operation::Reduce && rank != request.root);
  return nothing ? 0 : bytes;
}

std::string textOf(const Request &request) {
  static constexpr const char *kNames[] = {"ncclAllReduce", "ncclReduceScatter", "ncclAllGather", "ncclBroadcast",
                                           "ncclReduce",    "ncclSend",          "ncclRecv"};
  auto operation = request.operation;
  bool reduces =
      operation == Operation::AllReduce || operation == Operation::ReduceScatter || operation == Operation::Reduce;
  std::string text = kNames[int(operation)];
  text += "(count " + std::to_string(request.count) + ", type " + std::to_string(request.type);
  if (reduces) text += ", reduction " + std::to_string(request.reduction);
  if (operation == Operation::Broadcast || operation == Operation::Reduce)
    text += ", root " + std::to_string(request.root);
  if (isPointToPoint(operation)) text += ", peer " + std::to_string(request.root);
  return text + ")";
}

std::string mismatch(const std::map<int, RankPart *> &parts, int ranks) {
  std::string text = collectiveMismatch(parts);
  if (text.empty()) text = messageMismatch(parts);
  if (!text.empty()) return text;
  for (auto &[rank, part] : parts)
    for (const Request &request : part->requests())
      if (breaksInPlaceRule(request, rank, ranks))
        return "buffers of " + textOf(request) + " of rank " + std::to_string(rank) + " overlap and are not in place";
  return {};
}

RankPart::~RankPart() { std::erase(clique_->issued[rank_], this); }

std::shared_ptr<Collective> RankPart::issue() const {
  auto part = std::make_shared<RankPart>(clique_, rank_, requests_);
  clique_->issued[rank_].push_back(part.get());
  clique_->owners[rank_] = std::this_thread::get_id();
  return part;
}

bool RankPart::members(std::map<int, RankPart *> &parts, std::vector<int> *absent) const {
  std::set<int> wanted = {rank_};
  bool complete = true;
  for (bool grown = true; grown;) {
    grown = false;
    for (int rank : std::set<int>(wanted)) {
      if (parts.count(rank)) continue;
      const auto &issued = clique_->issued[rank];
      bool isThere = !issued.empty() && issued.front()->atHead;
      if (issued.empty() && absent) absent->push_back(rank);
      parts[rank] = isThere ? issued.front() : nullptr;
      grown = true;
      complete &= isThere;
      if (!isThere) continue;
      for (const Request &request : issued.front()->requests_) {
        if (isPointToPoint(request.operation))
          wanted.insert(request.root);
        else
          for (int other = 0; other < clique_->size(); ++other)
            wanted.insert(other);
      }
    }
  }
  return complete;
}

std::vector<Collective *> RankPart::together(std::string &failure) {
  if (clique_->issued[rank_].front() != this) return {}; // what this rank issued before goes first
  if (clique_->aborted[rank_]) return {this};
  std::map<int, RankPart *> parts;
  if (!members(parts, nullptr)) return {};
  failure = mismatch(parts, clique_->size());
  std::vector<Collective *> all;
  for (auto &[rank, part] : parts)
    all.push_back(part);
  return all;
}

void RankPart::run(const std::vector<Collective *> &all) {
  std::map<int, RankPart *> parts;
  for (Collective *part : all)
    parts[static_cast<RankPart *>(part)->rank_] = static_cast<RankPart *>(part);
  for (auto &[rank, part] : parts)
    clique_->issued[rank].pop_front();
  if (clique_->aborted[rank_]) return;
  int ranks = clique_->size();
  std::vector<Staged> staged(collectivesOf(*this).size()); // by call, then by rank
  for (size_t i = 0; i < staged.size(); ++i)
    for (auto &[rank, part] : parts)
      staged[i].push_back(stage(collectivesOf(*part)[i], ranks));
  struct Message {
    std::byte *to;
    std::vector<std::byte> bytes;
  };
  std::vector<Message> messages;
  for (auto &[from, sender] : parts)
    for (auto &[to, receiver] : parts) {
      std::vector<Request> sent = messagesOf(*sender, Operation::Send, to);
      std::vector<Request> received = messagesOf(*receiver, Operation::Recv, from);
      for (size_t i = 0; i < sent.size(); ++i)
        messages.push_back({received[i].recv, stage(sent[i], ranks)});
    }
  for (size_t i = 0; i < staged.size(); ++i)
    for (auto &[rank, part] : parts)
      receive(collectivesOf(*part)[i], rank, staged[i]);
  for (const Message &message : messages)
    std::memcpy(message.to, message.bytes.data(), message.bytes.size());
}

std::vector<std::thread::id> RankPart::awaited() const {
  std::map<int, RankPart *> parts;
  std::vector<int> absent;
  members(parts, &absent);
  std::vector<std::thread::id> threads;
  for (int rank : absent)
    threads.push_back(clique_->owners[rank]);
  return threads;
}

std::string RankPart::describe() const {
  std::map<int, RankPart *> parts;
  std::vector<int> absent;
  members(parts, &absent);
  std::string text = "rank " + std::to_string(rank_) + " waits in " + textOf(requests_.front());
  for (int rank : absent)
    text += "; rank " + std::to_string(rank) + " has issued nothing";
  return text;
}

} // namespace emulation

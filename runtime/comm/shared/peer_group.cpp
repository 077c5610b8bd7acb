#include "runtime/comm/shared/peer_group.h"

#include <algorithm>
#include <numeric>

namespace autotp {

llvm::Expected<std::unique_ptr<PeerGroup>> PeerGroup::join(World &world, const std::vector<int> &ranks, int rank,
                                                           Device &device) {
  llvm::Expected<EventId> ready = device.makeEvent(), done = device.makeEvent();
  if (!ready || !done) return llvm::joinErrors(ready.takeError(), done.takeError());
  llvm::Expected<SharedGroup> shared = world.group(ranks);
  if (!shared) return shared.takeError();
  const size_t member = size_t(std::ranges::find(ranks, rank) - ranks.begin());
  return std::unique_ptr<PeerGroup>(new PeerGroup(world, *shared, member, {0, 0, &device, *ready, *done}));
}

PeerGroup::PeerGroup(World &world, SharedGroup shared, size_t member, Shown own)
    : world_(world), shared_(shared), me_(member), own_(own), members_(size()), ins_(size()), outs_(size()),
      parts_(size()) {}

bool PeerGroup::allReduce(const void *in, void *out, int64_t elements, DType dtype, Reduce reduce) {
  if (!show(in, out)) return false;
  const int64_t members = int64_t(size()), begin = elements * int64_t(me_) / members,
                end = elements * int64_t(me_ + 1) / members;
  // no other member touches this part of an operand
  own_.device->combine({ins_, outs_, begin, end, 0, dtype, reduce});
  return finish();
}

bool PeerGroup::reduceScatter(const void *in, void *out, std::span<const int64_t> counts, DType dtype) {
  if (!show(in, nullptr)) return false;
  const int64_t begin = std::accumulate(counts.begin(), counts.begin() + long(me_), int64_t(0));
  own_.device->combine({ins_, std::span<void *const>(&out, 1), begin, begin + counts[me_], begin, dtype, Reduce::Sum});
  return finish();
}

bool PeerGroup::allGather(const void *in, void *out, std::span<const int64_t> counts, DType dtype) {
  char *to = static_cast<char *>(out);
  for (size_t m = 0; m < counts.size(); to += size_t(counts[m++]) * sizeOf(dtype))
    parts_[m] = to;
  return gather(in, parts_, counts, dtype);
}

bool PeerGroup::gather(const void *in, std::span<void *const> parts, std::span<const int64_t> counts, DType dtype) {
  if (!show(in, nullptr)) return false;
  for (size_t m = 0; m < counts.size(); ++m)
    if (parts[m] != ins_[m] && counts[m] > 0)
      own_.device->combine(
          {std::span<const void *const>(&ins_[m], 1), parts.subspan(m, 1), 0, counts[m], 0, dtype, Reduce::Sum});
  return finish();
}

/// Shared data is written before the barrier and copied after it. A member may be in the next operation before this one
/// has looked at all others, and may have joined these ranks more than once.
bool PeerGroup::show(const void *in, void *out) {
  own_.in = world_.place(in);
  own_.out = world_.place(out);
  own_.device->record(Stream::Communication, own_.ready);
  shared_.members[me_] = own_;
  if (!world_.wait(shared_)) return false;
  for (size_t m = 0; m < size(); ++m) {
    members_[m] = shared_.members[m];
    ins_[m] = world_.addressOf(members_[m].in);
    outs_[m] = world_.addressOf(members_[m].out);
  }
  waitForDevices(&Shown::ready);
  return true;
}

bool PeerGroup::finish() {
  own_.device->record(Stream::Communication, own_.done);
  if (!world_.wait(shared_)) return false;
  waitForDevices(&Shown::done);
  return true;
}

/// Processes share the memory of the host alone, and the host device has no events.
void PeerGroup::waitForDevices(EventId Shown::*event) {
  for (size_t m = 0; world_.hasThreads() && m < size(); ++m)
    if (m != me_) own_.device->waitFor(Stream::Communication, *members_[m].device, members_[m].*event);
}

} // namespace autotp

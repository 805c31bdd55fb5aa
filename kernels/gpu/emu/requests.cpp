#include "kernels/gpu/emu/requests.h"

#include <algorithm>
#include <array>

namespace atrous::gpu::emu {

GlobalCounters global_request(const LaneAccess* lanes, size_t count) {
    std::array<LaneAccess, 32> sorted;
    std::copy(lanes, lanes + count, sorted.begin());
    std::sort(sorted.begin(), sorted.begin() + long(count),
              [](const LaneAccess& a, const LaneAccess& b) { return a.address < b.address; });
    GlobalCounters c;
    c.requests = 1;
    c.lanes = count;
    uintptr_t end = 0, next_sector = 0;  // behind the bytes and the sectors counted so far
    for (size_t i = 0; i < count; ++i) {
        const uintptr_t low = sorted[i].address, high = low + sorted[i].bytes;
        c.bytes += sorted[i].bytes;
        if (high > end) c.distinct_bytes += high - std::max(low, end);
        end = std::max(end, high);
        const uintptr_t first = std::max(low / sector_bytes, next_sector), last = (high - 1) / sector_bytes;
        if (last >= first) c.sectors += last - first + 1;
        next_sector = std::max(next_sector, last + 1);
    }
    c.fewest_sectors = (c.distinct_bytes + sector_bytes - 1) / sector_bytes;
    return c;
}

// The turns that lanes of one phase need: the most different words that one bank has.
static unsigned turns(const LaneAccess* lanes, size_t count) {
    std::array<uintptr_t, 256> words;
    size_t n = 0;
    for (size_t i = 0; i < count; ++i)
        for (uintptr_t at = lanes[i].address / bank_bytes; at <= (lanes[i].address + lanes[i].bytes - 1) / bank_bytes;
             ++at)
            if (n < words.size()) words[n++] = at;
    std::sort(words.begin(), words.begin() + long(n));
    const auto distinct = std::unique(words.begin(), words.begin() + long(n));
    std::array<unsigned, banks> of_bank{};
    unsigned most = 0;
    for (auto word = words.begin(); word != distinct; ++word) most = std::max(most, ++of_bank[*word % banks]);
    return most;
}

SharedCounters shared_request(const LaneAccess* lanes, size_t count) {
    SharedCounters c;
    c.requests = 1;
    c.lanes = count;
    unsigned widest = 1;
    for (size_t i = 0; i < count; ++i) {
        c.bytes += lanes[i].bytes;
        widest = std::max(widest, lanes[i].bytes);
    }
    const unsigned lanes_of_phase = widest <= 4 ? 32 : widest <= 8 ? 16 : 8;
    for (size_t from = 0, to; from < count; from = to) {
        const unsigned phase = lanes[from].lane / lanes_of_phase;
        for (to = from; to < count && lanes[to].lane / lanes_of_phase == phase; ++to) {
        }
        const unsigned ways = turns(lanes + from, to - from);
        c.wavefronts += ways;
        ++c.fewest_wavefronts;
        c.worst_ways = std::max<uint64_t>(c.worst_ways, ways);
    }
    return c;
}

unsigned most_on_one_address(const LaneAccess* lanes, size_t count) {
    unsigned most = 0;
    for (size_t i = 0; i < count; ++i)
        most = std::max(most, unsigned(std::count_if(lanes, lanes + count, [&](const LaneAccess& other) {
                            return other.address == lanes[i].address;
                        })));
    return most;
}

}  // namespace atrous::gpu::emu

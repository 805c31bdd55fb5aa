// The sort of segments and the prefix sums that it is made of.
#include "kernels/cuda/segment_sort.h"

#include <numeric>

#include "tests/kernels/cuda_fixture.h"

namespace atrous::kernels {
namespace {

using test::Array;

class SegmentSort : public test::CudaTest {};

TEST_F(SegmentSort, IsStable) {
    // Equal keys lie in every tile; together the keys differ in every digit. The last tile is not full.
    constexpr uint32_t distinct[] = {0, 1, 0x80000000u, 0x12345678u, ~0u};
    constexpr int64_t segments = 3, length = 5 * cuda::sort_tile + 777;
    Array<uint32_t> keys(segments * length), values(segments * length);
    for (uint32_t& key : keys.host) key = distinct[random_.below(5)];
    std::iota(values.host.begin(), values.host.end(), 0u);
    const cuda::Segments s{keys.upload(stream()), values.upload(stream()), segments, length};
    const std::vector<uint32_t> before = keys.host;
    for (int64_t segment = 0; segment < segments; ++segment)
        std::stable_sort(values.host.begin() + segment * length, values.host.begin() + (segment + 1) * length,
                         [&](uint32_t a, uint32_t b) { return before[a] < before[b]; });
    for (size_t i = 0; i < keys.host.size(); ++i) keys.host[i] = before[values.host[i]];
    cuda::sort_segments(gpu_->queue, s);
    keys.expect(stream(), "keys");
    values.expect(stream(), "values");
}

TEST_F(SegmentSort, SumsInFrontCarryFromBlockToBlock) {
    for (const int64_t length : {1, 255, 256, 257, 1000}) {
        Array<int> entries(size_t(3 * length));
        for (int& e : entries.host) e = int(random_.below(2049));
        int* const device = entries.upload(stream());
        for (int64_t i = 0; i < 3; ++i)
            std::exclusive_scan(entries.host.begin() + i * length, entries.host.begin() + (i + 1) * length,
                                entries.host.begin() + i * length, 0);
        cuda::scan_arrays(gpu_->queue, device, 3, length);
        entries.expect(stream(), "sums");
    }
}

}  // namespace
}  // namespace atrous::kernels

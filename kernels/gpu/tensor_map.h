// Tensor maps: what a GPU of capability 9.0 needs to know of an array to copy boxes of it (TMA, tiled mode).
// Source: CUDA driver API, cuTensorMapEncodeTiled.
#pragma once

#include <array>
#include <cstdint>

namespace atrous::gpu {

// 128 bytes that the copy unit reads. A kernel takes them inside its argument struct, which is then declared
// `const __grid_constant__`, so that they are not copied into the threads' own memory.
struct alignas(64) TensorMap {
    unsigned char opaque[128];
};

enum class TensorElement { bf16, f16, f32 };
// none: a box's rows lie one after the other in shared memory. bytes128: rows of 128 bytes, in which piece i of 16 bytes
// of row r lies at piece i ^ (r % 8), as wgmma wants its operands.
enum class TensorSwizzle { none, bytes128 };

// An array of `rank` dimensions, the innermost first, and the box of it that one copy moves. Elements outside of the
// array, also those of negative indices, read as zeros and are not written.
struct TensorMapDescription {
    void* base = nullptr;  // aligned to 16 bytes
    TensorElement element = TensorElement::bf16;
    int rank = 2;                            // 2 to 5
    std::array<uint64_t, 5> size{};          // elements
    std::array<uint64_t, 5> stride_bytes{};  // of dimensions 1 and up, multiples of 16; [0] is not read
    std::array<uint32_t, 5> box{};           // elements spanned, at most 256
    // Every step-th element is taken, at most 8, so the box is ceil(box / step) elements; 1 for dimension 0.
    std::array<uint32_t, 5> step{1, 1, 1, 1, 1};
    TensorSwizzle swizzle = TensorSwizzle::bytes128;
};

// Throws GpuError where the description breaks one of the rules above, or where the driver knows no tensor maps.
TensorMap encode_tensor_map(const TensorMapDescription& description);

// What encode_tensor_map checks on every platform.
void check_tensor_map(const TensorMapDescription& description);
unsigned element_bytes(TensorElement element);

}  // namespace atrous::gpu

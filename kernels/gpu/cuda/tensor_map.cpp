// Tensor maps by the driver, which is asked for at run time: a program without a GPU must start.
#include "kernels/gpu/tensor_map.h"

#include <cuda.h>
#include <cuda_runtime_api.h>

#include <cstring>
#include <string>

#include "base/error.h"

namespace atrous::gpu {

using Encode = decltype(&cuTensorMapEncodeTiled);

static Encode find_encode() {
    void* function = nullptr;
    cudaDriverEntryPointQueryResult found = cudaDriverEntryPointSymbolNotFound;
    const cudaError_t e =
        cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, 12000, cudaEnableDefault, &found);
    if (e != cudaSuccess || found != cudaDriverEntryPointSuccess || !function) {
        cudaGetLastError();
        throw GpuError("tensor map: the NVIDIA driver has no cuTensorMapEncodeTiled; one of CUDA 12 or later has it");
    }
    return reinterpret_cast<Encode>(function);
}

static CUtensorMapDataType type_of(TensorElement element) {
    switch (element) {
        case TensorElement::bf16:
            return CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;
        case TensorElement::f16:
            return CU_TENSOR_MAP_DATA_TYPE_FLOAT16;
        default:
            return CU_TENSOR_MAP_DATA_TYPE_FLOAT32;
    }
}

TensorMap encode_tensor_map(const TensorMapDescription& d) {
    check_tensor_map(d);
    static const Encode encode = find_encode();
    cuuint64_t size[5], stride[4] = {};
    for (size_t i = 0; i < 5; ++i) size[i] = d.size[i];
    for (size_t i = 0; i < 4; ++i) stride[i] = d.stride_bytes[i + 1];
    const bool swizzled = d.swizzle == TensorSwizzle::bytes128;
    CUtensorMap map;
    const CUresult result =
        encode(&map, type_of(d.element), cuuint32_t(d.rank), d.base, size, stride, d.box.data(), d.step.data(),
               CU_TENSOR_MAP_INTERLEAVE_NONE, swizzled ? CU_TENSOR_MAP_SWIZZLE_128B : CU_TENSOR_MAP_SWIZZLE_NONE,
               CU_TENSOR_MAP_L2_PROMOTION_L2_128B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
    if (result != CUDA_SUCCESS)
        throw GpuError("tensor map: cuTensorMapEncodeTiled failed with error " + std::to_string(int(result)));
    TensorMap out;
    static_assert(sizeof out == sizeof map);
    std::memcpy(&out, &map, sizeof out);
    return out;
}

}  // namespace atrous::gpu

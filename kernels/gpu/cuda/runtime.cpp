// Devices, memory, streams, events and graphs over the CUDA runtime. The runtime is linked statically and the driver
// never: a program without a GPU must start.
#include "kernels/gpu/runtime.h"

#include <cuda_runtime_api.h>

#include <atomic>
#include <cstdio>
#include <map>
#include <mutex>

#include "base/error.h"

namespace atrous::gpu {

static std::string text_of(cudaError_t e) {
    return std::string(cudaGetErrorString(e)) + " (" + cudaGetErrorName(e) + ")";
}

// An error is cleared where it is thrown, so that an unrelated later call does not report it again; CUDA keeps those
// that end the context.
static void check(cudaError_t e, const char* call) {
    if (e == cudaSuccess) return;
    cudaGetLastError();
    if (e == cudaErrorMemoryAllocation) throw MemoryError(std::string(call) + ": " + text_of(e));
    throw GpuError(std::string(call) + ": " + text_of(e));
}
static void warn(cudaError_t e, const char* call) noexcept {
    if (e == cudaSuccess || e == cudaErrorCudartUnloading) return;
    cudaGetLastError();
    std::fprintf(stderr, "%s: %s\n", call, cudaGetErrorString(e));
}

static cudaStream_t stream_of(StreamView stream, const char* call) {
    if (!stream.handle()) throw GpuError(std::string(call) + " needs a stream, and this StreamView is empty");
    return static_cast<cudaStream_t>(stream.handle());
}

// ---- devices --------------------------------------------------------------------------------------------------------
Platform platform() { return Platform::cuda; }

static std::string version_text(int v) { return std::to_string(v / 1000) + "." + std::to_string(v % 1000 / 10); }

int device_count(std::string* why) {
    int count = 0;
    const cudaError_t e = cudaGetDeviceCount(&count);
    if (e == cudaSuccess) {
        if (why) *why = count ? "" : "the NVIDIA driver finds no device";
        return count;
    }
    cudaGetLastError();
    if (!why) return 0;
    int driver = 0;
    cudaDriverGetVersion(&driver);
    if (driver == 0)
        *why = "no NVIDIA driver is installed";
    else if (e == cudaErrorInsufficientDriver)
        *why = "the NVIDIA driver supports CUDA " + version_text(driver) + ", and this program needs " +
               version_text(CUDART_VERSION);
    else
        *why = text_of(e);
    return 0;
}

DeviceInfo device_info(int device) {
    cudaDeviceProp p;
    check(cudaGetDeviceProperties(&p, device), "cudaGetDeviceProperties");
    DeviceInfo d;
    d.name = p.name;
    d.major = p.major;
    d.minor = p.minor;
    d.multiprocessors = p.multiProcessorCount;
    d.memory_bytes = p.totalGlobalMem;
    d.l2_bytes = size_t(p.l2CacheSize);
    return d;
}
std::string versions() {
    int runtime = 0, driver = 0;
    cudaRuntimeGetVersion(&runtime);
    cudaDriverGetVersion(&driver);
    return "CUDA runtime " + version_text(runtime) + ", driver " + (driver ? version_text(driver) : "none");
}
void set_device(int device) { check(cudaSetDevice(device), "cudaSetDevice"); }
int current_device() {
    int device = 0;
    check(cudaGetDevice(&device), "cudaGetDevice");
    return device;
}
static std::atomic<uint64_t> waits{0};
uint64_t synchronizations() { return waits; }

void synchronize_device() {
    ++waits;
    check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
}
size_t free_memory_bytes() {
    size_t free = 0, total = 0;
    check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
    return free;
}

// ---- streams and events ---------------------------------------------------------------------------------------------
Stream::Stream() {
    cudaStream_t s;
    check(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    handle_ = s;
}
Stream::~Stream() {
    if (handle_) warn(cudaStreamDestroy(static_cast<cudaStream_t>(handle_)), "cudaStreamDestroy");
}
void StreamView::synchronize() const {
    if (!handle_) return;
    ++waits;
    check(cudaStreamSynchronize(static_cast<cudaStream_t>(handle_)), "cudaStreamSynchronize");
}

Event::Event() {
    cudaEvent_t e;
    check(cudaEventCreate(&e), "cudaEventCreate");
    handle_ = e;
}
Event::~Event() {
    if (handle_) warn(cudaEventDestroy(static_cast<cudaEvent_t>(handle_)), "cudaEventDestroy");
}
void Event::record(StreamView stream) {
    check(cudaEventRecord(static_cast<cudaEvent_t>(handle_), stream_of(stream, "Event::record")), "cudaEventRecord");
}
void Event::synchronize() const {
    check(cudaEventSynchronize(static_cast<cudaEvent_t>(handle_)), "cudaEventSynchronize");
}
bool Event::done() const {
    const cudaError_t e = cudaEventQuery(static_cast<cudaEvent_t>(handle_));
    if (e == cudaErrorNotReady) return cudaGetLastError(), false;
    check(e, "cudaEventQuery");
    return true;
}
void Event::block(StreamView stream) const {
    check(cudaStreamWaitEvent(stream_of(stream, "Event::block"), static_cast<cudaEvent_t>(handle_), 0),
          "cudaStreamWaitEvent");
}
float Event::ms_since(const Event& earlier) const {
    float ms = 0;
    check(cudaEventElapsedTime(&ms, static_cast<cudaEvent_t>(earlier.handle_), static_cast<cudaEvent_t>(handle_)),
          "cudaEventElapsedTime");
    return ms;
}

// ---- memory ---------------------------------------------------------------------------------------------------------
void* allocate(size_t bytes) {
    void* p = nullptr;
    const cudaError_t e = cudaMalloc(&p, bytes ? bytes : 1);  // a block of its own, also for 0 bytes
    if (e != cudaSuccess) check(e, ("cudaMalloc of " + std::to_string(bytes) + " bytes").c_str());
    return p;
}
void release(void* p) noexcept { warn(cudaFree(p), "cudaFree"); }
void* allocate_pinned(size_t bytes) {
    void* p = nullptr;
    check(cudaMallocHost(&p, bytes ? bytes : 1), "cudaMallocHost");
    return p;
}
void release_pinned(void* p) noexcept {
    if (p) warn(cudaFreeHost(p), "cudaFreeHost");
}

void copy_async(void* to, const void* from, size_t bytes, StreamView stream) {
    const cudaStream_t s = stream_of(stream, "copy_async");
    if (bytes) check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, s), "cudaMemcpyAsync");
}
void fill_bytes_async(void* to, int byte, size_t bytes, StreamView stream) {
    const cudaStream_t s = stream_of(stream, "fill_bytes_async");
    if (bytes) check(cudaMemsetAsync(to, byte, bytes, s), "cudaMemsetAsync");
}

// ---- launches -------------------------------------------------------------------------------------------------------
namespace cuda {

static std::string name_of(const void* kernel) {
#if CUDART_VERSION >= 12030
    const char* name = nullptr;
    if (cudaFuncGetName(&name, kernel) == cudaSuccess && name) return name;
    cudaGetLastError();
#endif
    (void)kernel;
    return "kernel";
}

// More than 48 KiB of shared memory, the kernel's static share included, has to be asked for, once a kernel and device.
static void allow_shared_memory(const void* kernel, size_t bytes) {
    constexpr size_t max_static = 32 * 1024, without_asking = 48 * 1024 - max_static;
    if (bytes <= without_asking) return;
    static std::mutex mutex;
    static std::map<std::pair<const void*, int>, size_t> allowed;
    std::lock_guard lock(mutex);
    size_t& now = allowed[{kernel, current_device()}];
    if (bytes <= now) return;
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int(bytes)),
          "cudaFuncSetAttribute(MaxDynamicSharedMemorySize)");
    now = bytes;
}

void launch(const void* kernel, dim3 grid, dim3 block, size_t smem_bytes, StreamView stream, void** args) {
    const cudaStream_t s = stream_of(stream, "launch");
    allow_shared_memory(kernel, smem_bytes);
    const cudaError_t e = cudaLaunchKernel(kernel, grid, block, args, smem_bytes, s);
    if (e == cudaSuccess) return;
    auto list = [](dim3 d) {
        return "(" + std::to_string(d.x) + "," + std::to_string(d.y) + "," + std::to_string(d.z) + ")";
    };
    check(e, ("launch of " + name_of(kernel) + ", grid " + list(grid) + ", block " + list(block) + ", " +
              std::to_string(smem_bytes) + " bytes of dynamic shared memory")
                 .c_str());
}

}  // namespace cuda

// ---- graphs ---------------------------------------------------------------------------------------------------------
struct Graph::Impl {
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t executable = nullptr;
    ~Impl() {
        if (executable) warn(cudaGraphExecDestroy(executable), "cudaGraphExecDestroy");
        if (graph) warn(cudaGraphDestroy(graph), "cudaGraphDestroy");
    }
};
Graph::Graph(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Graph::~Graph() = default;
Graph::Graph(Graph&&) noexcept = default;
Graph& Graph::operator=(Graph&&) noexcept = default;

Graph Graph::capture(StreamView stream, const std::function<void()>& submit) {
    const cudaStream_t s = stream_of(stream, "Graph::capture");
    auto impl = std::make_unique<Impl>();
    check(cudaStreamBeginCapture(s, cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
    try {
        submit();
    } catch (...) {  // the stream must leave capture mode; what it recorded is of no use
        cudaStreamEndCapture(s, &impl->graph);
        cudaGetLastError();
        throw;
    }
    check(cudaStreamEndCapture(s, &impl->graph), "cudaStreamEndCapture");
    check(cudaGraphInstantiateWithFlags(&impl->executable, impl->graph, 0), "cudaGraphInstantiateWithFlags");
    return Graph(std::move(impl));
}
void Graph::launch(StreamView stream) {
    check(cudaGraphLaunch(impl_->executable, stream_of(stream, "Graph::launch")), "cudaGraphLaunch");
}
size_t Graph::nodes() const {
    size_t count = 0;
    check(cudaGraphGetNodes(impl_->graph, nullptr, &count), "cudaGraphGetNodes");
    return count;
}

}  // namespace atrous::gpu

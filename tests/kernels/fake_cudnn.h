// A cuDNN that is made of a table of functions: it keeps what descriptors are told, offers the engines that a test
// wants, and executes a plan by plain loops in double over what the graph's descriptors say, and nothing else.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "kernels/gpu/cudnn/provider.h"

namespace atrous::test {

struct FakeDescriptor {
    struct Value {
        cudnn::Type type;
        int64_t count;
        std::vector<char> bytes;
    };
    cudnn::Kind kind;
    std::map<cudnn::Attribute, Value> values;
    bool finalized = false;
    const struct FakeEngine* engine = nullptr;  // of configurations, engines and plans

    int64_t integer(cudnn::Attribute) const;
    double real(cudnn::Attribute) const;
    std::vector<int64_t> integers(cudnn::Attribute) const;
    FakeDescriptor& object(cudnn::Attribute, size_t at = 0) const;
    void* pointer(cudnn::Attribute, size_t at = 0) const;
};

struct FakeEngine {
    int64_t number = 0, workspace = 0;
    std::vector<cudnn::NumericalNote> notes = {cudnn::NumericalNote::tensor_core};
    std::vector<cudnn::BehaviorNote> behavior = {};
    cudnn::Status plan_status = 0;  // of finalizing a plan of it
};

// One at a time, because the functions of a table have no other place to find it.
class FakeCudnn {
 public:
    FakeCudnn();
    ~FakeCudnn();
    FakeCudnn(const FakeCudnn&) = delete;

    std::shared_ptr<const cudnn::Api> api() const { return api_; }

    std::map<cudnn::HeuristicsMode, std::vector<FakeEngine>> engines;
    std::map<cudnn::Kind, cudnn::Status> finalize_status;  // what fails
    cudnn::Status create_status = 0, stream_status = 0, execute_status = 0;
    std::string words;  // cuDNN's own on the last failure

    struct Execution {
        int64_t engine;
        void *stream, *workspace;
        std::vector<int64_t> ids;
        std::vector<void*> pointers;
    };
    std::vector<Execution> executions;
    std::map<cudnn::Kind, int> finalized;  // how many of each
    int handles = 0;                       // alive
    std::set<FakeDescriptor*> alive;
    void* stream = nullptr;

 private:
    std::shared_ptr<cudnn::Api> api_;
};

}  // namespace atrous::test

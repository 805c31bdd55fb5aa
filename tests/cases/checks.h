// The checks that every case goes through. Each returns what is wrong, or nothing.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/cases/tested.h"

namespace atrous::cases {

struct Check {
    std::string name;  // "parity_emulated_bf16"
    std::function<bool(const Tested&)> applies;
    std::function<std::string(const Tested&)> find_fault;
};

// Those that can run in this build and on this machine.
std::vector<Check> all_checks();

}  // namespace atrous::cases

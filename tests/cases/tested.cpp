#include "tests/cases/tested.h"

namespace atrous::cases {

static std::map<std::string, Family::Make>& families() {
    static std::map<std::string, Family::Make> all;
    return all;
}

Family::Family(const char* op, Make make) { families()[op] = make; }

std::vector<Tested> Family::all_cases() {
    std::vector<Tested> all;
    for (const auto& [op, make] : families())
        for (Tested& c : make()) all.push_back(std::move(c));
    return all;
}

}  // namespace atrous::cases

// The cases of every op: one file an op states them, and everything else is derived from them: parity with the reference,
// gradient checks, pitched and destination slices, thread orders.
//
//   static const Family family("relu", [] { return std::vector<Tested>{{"relu", "odd", {.shapes = {{2, 5, 7, 3}}}}}; });
#pragma once

#include "benchmarks/cases/case.h"

namespace atrous::cases {

// A case, and what its checks are to know of it.
struct Tested : Case {
    Tested(const char* op, const std::string& label, const Request& request) : Case(case_at(op, request)) {
        this->label = label;
    }
    bool takes_destination = false;
    bool exact = false;          // small integers give the same values in any order of summation
    bool smooth = true;          // central differences apply
    double least_nonzero = 0.2;  // the smallest fraction of non-zero values that outputs and gradients may have
};

// The cases of one op. Defined once in each op's file, so that adding an op edits no list.
class Family {
 public:
    using Make = std::vector<Tested> (*)();
    Family(const char* op, Make make);
    static std::vector<Tested> all_cases();  // in order of op and statement
};

}  // namespace atrous::cases

// The extents of a tensor, at most four: [N][H][W][C] activations, [C] vectors.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "base/error.h"

namespace atrous {

class Shape {
 public:
    Shape() = default;
    Shape(std::initializer_list<int64_t> dims) {
        if (dims.size() > 4) throw ShapeError("a tensor has at most four dimensions");
        for (int64_t d : dims) dims_[size_t(rank_++)] = d;
    }
    int rank() const { return rank_; }
    int64_t operator[](int i) const { return dims_[size_t(i)]; }
    int64_t count() const {
        int64_t n = 1;
        for (int i = 0; i < rank_; ++i) n *= dims_[size_t(i)];
        return n;
    }
    friend bool operator==(const Shape&, const Shape&) = default;
    std::string text() const {  // "4x256x256x32"
        std::string s;
        for (int i = 0; i < rank_; ++i) s += (i ? "x" : "") + std::to_string(dims_[size_t(i)]);
        return s;
    }

 private:
    std::array<int64_t, 4> dims_{};
    int rank_ = 0;
};

}  // namespace atrous

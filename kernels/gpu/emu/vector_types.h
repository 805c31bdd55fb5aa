// CUDA's built-in vector types, with CUDA's sizes and alignments.
#pragma once

struct uint3 {
    unsigned x, y, z;
};
struct int3 {
    int x, y, z;
};
struct float3 {
    float x, y, z;
};

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
    constexpr dim3(uint3 v) : x(v.x), y(v.y), z(v.z) {}
    constexpr operator uint3() const { return {x, y, z}; }
};

#define ATROUS_EMU_VECTORS(name, T)                               \
    struct alignas(2 * sizeof(T)) name##2 {                       \
        T x, y;                                                   \
    };                                                            \
    struct alignas(sizeof(T) < 8 ? 4 * sizeof(T) : 16) name##4 {  \
        T x, y, z, w;                                             \
    };                                                            \
    constexpr name##2 make_##name##2(T x, T y) { return {x, y}; } \
    constexpr name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }
ATROUS_EMU_VECTORS(char, signed char)
ATROUS_EMU_VECTORS(uchar, unsigned char)
ATROUS_EMU_VECTORS(short, short)
ATROUS_EMU_VECTORS(ushort, unsigned short)
ATROUS_EMU_VECTORS(int, int)
ATROUS_EMU_VECTORS(uint, unsigned)
ATROUS_EMU_VECTORS(longlong, long long)
ATROUS_EMU_VECTORS(ulonglong, unsigned long long)
ATROUS_EMU_VECTORS(float, float)
ATROUS_EMU_VECTORS(double, double)
#undef ATROUS_EMU_VECTORS

constexpr uint3 make_uint3(unsigned x, unsigned y, unsigned z) { return {x, y, z}; }
constexpr int3 make_int3(int x, int y, int z) { return {x, y, z}; }
constexpr float3 make_float3(float x, float y, float z) { return {x, y, z}; }

// NumPy's .npy: types, orders of bytes and of axes, versions of the header; what is refused.
#include "data/codecs.h"
#include "data/mask.h"
#include "fixtures.h"
#include "npy_bytes.h"

namespace atrous::data::test {

namespace {

Image load(const std::vector<uint8_t>& bytes) {
    TempDir dir;
    write_file(dir / "x.npy", bytes);
    return load_image(dir / "x.npy");
}

RawMask load_as_mask(const std::vector<uint8_t>& bytes) {
    TempDir dir;
    write_file(dir / "x.npy", bytes);
    return load_mask(dir / "x.npy");
}

template <class T>
void comes_back(const std::string& type) {
    const std::vector<T> values = {T(1), T(2), T(3), T(4), T(5), T(120)};
    using Held = std::conditional_t<std::is_same_v<T, uint8_t> || std::is_same_v<T, uint16_t>, T, float>;
    const std::vector<Held> expected(values.begin(), values.end());
    for (char order : {'<', '>', '|', '='}) {
        if (order == '|' && sizeof(T) > 1) continue;
        auto bytes = bytes_of(values);
        if (order == '>')
            for (size_t i = 0; i < bytes.size(); i += sizeof(T))
                std::reverse(bytes.begin() + long(i), bytes.begin() + long(i + sizeof(T)));
        for (int version : {1, 2, 3}) {
            const Image image = load(npy(order + type, "(2, 3)", bytes, false, version));
            EXPECT_EQ(image.h, 2);
            EXPECT_EQ(image.w, 3);
            EXPECT_EQ(image.c, 1);
            EXPECT_EQ(image.pixels<Held>(), expected) << order << type;
        }
    }
}

}  // namespace

TEST(Npy, EveryTypeInEveryOrderOfBytes) {
    comes_back<uint8_t>("u1");
    comes_back<int8_t>("i1");
    comes_back<uint16_t>("u2");
    comes_back<int16_t>("i2");
    comes_back<uint32_t>("u4");
    comes_back<int32_t>("i4");
    comes_back<uint64_t>("u8");
    comes_back<int64_t>("i8");
    comes_back<float>("f4");
    comes_back<double>("f8");
    EXPECT_EQ(load(npy("<f2", "(1, 2)", {0, 0x3c, 0, 0xc1})).f32, (std::vector<float>{1, -2.5f}));
}

TEST(Npy, TruthIsWhiteInImagesAndOneInMasks) {
    EXPECT_EQ(load(npy("|b1", "(1, 3)", {0, 1, 1})).u8, (std::vector<uint8_t>{0, 255, 255}));
    EXPECT_EQ(load_as_mask(npy("|b1", "(1, 3)", {0, 1, 1})).image.u8, (std::vector<uint8_t>{0, 1, 1}));
}

// 17 x 18 pixels of 2 channels in four arrangements.
TEST(Npy, ChannelsMayComeFirstOrLastInEitherOrder) {
    constexpr int h = 17, w = 18, c = 2;
    const auto value = [](int y, int x, int ch) { return uint8_t(y * 13 + x * 5 + ch * 100); };
    std::vector<uint8_t> expected, first, fortran_last, fortran_first;
    for (int y = 0; y < h; ++y)
        for (int x = 0; x < w; ++x)
            for (int ch = 0; ch < c; ++ch) expected.push_back(value(y, x, ch));
    for (int ch = 0; ch < c; ++ch)
        for (int y = 0; y < h; ++y)
            for (int x = 0; x < w; ++x) first.push_back(value(y, x, ch));
    for (int ch = 0; ch < c; ++ch)
        for (int x = 0; x < w; ++x)
            for (int y = 0; y < h; ++y) fortran_last.push_back(value(y, x, ch));
    for (int x = 0; x < w; ++x)
        for (int y = 0; y < h; ++y)
            for (int ch = 0; ch < c; ++ch) fortran_first.push_back(value(y, x, ch));
    const std::vector<std::vector<uint8_t>> files = {
        npy("|u1", "(17, 18, 2)", expected), npy("|u1", "(2, 17, 18)", first),
        npy("|u1", "(17, 18, 2)", fortran_last, true), npy("|u1", "(2, 17, 18)", fortran_first, true)};
    for (const auto& bytes : files) {
        const Image image = load(bytes);
        EXPECT_EQ(image.c, c);
        EXPECT_EQ(image.u8, expected);
        EXPECT_TRUE(image.bands);
    }
}

TEST(Npy, IdsOfAnyIntegerAreMasks) {
    EXPECT_EQ(load_as_mask(npy("<i8", "(1, 2)", bytes_of(std::vector<int64_t>{0, 7}))).image.u8,
              (std::vector<uint8_t>{0, 7}));
    EXPECT_EQ(load_as_mask(npy("<i4", "(1, 2)", bytes_of(std::vector<int32_t>{0, 300}))).image.u16,
              (std::vector<uint16_t>{0, 300}));
    expect_error(
        [&] {
            load_as_mask(npy("<i4", "(1, 2)", bytes_of(std::vector<int32_t>{3, 65536})));
        },
        {"(1, 0)", "65536", "0 to 65535"});
    expect_error([&] { load_as_mask(npy("|u1", "(20, 20, 7)", std::vector<uint8_t>(2800))); }, {"7 channels", "ids"});
}

TEST(Npy, TheHeaderMayBeWrittenFreely) {
    const std::vector<uint8_t> pixels = {1, 2};
    for (const char* header : {"{\"shape\":(1,2),\"descr\":\"|u1\",\"fortran_order\":False}",
                               "{'shape' : ( 1L , 2L ,) , 'fortran_order':True,\n'descr':'|u1'}"})
        EXPECT_EQ(load(npy_of_header(header, pixels)).u8, pixels) << header;
}

TEST(Npy, WhatCannotBeIsRefused) {
    const std::vector<uint8_t> six(6);
    const std::vector<std::pair<std::vector<uint8_t>, std::vector<std::string>>> rows = {
        {{0x93, 'N', 'U', 'M', 'P', 'Y'}, {"within its header"}},
        {{0x93, 'N', 'U', 'M', 'P', 'Y', 9, 0, 1, 0, 0, 0}, {"version 9.0"}},
        {{0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, 255, 255, '{'}, {"within its header"}},
        {{0x93, 'N', 'U', 'M', 'P', 'Y', 2, 0, 255, 255, 255, 255, '{'}, {"within its header"}},
        {npy("|u1", "(2, 4)", six), {"8 bytes, 6 are there"}},
        {npy("<f8", "(2, 3)", six), {"48 bytes, 6"}},
        {npy("|O", "(2, 3)", six), {"'|O'", "integers"}},
        {npy("<c8", "(2, 3)", six), {"'<c8'"}},
        {npy("<U7", "(2, 3)", six), {"'<U7'"}},
        {npy("", "(2, 3)", six), {"''"}},
        {npy("|u1", "(6,)", six), {"(6)", "no image"}},
        {npy("|u1", "()", six), {"no image"}},
        {npy("|u1", "(1, 2, 3, 1)", six), {"(1, 2, 3, 1)", "no image"}},
        {npy("|u1", "(2, 0)", six), {"holds nothing"}},
        {npy("|u1", "(1, 2, 3)", six), {"may be HxWxC or CxHxW"}},
        {npy("|u1", "(20, 20, 20)", std::vector<uint8_t>(8000)), {"no side of channels"}},
        {npy("|u1", "(1000000, 1000000)", six), {"too large"}},
        {npy("|u1", "(40000, 40000)", six), {"limit"}},
        {npy("|u1", "(99999999999999999999, 1)", six), {"2^40"}},
        {npy("|u1", "(2, -3)", six), {"no number"}},
        {npy("|u1", "2", six), {"no '('"}},
        {npy_of_header("{'descr': [('a', '<u1')], 'fortran_order': False, 'shape': (2, 3)}", six), {"records"}},
        {npy_of_header("{'descr': '|u1', 'shape': (2, 3)}", six), {"not once each"}},
        {npy_of_header("{'descr': '|u1', 'fortran_order': Maybe, 'shape': (2, 3)}", six), {"True nor False"}},
        {npy_of_header("{'descr': '|u1", six), {"open quotation"}},
        {npy_of_header("{'other': '|u1'}", six), {"'other'"}},
        {npy_of_header("", six), {"no '{'"}},
    };
    for (const auto& [bytes, words] : rows) {
        SCOPED_TRACE(words[0]);
        expect_error([&] { load(bytes); }, words);
        expect_error([&] { load_as_mask(bytes); }, words);
    }
}

}  // namespace atrous::data::test

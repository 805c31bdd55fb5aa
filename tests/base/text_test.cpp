#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "base/crc32c.h"
#include "base/philox.h"
#include "base/text.h"

namespace {

using namespace atrous::io;

TEST(Text, Bytes) {
    EXPECT_EQ(format_bytes(0), "0 B");
    EXPECT_EQ(format_bytes(1023), "1023 B");
    EXPECT_EQ(format_bytes(1536), "1.5 KiB");
    EXPECT_EQ(format_bytes(uint64_t(117) << 30), "117 GiB");
    EXPECT_EQ(format_bytes((1 << 20) - 1), "1.0 MiB");  // not "1024 KiB"
    EXPECT_EQ(format_bytes(std::numeric_limits<uint64_t>::max()), "16.0 EiB");
}

TEST(Text, Durations) {
    EXPECT_EQ(format_duration(0), "0.00 s");
    EXPECT_EQ(format_duration(0.254), "0.25 s");
    EXPECT_EQ(format_duration(9.999), "10 s");
    EXPECT_EQ(format_duration(59.6), "1 min 00 s");
    EXPECT_EQ(format_duration(185), "3 min 05 s");
    EXPECT_EQ(format_duration(2 * 3600 + 7 * 60 + 59), "2 h 07 min");
    EXPECT_EQ(format_duration(4 * 86400 + 3 * 3600), "4 d 03 h");
    EXPECT_EQ(format_duration(-2), "-2.00 s");
    EXPECT_EQ(format_duration(NAN), "?");
    EXPECT_EQ(format_duration(INFINITY), "?");
    EXPECT_EQ(format_duration(1e300).substr(0, 11), "11574074074");  // no overflow
}

TEST(Text, CharactersOfUtf8) {
    const auto is = [](const Character& c, char32_t code, size_t bytes) { return c.code == code && c.bytes == bytes; };
    EXPECT_TRUE(is(first_character("ab"), U'a', 1));
    EXPECT_TRUE(is(first_character(std::string(1, '\0')), 0, 1));
    EXPECT_TRUE(is(first_character("\xc3\xa9!"), U'é', 2));
    EXPECT_TRUE(is(first_character("\xe2\x80\xa6"), U'…', 3));
    EXPECT_TRUE(is(first_character("\xf0\x9f\x98\x80"), U'\U0001f600', 4));
    for (const char* broken : {"\x80", "\xff", "\xc3", "\xc3(", "\xe2\x80", "\xf0\x9f\x98", "\xc0\xaf", "\xed\xa0\x80"})
        EXPECT_TRUE(is(first_character(broken), U'\ufffd', 1)) << broken;
}

TEST(Text, QuotesStayOnOneLine) {
    EXPECT_EQ(in_quotes("a\nb\x1b[31m"), "'a?b?[31m'");
    const std::string umlauts = in_quotes("x" + std::string(79, 'y') + "é");
    EXPECT_EQ(umlauts, "'x" + std::string(79, 'y') + "…'");
    EXPECT_EQ(in_quotes(std::string(79, 'y') + "é"), "'" + std::string(79, 'y') + "…'");  // é is not cut in two
}

TEST(Text, TerminalsGetNoControlCharacters) {
    EXPECT_EQ(printable("a\tb\r\n\x1b[2J\x7f" + std::string(1, '\0')), "a?b???[2J??");
    EXPECT_EQ(printable("é…\xff\x9b"), "é…\xff\x9b");
    EXPECT_EQ(printable("\xc2\x9b"
                        "31m \xc2\xa0 \xc2"),
              "?31m \xc2\xa0 \xc2");  // U+009B, and U+00A0
}

TEST(Crc32c, KnownValues) {  // RFC 3720, B.4
    EXPECT_EQ(crc32c("123456789", 9), 0xe3069283u);
    EXPECT_EQ(crc32c(std::vector<char>(32, 0).data(), 32), 0x8a9136aau);
    EXPECT_EQ(crc32c(std::vector<char>(32, char(255)).data(), 32), 0x62a8ab43u);
    EXPECT_EQ(crc32c("", 0), 0u);
}

TEST(Crc32c, PiecesAndImplementationsAgree) {
    std::vector<unsigned char> bytes(257);
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<unsigned char>(i * i * 31 + 7);
    for (size_t cut = 0; cut <= bytes.size(); ++cut) {
        const uint32_t head = crc32c(bytes.data(), cut);
        EXPECT_EQ(head, detail::crc32c_portable(bytes.data(), cut, 0));
        EXPECT_EQ(crc32c(bytes.data() + cut, bytes.size() - cut, head), crc32c(bytes.data(), bytes.size()));
    }
}

TEST(IoText, AnyBytesComeBackFromUtf8) {
    const std::string plain = "caf\xc3\xa9/\xe2\x82\xac \xf0\x9f\x98\x80.png";
    EXPECT_EQ(as_utf8(plain), plain);
    EXPECT_EQ(from_utf8(plain), plain);
    std::string all;
    for (int b = 1; b < 256; ++b) all += char(b);
    for (const std::string& bytes : {all, std::string("caf\xe9"), std::string("\xc3"), std::string("\xe2\x82"),
                                     std::string("\xc0\xaf"), std::string("\xed\xa0\x80"),
                                     std::string("\xf4\x90\x80\x80"), std::string("\xf4\x8f\xbe\xa9"), as_utf8(all)}) {
        const std::string text = as_utf8(bytes);
        EXPECT_EQ(from_utf8(text), bytes);
        EXPECT_EQ(as_utf8(text).size() > text.size(), text != bytes)
            << "valid, but for escapes, which are escaped again";
    }
    atrous::Random random(5, 6);
    for (int i = 0; i < 2000; ++i) {
        std::string bytes;
        for (uint64_t n = random.below(12); n > 0; --n) bytes += char(0x78 + random.below(0x88));
        EXPECT_EQ(from_utf8(as_utf8(bytes)), bytes);
    }
}

}  // namespace

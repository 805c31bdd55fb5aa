#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "engine/io/crc32c.h"
#include "engine/io/text.h"

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

}  // namespace

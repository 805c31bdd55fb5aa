// Hashes against published values.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/crc32.h"
#include "base/sha256.h"
#include "engine/io/known_weights.h"

namespace atrous::io {
namespace {

std::string hash_of(const std::string& text, size_t piece) {
    Sha256 hash;
    for (size_t at = 0; at < text.size(); at += piece) hash.update(text.data() + at, std::min(piece, text.size() - at));
    return hash.hex();
}

// FIPS 180-2 appendix B and NIST's example file for SHA-256.
TEST(Sha256, NistVectors) {
    const std::pair<std::string, const char*> vectors[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopq"
         "rstu",
         "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
        {std::string(1'000'000, 'a'), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
    };
    for (const auto& [text, expected] : vectors)
        for (const size_t piece : {size_t(1), size_t(63), size_t(64), size_t(1000)})
            EXPECT_EQ(hash_of(text, piece), expected) << text.size() << " bytes in pieces of " << piece;
}

TEST(Sha256, OfAFile) {
    const auto path = std::filesystem::path(testing::TempDir()) / ("sha " + std::to_string(getpid()));
    std::ofstream(path, std::ios::binary) << std::string(3'000'000, 'b');  // several buffers and a rest
    EXPECT_EQ(sha256_of_file(path), hash_of(std::string(3'000'000, 'b'), 4096));
    std::filesystem::remove(path);
}

TEST(Crc32, KnownValues) {
    EXPECT_EQ(crc32("123456789", 9), 0xCBF43926u);  // the check value of every catalogue of CRCs
    EXPECT_EQ(crc32("6789", 4, crc32("12345", 5)), 0xCBF43926u);
    EXPECT_EQ(crc32("The quick brown fox jumps over the lazy dog", 43), 0x414FA339u);
}

TEST(KnownWeights, AreRecognizedByTheirDigits) {
    const KnownWeights* found = recognize("f37072fd0123456789abcdef");
    ASSERT_TRUE(found);
    EXPECT_STREQ(found->name, "resnet18");
    EXPECT_FALSE(recognize("f37072fe0123456789abcdef"));
    EXPECT_FALSE(recognize("f37072"));
    for (const KnownWeights& a : known_weights()) {
        EXPECT_EQ(std::string(a.sha256).find_first_not_of("0123456789abcdef"), std::string::npos) << a.name;
        EXPECT_EQ(std::string(a.sha256).size(), 8u) << a.name;
        for (const KnownWeights& b : known_weights())
            EXPECT_TRUE(&a == &b || std::string(a.sha256) != b.sha256) << a.sha256 << " stands there twice";
    }
}

TEST(KnownWeights, ANameThatPromisesAnotherHashIsToldOf) {
    const auto path = std::filesystem::path(testing::TempDir()) / "resnet18-f37072fd.pth";
    std::ofstream(path, std::ios::binary) << "abc";
    const std::string said = recognized(path);
    EXPECT_NE(said.find("warning"), std::string::npos) << said;
    EXPECT_NE(said.find("ba7816bf"), std::string::npos) << said;
    const auto honest = path.parent_path() / "net-ba7816bf.pth", plain = path.parent_path() / "my-weights.pth";
    for (const auto& other : {honest, plain}) {
        std::filesystem::copy_file(path, other, std::filesystem::copy_options::overwrite_existing);
        EXPECT_EQ(recognized(other), "") << other;
        std::filesystem::remove(other);
    }
    std::filesystem::remove(path);
}

}  // namespace
}  // namespace atrous::io

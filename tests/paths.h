// Where tests find what they did not write: in the source tree, or beside a test that was taken to another machine.
#pragma once

#include <cstdlib>
#include <string>

namespace atrous::test {

inline std::string path_from(const char* variable, const char* otherwise) {
    const char* given = std::getenv(variable);
    return given ? given : otherwise;
}

// The folder that holds tests/goldens: $ATROUS_TEST_ROOT, or the source tree.
inline std::string test_root() { return path_from("ATROUS_TEST_ROOT", ATROUS_SOURCE_DIR); }

}  // namespace atrous::test

// Stands for a library of NVIDIA's: the search for them asks a found file for its version.
#include <cstddef>

extern "C" std::size_t atrous_fake_version() { return 91302; }

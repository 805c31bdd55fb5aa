// Stands for a library of NVIDIA's: the search for them asks a found file for its version.
#include <cstddef>

extern "C" std::size_t atrous_fake_version() { return 91302; }
extern "C" std::size_t atrous_fake_old_version() { return 90709; }

// The parts of `atrous inspect`.
#pragma once

namespace atrous::app {

int inspect_kernel(int argc, const char* const* argv);

}  // namespace atrous::app

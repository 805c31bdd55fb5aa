# The standard library's headers and libfmt's, parsed once instead of in every file; tests have GoogleTest's too. Each file
# still includes what it uses: checked builds are without, and fail where one doesn't.
# CMAKE_DISABLE_PRECOMPILE_HEADERS=ON turns them off.
if(NOT ATROUS_CHECK STREQUAL "none")
  set(CMAKE_DISABLE_PRECOMPILE_HEADERS ON)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND NOT CMAKE_DISABLE_PRECOMPILE_HEADERS)
  target_compile_options(atrous_options INTERFACE $<BUILD_INTERFACE:$<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>>)  # for ccache
endif()

# atrous_precompiled_headers(TARGET OWNER header…): TARGET uses what OWNER, compiled with the same flags, has parsed; OWNER
# itself names further headers of its own.
function(atrous_precompiled_headers target owner)
  if(NOT target STREQUAL owner)
    target_precompile_headers(${target} REUSE_FROM ${owner})
    return()
  endif()
  target_precompile_headers(${target} PRIVATE <algorithm> <array> <cmath> <cstdint> <cstring> <filesystem> <fstream>
    <functional> <map> <memory> <numeric> <optional> <set> <span> <sstream> <stdexcept> <string> <string_view> <utility>
    <variant> <vector> ${ARGN})
endfunction()

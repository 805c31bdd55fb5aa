# What a program that reads files of strangers is linked and compiled with; scripts/check_hardening.sh looks for it.
# Addresses that differ from run to run, a table of functions that is read-only before main.
include(CheckPIESupported)
check_pie_supported(LANGUAGES CXX)
target_link_options(atrous_options INTERFACE $<BUILD_INTERFACE:LINKER:-z,relro> $<BUILD_INTERFACE:LINKER:-z,now>)
# Copies into buffers of known size are checked. Not beside the sanitizers, which check more of the same calls; and
# only where the compiler optimizes. Distributions may define it too, hence the -U.
if(ATROUS_CHECK STREQUAL "none" AND NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
  target_compile_options(atrous_options INTERFACE
    $<BUILD_INTERFACE:$<$<COMPILE_LANGUAGE:CXX>:-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2>>)
endif()

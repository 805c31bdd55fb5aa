# For which processors vectorized code is compiled: -march=ATROUS_CPU_ARCH, or with ATROUS_CPU_ARCH=dispatch three times,
# of which base/cpu_variant.h chooses one as the program starts; everything else is then for the least of them.
set(atrous_variants x86-64-v3 x86-64-v4 x86-64-v4-bf16)
set(atrous_march_x86-64-v3 -march=x86-64-v3)
set(atrous_march_x86-64-v4 -march=x86-64-v4)
set(atrous_march_x86-64-v4-bf16 -march=x86-64-v4 -mavx512bf16)
set(ATROUS_CPU_FLOOR ${ATROUS_CPU_ARCH})
if(ATROUS_CPU_ARCH STREQUAL "dispatch")
  set(ATROUS_CPU_FLOOR x86-64-v3)
  if(NOT ATROUS_CHECK STREQUAL "none")
    message(FATAL_ERROR "ATROUS_CPU_ARCH=dispatch is for programs that travel; checked builds want one processor")
  endif()
endif()

# atrous_vectorize(TARGET SOURCES file… OPTIONS flag…): compiles these sources of the target, its own libraries being
# linked already, with the options and for the processors. With dispatch a variant's objects become one object whose
# every symbol is its own (scripts/merge_variant.sh), so that code which the linker may share, that of inline functions,
# never comes from a newer processor's variant; what other code calls is a jump to the variant chosen.
function(atrous_vectorize target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;OPTIONS")
  get_target_property(sources ${target} SOURCES)
  get_target_property(libraries ${target} LINK_LIBRARIES)
  list(REMOVE_ITEM sources ${arg_SOURCES})
  if(NOT ATROUS_CPU_ARCH STREQUAL "dispatch")
    if(sources)
      set_source_files_properties(${arg_SOURCES} PROPERTIES
        COMPILE_OPTIONS "${arg_OPTIONS};-march=${ATROUS_CPU_ARCH}" SKIP_PRECOMPILE_HEADERS ON)
    else()
      target_compile_options(${target} PRIVATE ${arg_OPTIONS} -march=${ATROUS_CPU_ARCH})
    endif()
    return()
  endif()
  set(scripts ${PROJECT_SOURCE_DIR}/scripts)
  set(objects "")
  foreach(variant ${atrous_variants})
    add_library(${target}-${variant} OBJECT ${arg_SOURCES})
    target_link_libraries(${target}-${variant} PRIVATE ${libraries})
    target_compile_options(${target}-${variant} PRIVATE ${arg_OPTIONS} ${atrous_march_${variant}} -fno-gnu-unique)
    set(object ${CMAKE_CURRENT_BINARY_DIR}/${target}-${variant}.o)
    add_custom_command(OUTPUT ${object} ${object}.symbols
      COMMAND ${CMAKE_COMMAND} -E env LD=${CMAKE_LINKER} OBJCOPY=${CMAKE_OBJCOPY} NM=${CMAKE_NM} READELF=${CMAKE_READELF}
              bash ${scripts}/merge_variant.sh ${variant} ${object} $<TARGET_OBJECTS:${target}-${variant}>
      DEPENDS $<TARGET_OBJECTS:${target}-${variant}> ${scripts}/merge_variant.sh
      COMMAND_EXPAND_LISTS VERBATIM COMMENT "Merging ${target} for ${variant}")
    list(APPEND objects ${object})
  endforeach()
  list(TRANSFORM objects APPEND .symbols OUTPUT_VARIABLE symbols)
  set(jumps ${CMAKE_CURRENT_BINARY_DIR}/${target}-dispatch.cpp)
  add_custom_command(OUTPUT ${jumps}
    COMMAND bash ${scripts}/dispatch_variants.sh ${target} ${jumps} ${atrous_variants} -- ${symbols}
    DEPENDS ${symbols} ${scripts}/dispatch_variants.sh VERBATIM COMMENT "Dispatching ${target}")
  set_source_files_properties(${objects} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
  set_target_properties(${target} PROPERTIES SOURCES "${sources};${jumps};${objects}")
endfunction()

# What `cmake --install` puts where, all of it relocatable: the program with its manual page and completion, the
# libraries with their headers, and the package that find_package(atrous) finds.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/atrous)

install(TARGETS atrous RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)

if(TARGET atrous-traced)  # where apps/traced_program.cpp looks for it
  install(TARGETS atrous-traced RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/atrous COMPONENT program)
  install(FILES $<TARGET_FILE:atrous-traced>.lines DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/atrous COMPONENT program)
endif()

# The manual page and the completion say what the program itself says of its options.
set(generated ${CMAKE_CURRENT_BINARY_DIR}/generated)
add_custom_command(OUTPUT ${generated}/atrous.1 ${generated}/atrous.bash
  COMMAND ${CMAKE_COMMAND} -E make_directory ${generated}
  COMMAND bash ${PROJECT_SOURCE_DIR}/scripts/manual.sh $<TARGET_FILE:atrous> ${PROJECT_VERSION} > ${generated}/atrous.1
  COMMAND bash ${PROJECT_SOURCE_DIR}/scripts/completion.sh $<TARGET_FILE:atrous> > ${generated}/atrous.bash
  DEPENDS atrous ${PROJECT_SOURCE_DIR}/scripts/manual.sh ${PROJECT_SOURCE_DIR}/scripts/completion.sh
  COMMENT "Manual page and completion" VERBATIM)
add_custom_target(atrous_manual ALL DEPENDS ${generated}/atrous.1 ${generated}/atrous.bash)
install(FILES ${generated}/atrous.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT program)
install(FILES ${generated}/atrous.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME atrous
        COMPONENT program)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
# The program holds the font of contact sheets, whose licence goes with it.
install(FILES /usr/share/doc/fonts-dejavu-core/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program OPTIONAL
        RENAME LICENSE.DejaVu)

# Headers of kernels: the contracts and the runtime; implementations and the language of GPU kernels stay inside.
foreach(floor base kernels engine models data segmentation)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${floor} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/atrous COMPONENT library
          FILES_MATCHING PATTERN "*.h" PATTERN "kernels/cpu" EXCLUDE PATTERN "kernels/cuda" EXCLUDE
          PATTERN "kernels/reference" EXCLUDE PATTERN "kernels/gpu" EXCLUDE)
endforeach()
install(FILES ${PROJECT_SOURCE_DIR}/kernels/gpu/runtime.h ${PROJECT_SOURCE_DIR}/kernels/gpu/device_guard.h
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/atrous/kernels/gpu COMPONENT library)
foreach(name ${atrous_libraries})
  set_target_properties(atrous_${name} PROPERTIES EXPORT_NAME ${name})
  install(TARGETS atrous_${name} EXPORT atrous ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
endforeach()
install(EXPORT atrous NAMESPACE atrous:: FILE atrousTargets.cmake DESTINATION ${package_dir} COMPONENT library)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/atrousConfig.cmake.in ${generated}/atrousConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${generated}/atrousConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${generated}/atrousConfig.cmake ${generated}/atrousConfigVersion.cmake
              ${PROJECT_SOURCE_DIR}/cmake/AtrousDependencies.cmake DESTINATION ${package_dir} COMPONENT library)

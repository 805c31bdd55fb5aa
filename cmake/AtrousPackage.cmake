# What cpack makes: atrous-VERSION-Linux-x86_64.tar.gz of everything, and for Debian the program (atrous) and the
# libraries (libatrous-dev). Configure with the preset "package", whose program runs on any x86-64-v3.
set(CPACK_GENERATOR TGZ DEB)
set(CPACK_PACKAGE_NAME atrous)
set(CPACK_PACKAGE_VENDOR "The atrous authors")
set(CPACK_PACKAGE_CONTACT "The atrous authors <atrous@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "image segmentation, trained and run from the command line")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGE_FILE_NAME atrous-${PROJECT_VERSION}-${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL program library)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME atrous)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_DEPENDS "libtiff6")  # opened when a TIFF comes, so that nothing links it
set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME libatrous-dev)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libdevel)
set(CPACK_COMPONENT_LIBRARY_DESCRIPTION "static libraries and headers of atrous")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_DEPENDS
    "libdnnl-dev, libturbojpeg0-dev, libpng-dev, libtiff6, libwebp-dev, libgif-dev, zlib1g-dev, libfmt-dev, nlohmann-json3-dev")
include(CPack)

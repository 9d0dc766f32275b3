# `cmake --install BUILD --prefix DIR`: headers, library, CMake package and pkg-config file. All
# paths inside are relative, so that DIR may be moved.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

# A static library leaves its own dependencies to those who link it.
set(heddle_static_http OFF)
set(heddle_requires "")
if(HEDDLE_HTTP AND NOT BUILD_SHARED_LIBS)
  set(heddle_static_http ON)
  set(heddle_requires "libcurl zlib")
endif()

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/heddle")
install(TARGETS heddle EXPORT heddle-targets)
install(DIRECTORY include/heddle DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
        FILES_MATCHING PATTERN "*.hpp")
install(EXPORT heddle-targets NAMESPACE heddle:: DESTINATION "${package_dir}")

configure_package_config_file(cmake/heddle-config.cmake.in heddle-config.cmake
                              INSTALL_DESTINATION "${package_dir}")
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file(heddle-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/heddle-config.cmake"
              "${PROJECT_BINARY_DIR}/heddle-config-version.cmake"
        DESTINATION "${package_dir}")

file(RELATIVE_PATH prefix_from_pc "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
string(REGEX REPLACE "/$" "" prefix_from_pc "${prefix_from_pc}")
configure_file(cmake/heddle.pc.in heddle.pc @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/heddle.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

# `cmake --install` puts the commands, their shell completion and the documents where a distribution would; `cpack` makes a
# .deb and a .tar.gz of the same. autotp-opt, which is for developers, is left out.
include(GNUInstallDirs)
set(commands autotp-run)
if(AUTOTP_BUILD_COMPILER)
  list(APPEND commands autotp-compile autotp-plan autotp-model)
endif()
install(TARGETS ${commands} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
foreach(command ${commands}) # bash finds a command's completion by the name of the file
  install(FILES cmake/completion.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME ${command})
endforeach()
install(FILES README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.md" PATTERN "*.svg")

set(CPACK_PACKAGE_NAME autotp)
set(CPACK_PACKAGE_VENDOR autotp)
set(CPACK_PACKAGE_CONTACT "the autotp developers <autotp@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "shards ONNX training graphs over many ranks, and trains them")
set(CPACK_GENERATOR DEB TGZ)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON) # the packages whose libraries the commands load
include(CPack)

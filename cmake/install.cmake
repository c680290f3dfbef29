# What `cmake --install` puts where: headers, both libraries, ff, ff-server, pkg-config file, CMake package, manual pages, completion.
install(TARGETS flowfabric flowfabric_static EXPORT flowfabric-targets)
install(DIRECTORY include/flowfabric DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/flowfabric)
install(EXPORT flowfabric-targets NAMESPACE flowfabric:: DESTINATION ${package_dir})
configure_package_config_file(cmake/flowfabric-config.cmake.in flowfabric-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(flowfabric-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/flowfabric-config.cmake ${CMAKE_BINARY_DIR}/flowfabric-config-version.cmake
  DESTINATION ${package_dir})
configure_file(cmake/flowfabric.pc.in flowfabric.pc.configured @ONLY)

# The prefix may be given at install time only (cmake --install --prefix), so the .pc file is finished then.
install(CODE "
  file(READ \"${CMAKE_BINARY_DIR}/flowfabric.pc.configured\" text)
  string(REPLACE \"%PREFIX%\" \"\${CMAKE_INSTALL_PREFIX}\" text \"\${text}\")
  file(WRITE \"${CMAKE_BINARY_DIR}/flowfabric.pc\" \"\${text}\")")
install(FILES ${CMAKE_BINARY_DIR}/flowfabric.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

file(GLOB man_pages CONFIGURE_DEPENDS doc/man/*.1)
if(man_pages)
  install(FILES ${man_pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()

install(TARGETS ff-server)
if(TARGET ff)
  install(TARGETS ff)
  # ff writes its completion itself; a shell it does not know gives no file.
  foreach(shell_file bash:bash-completion/completions/ff zsh:zsh/site-functions/_ff fish:fish/vendor_completions.d/ff.fish)
    string(REGEX MATCH "^([a-z]+):(.*)/(.*)$" _ ${shell_file})
    set(made ${CMAKE_BINARY_DIR}/completion/${CMAKE_MATCH_1}/${CMAKE_MATCH_3})
    install(CODE "
      get_filename_component(folder \"${made}\" DIRECTORY)
      file(MAKE_DIRECTORY \"\${folder}\")
      execute_process(COMMAND \"$<TARGET_FILE:ff>\" completion ${CMAKE_MATCH_1}
        OUTPUT_FILE \"${made}\" ERROR_QUIET RESULT_VARIABLE failed)
      if(failed)
        file(REMOVE \"${made}\")
      endif()")
    install(FILES ${made} DESTINATION ${CMAKE_INSTALL_DATADIR}/${CMAKE_MATCH_2} OPTIONAL)
  endforeach()
endif()

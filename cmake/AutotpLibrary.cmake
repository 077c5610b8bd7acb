# autotp_sources(result target sources...): what to compile for them: with AUTOTP_UNITY, files that include several each.
function(autotp_sources result target)
  if(NOT AUTOTP_UNITY)
    set(${result} ${ARGN} PARENT_SCOPE)
    return()
  endif()
  set(sources)
  foreach(source ${ARGN})
    cmake_path(ABSOLUTE_PATH source NORMALIZE)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source}) # its names decide with which it goes
    cmake_path(RELATIVE_PATH source BASE_DIRECTORY ${CMAKE_SOURCE_DIR})
    list(APPEND sources ${source})
  endforeach()
  execute_process(
    COMMAND ${Python3_EXECUTABLE} scripts/unity_sources.py ${CMAKE_CURRENT_BINARY_DIR}/${target}_unity ${sources}
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} OUTPUT_VARIABLE compiled COMMAND_ERROR_IS_FATAL ANY)
  set(${result} ${compiled} PARENT_SCOPE)
endfunction()

# autotp_library(name SOURCES a.cpp ... PUBLIC targets ... PRIVATE targets ...): one static library for each
# second-level folder. PUBLIC: named in our headers; PRIVATE: named in our .cpp only.
function(autotp_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  autotp_sources(sources ${name} ${ARG_SOURCES})
  add_library(${name} STATIC ${sources})
  target_link_libraries(${name} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
endfunction()

set(AUTOTP_TEST_ROOT ${CMAKE_SOURCE_DIR} CACHE STRING "where test programs look for the tree; '.' for those that run elsewhere")

# autotp_test_objects(name SOURCES a.cpp ... LIBS targets ...): what several test programs share, compiled once.
function(autotp_test_objects name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  autotp_sources(sources ${name} ${ARG_SOURCES})
  add_library(${name} OBJECT ${sources})
  target_link_libraries(${name} PUBLIC ${ARG_LIBS} GTest::gtest)
  target_compile_definitions(${name} PRIVATE AUTOTP_SOURCE_DIR="${AUTOTP_TEST_ROOT}" AUTOTP_BINARY_DIR="${CMAKE_BINARY_DIR}")
  target_compile_options(${name} PRIVATE -Wno-dangling-else) # an assertion of GoogleTest is an if with an else
endfunction()

# autotp_test(name SOURCES a.cpp ... LIBS targets ... [LABELS l ...] [UNWATCHED filter]): one GoogleTest program, one ctest
# entry, built by the targets tests_<label> too. A test suite called FullMatrix is left to a named command; so are, under
# sanitizers, tests that the filter matches, since they run what others run already.
function(autotp_test name)
  cmake_parse_arguments(ARG "" "UNWATCHED" "SOURCES;LIBS;LABELS" ${ARGN})
  autotp_sources(sources ${name} ${ARG_SOURCES})
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE AUTOTP_SOURCE_DIR="${AUTOTP_TEST_ROOT}" AUTOTP_BINARY_DIR="${CMAKE_BINARY_DIR}")
  target_compile_options(${name} PRIVATE -Wno-dangling-else) # an assertion of GoogleTest is an if with an else
  foreach(label ${ARG_LABELS})
    autotp_built_for(${label} ${name})
  endforeach()
  set(left_out *FullMatrix*)
  if(AUTOTP_SANITIZE AND ARG_UNWATCHED)
    string(APPEND left_out :${ARG_UNWATCHED})
  endif()
  add_test(NAME ${name} COMMAND ${name} --gtest_filter=-${left_out})
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}")
endfunction()

# autotp_built_for(label targets...): a ctest entry of that label runs these.
function(autotp_built_for label)
  if(NOT TARGET tests_${label})
    add_custom_target(tests_${label})
  endif()
  add_dependencies(tests_${label} ${ARGN})
endfunction()

# autotp_under_mpi(test): a test that starts mpirun may do so as root and with more ranks than cores.
function(autotp_under_mpi name)
  set_tests_properties(${name} PROPERTIES ENVIRONMENT
    "OMPI_ALLOW_RUN_AS_ROOT=1;OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1;OMPI_MCA_rmaps_base_oversubscribe=1")
endfunction()

# autotp_emulated_cuda_library(name SOURCES a.cu b.cpp ... [PUBLIC targets ...] [PRIVATE targets ...]): CUDA sources
# built by the host's C++ compiler over tests/cuda_emulation, for machines without a GPU.
function(autotp_emulated_cuda_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  set(sources)
  foreach(source ${ARG_SOURCES})
    if(source MATCHES "[.]cu$") # by a file that includes it: a source's language is one for all targets of a folder
      get_filename_component(path ${source} ABSOLUTE)
      string(MAKE_C_IDENTIFIER "${name}_${source}" stem)
      set(wrapper ${CMAKE_CURRENT_BINARY_DIR}/${stem}.cpp)
      file(GENERATE OUTPUT ${wrapper} CONTENT "#include \"${path}\"\n")
      list(APPEND sources ${wrapper})
    else()
      list(APPEND sources ${source})
    endif()
  endforeach()
  add_library(${name} STATIC ${sources})
  target_link_libraries(${name} PUBLIC cuda_emulation ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
endfunction()

# ONNX's protos and checker, from the pinned PyPI source: built once, without sanitizers, and shared by every preset.
# Gives the imported target autotp_onnx. AUTOTP_ONNX_SDIST names a tarball where there is no network.
set(AUTOTP_ONNX_SDIST "" CACHE FILEPATH "onnx-1.23.2.tar.gz; empty: fetched through pip with its hash")
set(AUTOTP_DEPS_DIR ${CMAKE_SOURCE_DIR}/build/deps CACHE PATH "where ONNX is built, shared by all presets")
set(_onnx_sha256 008cb0467b2bbee41448acc7da8b6f4e704624cb0d327a2d5adafc7ce19bc5b8)
set(_onnx_dir ${AUTOTP_DEPS_DIR}/onnx-1.23.2)

function(autotp_run_or_stop what)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE _rc OUTPUT_FILE ${AUTOTP_DEPS_DIR}/onnx.log ERROR_FILE ${AUTOTP_DEPS_DIR}/onnx.log)
  if(_rc)
    message(FATAL_ERROR "${what} failed, see ${AUTOTP_DEPS_DIR}/onnx.log; without a network pass -DAUTOTP_ONNX_SDIST=<onnx-1.23.2.tar.gz>")
  endif()
endfunction()

if(NOT EXISTS ${_onnx_dir}/built)
  message(STATUS "building ONNX 1.23.2 once into ${_onnx_dir} (one to three minutes)")
  file(MAKE_DIRECTORY ${AUTOTP_DEPS_DIR})
  set(_tar "${AUTOTP_ONNX_SDIST}")
  if(NOT _tar)
    set(_tar ${AUTOTP_DEPS_DIR}/onnx-1.23.2.tar.gz)
    if(NOT EXISTS ${_tar})
      autotp_run_or_stop("fetching ONNX" ${Python3_EXECUTABLE} -m pip download -q --no-deps --no-binary onnx
                         --require-hashes -r ${CMAKE_CURRENT_LIST_DIR}/onnx-sdist.txt -d ${AUTOTP_DEPS_DIR})
    endif()
  endif()
  file(SHA256 ${_tar} _found)
  if(NOT _found STREQUAL _onnx_sha256)
    message(FATAL_ERROR "${_tar}: sha256 is ${_found}, expected ${_onnx_sha256}")
  endif()
  file(REMOVE_RECURSE ${_onnx_dir})
  file(ARCHIVE_EXTRACT INPUT ${_tar} DESTINATION ${AUTOTP_DEPS_DIR})
  file(READ ${_onnx_dir}/CMakeLists.txt _text)        # it asks for 3.26, but needs nothing newer than 3.25
  string(REPLACE "cmake_minimum_required(VERSION 3.26" "cmake_minimum_required(VERSION 3.25" _text "${_text}")
  file(WRITE ${_onnx_dir}/CMakeLists.txt "${_text}")
  autotp_run_or_stop("configuring ONNX" ${CMAKE_COMMAND} -S ${_onnx_dir} -B ${_onnx_dir}/build -G Ninja
                     -DCMAKE_BUILD_TYPE=Release "-DCMAKE_CXX_FLAGS_RELEASE=-O1 -w" -DCMAKE_POSITION_INDEPENDENT_CODE=ON
                     -DONNX_USE_PROTOBUF_SHARED_LIBS=ON -DONNX_USE_UNITY_BUILD=ON -DONNX_INSTALL=OFF
                     -DPython3_EXECUTABLE=${Python3_EXECUTABLE})
  autotp_run_or_stop("building ONNX" ${CMAKE_COMMAND} --build ${_onnx_dir}/build --target onnx onnx_proto -j2)
  file(TOUCH ${_onnx_dir}/built)
endif()

add_library(autotp_onnx INTERFACE)
target_include_directories(autotp_onnx SYSTEM INTERFACE ${_onnx_dir} ${_onnx_dir}/build)
target_compile_definitions(autotp_onnx INTERFACE ONNX_NAMESPACE=onnx ONNX_ML=1)
target_link_libraries(autotp_onnx INTERFACE ${_onnx_dir}/build/libonnx.a ${_onnx_dir}/build/libonnx_proto.a protobuf::libprotobuf)

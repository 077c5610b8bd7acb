# cmake -DSOURCE=DIR -DOUTPUT=FILE -P write_commit.cmake: a header that says the commit of the source, for --version. It is
# written only if it changes, so that nothing is compiled again for it otherwise.
execute_process(COMMAND git -C ${SOURCE} describe --always --dirty --abbrev=12
                OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
if(failed OR commit STREQUAL "")
  set(commit "unknown")
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT "#define AUTOTP_COMMIT \"@commit@\"\n" @ONLY)

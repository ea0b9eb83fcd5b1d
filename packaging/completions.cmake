# cmake -DPROGRAM=... -DSHELL=... -DOUT=... -P completions.cmake
execute_process(COMMAND ${EMULATOR} ${PROGRAM} completion ${SHELL} OUTPUT_FILE ${OUT}
  COMMAND_ERROR_IS_FATAL ANY)

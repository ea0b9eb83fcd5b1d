# Writes a source file with the files of a folder inside, compressed: cmake -DFOLDER=DIR
# -DFILES=NAME,NAME -DNAMESPACE=NAME -DFUNCTION=NAME -DOUT=FILE.cpp -P embed.cmake
string(REPLACE "," ";" FILES "${FILES}")
get_filename_component(place ${OUT} DIRECTORY)
file(MAKE_DIRECTORY ${place})
set(bytes)
set(names)
set(rows)
set(number 0)
foreach(name IN LISTS FILES)
  set(packed ${place}/${FUNCTION}_${number}.gz)
  file(ARCHIVE_CREATE OUTPUT ${packed} PATHS ${FOLDER}/${name} FORMAT raw COMPRESSION GZip
    COMPRESSION_LEVEL 9)
  # The head says when it was written, which is nobody's affair: ten bytes without a name in them,
  # instead of which others stand in the program, the same ones for each build.
  file(READ ${packed} head LIMIT 4 HEX)
  if(NOT head STREQUAL "1f8b0800")
    message(FATAL_ERROR "${name} was compressed to something that begins with ${head}")
  endif()
  file(SHA256 ${FOLDER}/${name} digest)
  string(SUBSTRING ${digest} 0 32 digest)
  set(symbol sk_${FUNCTION}_${number})
  string(APPEND bytes "  .global ${symbol}, ${symbol}_end\n  .hidden ${symbol}, ${symbol}_end\n"
    "${symbol}:\n  .byte 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3\n  .incbin \"${packed}\", 10\n"
    "${symbol}_end:\n")
  string(APPEND names "extern const char ${symbol}[], ${symbol}_end[];\n")
  string(APPEND rows "    {\"${name}\", {${symbol}, static_cast<size_t>(${symbol}_end - ${symbol})},\n"
    "     \"${digest}\"},\n")
  math(EXPR number "${number} + 1")
endforeach()
# The assembler reads the files: a compiler takes seconds for an array of so many numbers.
set(text "// Written by embed.cmake.\n#include \"server/page.h\"\n\n")
if(number GREATER 0)
  string(APPEND text "asm(R\"(\n  .section .rodata\n${bytes}  .byte 0\n  .previous\n)\");\n\n"
    "extern \"C\" {\n${names}}\n\n")
endif()
string(APPEND text "namespace ${NAMESPACE} {\n\nskein::server::EmbeddedFiles ${FUNCTION}() {\n")
if(number GREATER 0)
  string(APPEND text "  static const skein::server::EmbeddedFile kFiles[] = {\n${rows}  };\n"
    "  return kFiles;\n")
else()
  string(APPEND text "  return {};\n")
endif()
string(APPEND text "}\n\n}  // namespace ${NAMESPACE}\n")
file(WRITE ${OUT} "${text}")

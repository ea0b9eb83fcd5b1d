// Where Skein keeps things: $SKEIN_HOME for everything, else the XDG folders.
#pragma once

#include <filesystem>

namespace skein::cli {

// Empty when neither the variables nor HOME say where.
std::filesystem::path config_folder();  // $XDG_CONFIG_HOME/skein
std::filesystem::path data_folder();    // $XDG_DATA_HOME/skein
std::filesystem::path state_folder();   // $XDG_STATE_HOME/skein: what chat remembers of its lines

// Makes the folder, if what it is meant to lie in is there: a home folder that does not exist is
// nobody's, and is not made. Whether it is there then.
bool make_folder(const std::filesystem::path& folder);

}  // namespace skein::cli

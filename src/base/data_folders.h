// Where data that belongs to nobody's project lies: models and vocabularies.
#pragma once

#include <filesystem>
#include <vector>

namespace skein {

// In the order in which they are searched: the user's own ($SKEIN_HOME, or $XDG_DATA_HOME/skein, by
// default ~/.local/share/skein), the system's ($XDG_DATA_DIRS), and what was installed beside this
// program or library (../share/skein), wherever that has been moved. They need not be there.
std::vector<std::filesystem::path> data_folders();

// $SKEIN_HOME, or skein below $VARIABLE, or below a folder of the home folder. Empty when neither
// says where.
std::filesystem::path user_folder(const char* variable, const char* below_home);

// The first of data_folders(); empty when no variable and no home folder says where.
std::filesystem::path own_data_folder();

}  // namespace skein

// Where Skein keeps things: $SKEIN_HOME for everything, else the XDG folders (base/data_folders.h
// has those of models and vocabularies).
#pragma once

#include <filesystem>
#include <string>

#include "base/error.h"

namespace skein::cli {

// Empty when neither the variables nor HOME say where.
std::filesystem::path config_folder();  // $XDG_CONFIG_HOME/skein
std::filesystem::path state_folder();   // $XDG_STATE_HOME/skein: what chat remembers of its lines

// What a name means in the folders `models` of data_folders(), with its ending or without, or as a
// short name (hub/official.h), of whose files the newest is meant. Empty if it is neither.
std::filesystem::path stored_path(const std::string& name);

// What a user calls a model: a path or, where there is no such file, what stored_path() finds.
// Unchanged if it is neither. Error: argument (a short name whose model is not here).
Result<std::string> model_path(const std::string& name);

// Makes the folder, if what it is meant to lie in is there: a home folder that does not exist is
// nobody's, and is not made. Whether it is there then.
bool make_folder(const std::filesystem::path& folder);

}  // namespace skein::cli

#!/bin/sh
# Unpacks Debian's AArch64 builds of packages, and of all that they need, into a folder: for ./dev
# arm, which links with them. Installs nothing and needs no rights; apt-get reads the system's list
# of sources and keeps everything else in the folder.
# Usage: aarch64_libraries.sh FOLDER PACKAGE...
set -eu
folder=$1
shift
mkdir -p "$folder/apt/lists/partial" "$folder/apt/cache/archives/partial"
: >"$folder/apt/status"

apt() {
  apt-get -q -y -o APT::Architecture=arm64 -o APT::Architectures=arm64 \
    -o Dir::State::lists="$folder/apt/lists" -o Dir::State::status="$folder/apt/status" \
    -o Dir::Cache="$folder/apt/cache" -o APT::Sandbox::User= "$@"
}
apt update || true # of several sources one may not know this architecture
apt --no-install-recommends --download-only install "$@"
for package in "$folder"/apt/cache/archives/*.deb; do dpkg -x "$package" "$folder"; done
rm -rf "$folder/apt"

# What points to /lib means the folder's.
find "$folder" -type l -lname '/*' | while read -r link; do
  ln -sfnr "$folder$(readlink "$link")" "$link"
done

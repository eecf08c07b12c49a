#!/usr/bin/env bash
# Builds both images with buildah, in a folder without an engine. As root.
# Where no registry of images can be reached, run stand-ins.sh before.
set -euo pipefail
cd "$(dirname "$0")/.."

work=${1:?usage: build.sh FOLDER FOR WHAT IS KEPT BETWEEN BUILDS [backend|frontend]}
sides=${2:-backend frontend}
revision=$(git rev-parse HEAD)
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)

mkdir -p "$work/registry"
volumes=(--volume "$work/registry:/usr/local/cargo/registry")
# A stand-in has no toolchain of its own: it gets this machine's.
if [ -e "$work/stand-ins" ]; then
    channel=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
    host=$(rustc -vV | sed -n 's/^host: //p')
    sysroot=$(realpath "$(rustc --print sysroot)")
    volumes+=(--volume "$sysroot:/usr/local/rustup/toolchains/$channel-$host:ro")
fi

for side in $sides; do
    arguments=(--build-arg "REVISION=$revision" --build-arg "VERSION=$version"
        --build-arg SOURCE=https://example.org/sarangbang)
    if [ "$side" = frontend ]; then
        arguments+=(--build-arg API_BASE_URL=https://api.chat.example.org)
    fi
    file=Dockerfile.$side
    # Stand-ins have the names of the bases and other digests.
    if [ -e "$work/stand-ins" ]; then
        sed 's/@sha256:[0-9a-f]*//' "$file" >"$work/$file"
        file=$work/$file
    fi
    buildah --storage-driver overlay build --isolation chroot --layers --format docker \
        --ignorefile "Dockerfile.$side.dockerignore" --file "$file" \
        "${volumes[@]}" "${arguments[@]}" --tag "localhost/chat-$side" .
done

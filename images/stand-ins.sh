#!/usr/bin/env bash
# Makes stand-ins for the base images under their names, from Debian's packages and the Rust toolchain of
# this machine: for machines that reach no registry of images. As root, with buildah and mmdebstrap.
# Their sizes are not those of the real ones; what an image adds to its base is.
set -euo pipefail
cd "$(dirname "$0")/.."

work=${1:?usage: stand-ins.sh FOLDER FOR WHAT IS KEPT BETWEEN BUILDS}
rust=docker.io/library/rust:1.95-slim-trixie
runtime=gcr.io/distroless/cc-debian13:nonroot
certificates=/etc/ssl/certs/ca-certificates.crt
buildah=(buildah --storage-driver overlay)

# Takes the name of an image and, as options of `buildah config`, what it says of itself.
make_image() {
    local root=$1 name=$2 container
    shift 2
    container=$("${buildah[@]}" from scratch)
    "${buildah[@]}" copy --quiet "$container" "$root" / >/dev/null
    "${buildah[@]}" config "$@" "$container"
    "${buildah[@]}" commit --quiet --rm "$container" "$name" >/dev/null
    echo "made $name"
}

debian() {
    local variant=$1 packages=$2 root=$3
    rm -rf "$root"
    mmdebstrap --quiet --variant="$variant" --include="$packages" \
        --dpkgopt='force-unsafe-io' trixie "$root"
    install -D -m 0644 "$certificates" "$root$certificates"
}

has() { "${buildah[@]}" inspect --type image "$1" >/dev/null 2>&1; }

mkdir -p "$work"
touch "$work/stand-ins"
if ! has "$runtime"; then
    root=$work/runtime
    debian extract base-files,libc6,libgcc-s1,libstdc++6,tzdata "$root"
    install -d -o 65532 -g 65532 "$root/home/nonroot"
    echo 'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin' >"$root/etc/passwd"
    echo 'nonroot:x:65532:' >"$root/etc/group"
    make_image "$root" "$runtime" --user 65532 --workingdir /home/nonroot \
        --env PATH=/usr/local/bin:/usr/bin --env "SSL_CERT_FILE=$certificates"
    rm -rf "$root"
fi
if ! has "$rust"; then
    root=$work/rust
    debian minbase ca-certificates,gcc,libc6-dev "$root"
    mkdir -p "$root/usr/local/cargo/bin" "$root/usr/local/rustup"
    cp -a "${CARGO_HOME:-$HOME/.cargo}"/bin/{rustup,cargo,rustc} "$root/usr/local/cargo/bin/"
    channel=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
    # The toolchain itself is mounted by the build: it is large.
    make_image "$root" "$rust" --env RUSTUP_HOME=/usr/local/rustup --env CARGO_HOME=/usr/local/cargo \
        --env "RUSTUP_TOOLCHAIN=$channel" --env RUSTUP_PERMIT_COPY_RENAME=1 \
        --env PATH=/usr/local/cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    rm -rf "$root"
fi

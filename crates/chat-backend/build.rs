//! How the program is linked.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=PACK_RELOCATIONS");
    // The images set it: 3 % off the program, for a C library that is not older than glibc 2.36.
    if std::env::var_os("PACK_RELOCATIONS").is_some() {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

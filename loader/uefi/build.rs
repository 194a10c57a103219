//! Gives the linker what an EFI application needs: a static position-independent executable with nothing but relative
//! relocations, which the host tool turns into a PE file.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for argument in ["-nostartfiles", "-nostdlib", "-static-pie", "-Wl,-e,efi_start", "-Wl,--build-id=none"] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
    for argument in ["-Wl,--gc-sections", "-Wl,-z,max-page-size=4096", "-Wl,-z,norelro"] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
}

//! Tells the program where to find libtorch when it runs: where it was at build time, else beside itself.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // Set by torch-sys, which has to be a direct dependency for that.
    if let Ok(lib) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
    }
    println!("cargo:rustc-link-arg=-Wl,-rpath,$ORIGIN/../lib/rs-seg");
}

//! Compiles the C++ shim against the libtorch that torch-sys found, and tells the linker where that lies.

use std::error::Error;
use std::path::PathBuf;

const SOURCES: [&str; 3] = ["src/shim.cpp", "src/cuda.cpp", "src/c10d.cpp"];

fn main() -> Result<(), Box<dyn Error>> {
    let lib = PathBuf::from(
        std::env::var("DEP_TCH_LIBTORCH_LIB").map_err(|_| "torch-sys did not tell where libtorch is")?,
    );
    let root = lib.parent().ok_or("libtorch's library folder has no parent")?;
    let include = root.join("include");
    cc::Build::new()
        .cpp(true)
        .std("c++20")
        .pic(true)
        .warnings(false)
        .opt_level(1)
        .flag_if_supported("-g0")
        .define("_GLIBCXX_USE_CXX11_ABI", "1")
        .include(&include)
        .include(include.join("torch/csrc/api/include"))
        // libtorch comes without these headers.
        .include("gloo")
        .files(SOURCES)
        .try_compile("seg_torch_shim")?;

    // The shim's symbols come from these two; torch-sys links `-ltorch` only.
    println!("cargo:rustc-link-search=native={}", lib.display());
    println!("cargo:rustc-link-lib=torch_cpu");
    println!("cargo:rustc-link-lib=c10");
    // Reaches only this package's tests: others that link torch have a build script of their own.
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", lib.display());
    println!("cargo:rerun-if-changed=build.rs");
    for source in SOURCES {
        println!("cargo:rerun-if-changed={source}");
    }
    println!("cargo:rerun-if-changed=src/shim.h");
    println!("cargo:rerun-if-changed=gloo");
    Ok(())
}

//! Where things are: the repository and its build directory.

use std::path::{Path, PathBuf};

/// The repository's top-level directory.
#[must_use]
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests crate lies in the repository")
}

/// Cargo's build directory; what the tests fetch is kept there too, so `cargo clean` removes it.
#[must_use]
pub fn build_directory() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from)
}

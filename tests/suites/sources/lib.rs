//! An empty library: see Cargo.toml.

//! The bodies of the fuzz targets. Each takes any bytes and panics when a promise of the border is broken.
//!
//! `fuzz/libfuzzer` calls them under cargo-fuzz (`make fuzz TARGET=border SECONDS=600`); `tests/corpus.rs` calls them with every
//! file of `fuzz/corpus`, so that what was found once is tried again by each `cargo test`, without cargo-fuzz.

mod border;
mod bytes;
mod parse;
mod policy;
mod sealed_token;
mod snapshot;
mod stream_framing;

pub use border::border;
pub use parse::{exercise, parse};
pub use sealed_token::sealed_token;
pub use snapshot::snapshot;
pub use stream_framing::stream_framing;

/// What a target does with its bytes.
pub type Body = fn(&[u8]);

/// Every target, by the name of its binary and of its corpus.
pub const TARGETS: &[(&str, Body)] = &[
    ("parse", parse::parse as Body),
    ("stream_framing", stream_framing::stream_framing),
    ("border", border::border),
    ("snapshot", snapshot::snapshot),
    ("sealed_token", sealed_token::sealed_token),
];

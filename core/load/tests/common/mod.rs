//! What the tests of whole runs share.

#![allow(dead_code)] // no test uses all of it

pub(crate) mod stand_in;

use std::ffi::OsString;

use ibcf_load::arguments::parse;
use ibcf_load::options::Options;
use ibcf_load::{Load, Report};

/// The options of a run between ports that the system chooses, straight to the UAS unless *words* say otherwise.
pub(crate) fn options(words: &str) -> Options {
    let between = "--proxy direct --uac 127.0.0.1:0 --uas 127.0.0.1:0 --ring-ms 20 --hold-ms 40";
    let words = format!("{between} {words}");
    parse(words.split_whitespace().map(OsString::from)).expect("good options").expect("no help")
}

/// Plays them; returns what was printed before the end, and the result.
pub(crate) fn play(load: &mut Load) -> (String, Report) {
    let mut out = Vec::new();
    let report = load.run(&mut out).expect("a run");
    (String::from_utf8(out).expect("text"), report)
}

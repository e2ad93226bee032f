//! Every file of the committed corpus once through its target, without cargo-fuzz.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

use ibcf_fuzz::TARGETS;

/// What a target's corpus may hold, so that it stays one that a test run can afford.
const FILES_MAX: usize = 300;
const BYTES_MAX: u64 = 300 * 1024;

fn files(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

fn replay(target: &str) {
    let (_, body) = TARGETS.iter().find(|(name, _)| *name == target).expect("a target");
    let files = files(target);
    assert!(!files.is_empty(), "{target} has no corpus");
    for file in files {
        let bytes = std::fs::read(&file).expect("a file");
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| body(&bytes))) {
            eprintln!("{target} fails on {}", file.display());
            resume_unwind(panic);
        }
    }
}

#[test]
fn the_parser_bears_its_corpus() {
    replay("parse");
}

#[test]
fn the_framing_of_streams_bears_its_corpus() {
    replay("stream_framing");
}

#[test]
fn the_border_bears_its_corpus() {
    replay("border");
}

#[test]
fn the_snapshot_bears_its_corpus() {
    replay("snapshot");
}

#[test]
fn the_sealed_token_bears_its_corpus() {
    replay("sealed_token");
}

#[test]
fn each_corpus_is_small_and_has_its_target() {
    for (target, _) in TARGETS {
        let files = files(target);
        let bytes: u64 = files.iter().map(|file| file.metadata().expect("a file").len()).sum();
        assert!(
            files.len() <= FILES_MAX && bytes <= BYTES_MAX,
            "{target}: {} files, {bytes} bytes",
            files.len()
        );
        let binary = Path::new(env!("CARGO_MANIFEST_DIR")).join("libfuzzer/fuzz_targets").join(target);
        assert!(binary.with_extension("rs").is_file(), "no binary for {target}");
    }
}

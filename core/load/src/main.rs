//! `ibcf-load`: see `--help`.

#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::process::ExitCode;

use ibcf_load::arguments::{help, parse};
use ibcf_load::{Load, LoadError};

fn main() -> ExitCode {
    let options = match parse(std::env::args_os().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{}", help());
            return ExitCode::SUCCESS;
        }
        Err(fault) => {
            eprintln!("{fault}\nibcf-load --help tells more");
            return ExitCode::from(2);
        }
    };
    let mut out = io::stdout().lock();
    let run = Load::bind(options).and_then(|mut load| load.run(&mut out));
    match run {
        Ok(report) => {
            let is_told = writeln!(out, "{}", report.to_json()).and_then(|()| out.flush()).is_ok();
            if report.is_clean() && is_told { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(if matches!(error, LoadError::Use(_)) { 2 } else { 1 })
        }
    }
}

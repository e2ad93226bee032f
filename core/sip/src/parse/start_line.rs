//! The first line (RFC 3261 §7.1, §7.2).
//!
//! The request line has exactly one SP between its parts and none behind them. A line that has the parts, but not that form,
//! is still a request: it gets its 400 (RFC 4475 §3.1.2.8 to §3.1.2.10), so the fault is noted and the parts are found.

use super::{Expected, ParseError, malformed, scan};
use crate::message::{HeaderIndex, StartEntry};
use crate::parse::Fault;
use crate::reason::Reason;

const VERSION: &[u8] = b"SIP/2.0";

/// Finds the parts of the first line of `message`.
pub(super) fn index(message: &[u8], index: &mut HeaderIndex) -> Result<(), ParseError> {
    let no_line = ParseError { at: 0, expected: Expected::StartLine };
    let line_feed = memchr::memchr(b'\n', message).ok_or(no_line)?;
    let line = message.get(..line_feed).unwrap_or_default();
    index.start_line_end = line_feed.saturating_add(1) as u32;
    let line = if let [line @ .., b'\r'] = line {
        line
    } else {
        index.note(malformed(line_feed, "a line ends without CR"));
        line
    };
    match line.get(..4) {
        Some(front) if front.eq_ignore_ascii_case(b"SIP/") => response(line, index),
        _ => request(line, index),
    }
}

fn response(line: &[u8], index: &mut HeaderIndex) -> Result<(), ParseError> {
    let (version, rest) = scan::split_where(line, |byte| byte == b' ');
    if !version.eq_ignore_ascii_case(VERSION) {
        return Err(ParseError { at: 0, expected: Expected::Version });
    }
    let no_code = ParseError { at: version.len(), expected: Expected::StatusCode };
    let (code, rest) = scan::split_where(rest.get(1..).unwrap_or_default(), |byte| byte == b' ');
    let code = scan::number(code)
        .filter(|_| code.len() == 3)
        .and_then(|code| u16::try_from(code).ok())
        .ok_or(no_code)?;
    if !(100..700).contains(&code) {
        return Err(no_code);
    }
    // The SP behind the code stands even before an empty phrase; that it is left out is common and harms nobody.
    let phrase_start = line.len().saturating_sub(rest.len().saturating_sub(1));
    index.start_line =
        StartEntry::Response { code, phrase_start: phrase_start as u32, phrase_end: line.len() as u32 };
    Ok(())
}

fn request(line: &[u8], index: &mut HeaderIndex) -> Result<(), ParseError> {
    let no_request = ParseError { at: 0, expected: Expected::StartLine };
    let (method, rest) = scan::split_where(line, scan::is_blank);
    let trimmed = scan::trim(rest);
    let split = trimmed.iter().rposition(|byte| scan::is_blank(*byte)).map_or(0, |at| at.saturating_add(1));
    let (uri, version) = trimmed.split_at(split);
    if method.is_empty() || !version.get(..4).is_some_and(|front| front.eq_ignore_ascii_case(b"SIP/")) {
        return Err(no_request);
    }
    let uri_start = line.len().saturating_sub(scan::trim_start(rest).len());
    let uri = scan::trim(uri);
    let uri_end = uri_start.saturating_add(uri.len());
    index.start_line = StartEntry::Request {
        method_end: method.len() as u32,
        uri_start: uri_start as u32,
        uri_end: uri_end as u32,
    };
    if !version.eq_ignore_ascii_case(VERSION) {
        let problem = "the version of the request is not SIP/2.0";
        let at = line.len().saturating_sub(version.len());
        index.note(Fault { reason: Reason::BadVersion, at, header: None, problem });
    }
    let plain = method.len().saturating_add(uri.len()).saturating_add(version.len()).saturating_add(2);
    if uri.is_empty()
        || plain != line.len()
        || memchr::memchr(b' ', uri).or(memchr::memchr(b'\t', line)).is_some()
    {
        index.note(malformed(0, "the request line is not METHOD SP URI SP SIP/2.0"));
    }
    if !scan::is_token(method) {
        index.note(malformed(0, "the method is not a token"));
    }
    Ok(())
}

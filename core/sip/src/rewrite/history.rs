//! History-Info towards a network that is not trusted (RFC 7044 §10.1, PR-06, TB-03).

use super::draft::{Draft, DraftHeader};
use super::text::split_first;
use crate::message::{HeaderId, elements};

/// Does an entry ask for privacy itself: `<sip:...?Privacy=history>`?
fn is_private(entry: &[u8]) -> bool {
    const MARK: &[u8] = b"privacy=history";
    entry.windows(MARK.len()).any(|window| window.eq_ignore_ascii_case(MARK))
}

/// Does a History-Info header hold entries that must not leave?
pub(super) fn has_private_entry(header: &DraftHeader<'_>) -> bool {
    header.id == HeaderId::HistoryInfo && elements(header.value).any(is_private)
}

/// Takes out the entries that ask for privacy; returns how many lines were changed. The others keep their text and index.
pub(super) fn hide_private_entries(draft: &mut Draft<'_>) -> usize {
    let only_private = |header: &DraftHeader<'_>| {
        header.id == HeaderId::HistoryInfo
            && has_private_entry(header)
            && elements(header.value).all(|entry| entry.is_empty() || is_private(entry))
    };
    let mut changed = draft.retain(HeaderId::HistoryInfo.bit(), |header| !only_private(header));
    for at in 0..draft.header_count() {
        if draft.header_at(at).is_some_and(|header| has_private_entry(&header)) {
            changed += usize::from(draft.edit_value(at, |value, out| {
                let mut rest = value;
                while !rest.is_empty() {
                    let (entry, behind) = split_first(rest);
                    rest = behind;
                    if entry.is_empty() || is_private(entry) {
                        continue;
                    }
                    out.extend_from_slice(if out.is_empty() { b"" } else { b", " });
                    out.extend_from_slice(entry);
                }
                true
            }));
        }
    }
    changed
}

//! The number of the caller in P-Asserted-Identity (RFC 3325 §9.1): From is its sender's, and stays (SC-04).

use super::draft::{Draft, offset};
use super::uri_edit::NumberEdit;
use crate::message::{HeaderId, NameAddr, elements};
use crate::trace::{Stage, Step, Trace};

/// Changes the number in each P-Asserted-Identity that has one.
pub fn edit(draft: &mut Draft<'_>, edit: &NumberEdit, trace: &mut Trace) {
    for at in 0..draft.header_count() {
        if draft.header_at(at).is_none_or(|header| header.id != HeaderId::PAssertedIdentity) {
            continue;
        }
        let mut refused = None;
        let is_edited = draft.edit_value(at, |value, out| {
            let mut copied = 0;
            for element in elements(value) {
                let Ok(address) = NameAddr::parse(element) else { continue };
                match edit.apply(address.uri) {
                    Ok(None) => {}
                    Ok(Some(made)) => {
                        let start = offset(value, address.uri) as usize;
                        out.extend_from_slice(value.get(copied..start).unwrap_or_default());
                        out.extend_from_slice(&made);
                        copied = start + address.uri.len();
                    }
                    Err(why) => refused = Some(why),
                }
            }
            out.extend_from_slice(value.get(copied..).unwrap_or_default());
            copied > 0
        });
        if let Some(why) = refused {
            step(trace, "refused", || why.to_owned());
        }
        if is_edited {
            let value = || {
                draft
                    .header_at(at)
                    .map_or_else(String::new, |header| String::from_utf8_lossy(header.value).into_owned())
            };
            step(trace, "rewritten", value);
        }
    }
}

fn step(trace: &mut Trace, outcome: &'static str, detail: impl FnOnce() -> String) {
    trace.step(|| Step {
        stage: Stage::Rewrite,
        rule: None,
        outcome,
        detail: format!("P-Asserted-Identity: {}", detail()),
        clause: Some("RFC 3325 §9.1"),
    });
}

//! Names of headers that some reader could take for a known one: `P_Asserted_Identity`, `Call-1D`, `Via.` (SEC-12).
//!
//! Two names look alike when nothing is left of their difference once separators are gone and letters and digits that are
//! drawn alike are the same. What is no token at all the parser refuses; blanks before the colon are part of no name.

use std::sync::OnceLock;

use arrayvec::ArrayVec;

use crate::message::HeaderId;

/// The longest known name has 29 characters; a longer one without its separators looks like none.
const LENGTH_MAX: usize = 40;

type Skeleton = ArrayVec<u8, LENGTH_MAX>;

/// The skeletons of all known names and compact forms, in order.
static KNOWN: OnceLock<Vec<Skeleton>> = OnceLock::new();

fn known() -> &'static [Skeleton] {
    KNOWN.get_or_init(|| {
        let names = HeaderId::ALL.iter().filter_map(|id| skeleton(id.name().as_bytes()));
        let letters = HeaderId::ALL.iter().filter_map(|id| skeleton(&[id.compact()?]));
        let mut known: Vec<Skeleton> = names.chain(letters).collect();
        known.sort_unstable();
        known
    })
}

/// Does *name*, which is not a known one, look like one?
pub(super) fn is_lookalike(name: &[u8]) -> bool {
    skeleton(name).is_some_and(|skeleton| known().binary_search(&skeleton).is_ok())
}

/// What is left of a name without its separators, each letter as what it is drawn like; `None` when nothing is, or too much.
fn skeleton(name: &[u8]) -> Option<Skeleton> {
    let mut skeleton = Skeleton::new();
    for byte in name.iter().filter(|byte| byte.is_ascii_alphanumeric()) {
        let drawn = match byte.to_ascii_lowercase() {
            b'0' => b'o',
            b'1' | b'i' => b'l',
            b'5' => b's',
            letter => letter,
        };
        skeleton.try_push(drawn).ok()?;
    }
    (!skeleton.is_empty()).then_some(skeleton)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_in_separators_or_shapes_looks_alike() {
        for name in [
            &b"P_Asserted_Identity"[..],
            b"P-Asserted_Identity",
            b"PAssertedIdentity",
            b"P-Asserted-ldentity",
            b"P-Asserted-Identity.",
            b"Call_ID",
            b"C-Seq",
            b"Vla",
            b"V1a",
            b"Via'",
            b"Fr0m",
            b"Contact-",
            b"f_",
            b"1",
            b"-T-",
        ] {
            assert!(is_lookalike(name), "{}", String::from_utf8_lossy(name));
        }
    }

    #[test]
    fn another_name_is_another_name() {
        for name in [&b"X-Own"[..], b"Viaa", b"P-Asserted-Identity-2", b"g", b"---", b"", &[b'a'; 300]] {
            assert!(!is_lookalike(name), "{}", String::from_utf8_lossy(name));
        }
    }

    #[test]
    fn no_known_name_looks_like_another() {
        let mut seen = known().to_vec();
        seen.dedup();
        // The compact forms of Call-ID and Content-Length are one letter in two shapes.
        assert_eq!(known().len() - seen.len(), 1);
    }
}

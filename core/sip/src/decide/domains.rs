//! Hosts that routes name: exact ones, and `*.suffix` for everything below a domain.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use smallvec::SmallVec;

/// The longest host looked up. DNS allows 253 bytes (RFC 1035 §2.3.4); a longer one is nobody's domain, and walking
/// its labels would cost the square of its length.
const HOST_BYTES_MAX: usize = 255;

/// Which rules name a host, positions ascending. Hosts compare without case (RFC 3261 §19.1.4).
#[derive(Debug, Default)]
pub(super) struct DomainTable {
    exact: HashMap<Box<[u8]>, Vec<u32>, FixedState>,
    below: HashMap<Box<[u8]>, Vec<u32>, FixedState>,
}

/// A host in the form in which it is looked up: lower case, without the dot of the root.
pub(super) type Host = SmallVec<[u8; 64]>;

/// Returns *host* as it is looked up; `None` when it is no possible domain.
pub(super) fn normal(host: &[u8]) -> Option<Host> {
    let host = host.strip_suffix(b".").unwrap_or(host);
    (!host.is_empty() && host.len() <= HOST_BYTES_MAX)
        .then(|| host.iter().map(u8::to_ascii_lowercase).collect())
}

impl DomainTable {
    /// Puts *rule* under *pattern*, or says what is wrong with the pattern. Rules come in ascending order.
    pub(super) fn insert(&mut self, pattern: &str, rule: u32) -> Result<(), String> {
        let (map, name) = match pattern.strip_prefix("*.") {
            Some(suffix) => (&mut self.below, suffix),
            None => (&mut self.exact, pattern),
        };
        let wrong = |byte: u8| byte <= b' ' || !byte.is_ascii() || b"*@/;<>\"".contains(&byte);
        let host = normal(name.as_bytes())
            .filter(|host| !host.starts_with(b".") && !host.iter().copied().any(wrong))
            .ok_or_else(|| format!("\"{pattern}\" is neither a host nor `*.` and a domain"))?;
        let rules = map.entry(host.as_slice().into()).or_default();
        if rules.last() != Some(&rule) {
            rules.push(rule);
        }
        Ok(())
    }

    /// The lists of rules that name *host* (as [`normal`] returned it).
    pub(super) fn lists<'t>(&'t self, host: &[u8]) -> impl Iterator<Item = &'t [u32]> {
        let exact = self.exact.get(host);
        let dots = if self.below.is_empty() { &[] } else { host };
        let below = dots
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'.')
            .filter_map(|(at, _)| self.below.get(dots.get(at.saturating_add(1)..)?));
        exact.into_iter().chain(below.collect::<SmallVec<[&Vec<u32>; 8]>>()).map(Vec::as_slice)
    }

    /// Does *rule* name *host*?
    pub(super) fn covers(&self, rule: u32, host: &[u8]) -> bool {
        self.lists(host).any(|rules| rules.binary_search(&rule).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(patterns: &[(&str, u32)]) -> DomainTable {
        let mut table = DomainTable::default();
        for (pattern, rule) in patterns {
            table.insert(pattern, *rule).expect("a good pattern");
        }
        table
    }

    fn rules(table: &DomainTable, host: &str) -> Vec<u32> {
        let host = normal(host.as_bytes()).expect("a host");
        let mut rules: Vec<_> = table.lists(&host).flatten().copied().collect();
        rules.sort_unstable();
        rules
    }

    #[test]
    fn a_wildcard_covers_all_below_but_not_the_domain_itself() {
        let table = table(&[("b.example", 0), ("*.b.example", 1), ("*.example", 2)]);
        assert_eq!(rules(&table, "b.example"), [0, 2]);
        assert_eq!(rules(&table, "x.b.example"), [1, 2]);
        assert_eq!(rules(&table, "x.y.b.example"), [1, 2]);
        assert_eq!(rules(&table, "xb.example"), [2]);
        assert_eq!(rules(&table, "example"), [] as [u32; 0]);
    }

    #[test]
    fn case_and_the_dot_of_the_root_do_not_matter() {
        let table = table(&[("B.Example.", 0), ("*.C.EXAMPLE", 1), ("[2001:DB8::1]", 2)]);
        assert_eq!(rules(&table, "b.EXAMPLE"), [0]);
        assert_eq!(rules(&table, "x.c.example."), [1]);
        assert_eq!(rules(&table, "[2001:db8::1]"), [2]);
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for wrong in ["", ".", "*", "*.", "a.*.example", "*a.example", "a b", "a@b", ".example"] {
            assert!(DomainTable::default().insert(wrong, 0).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_host_that_dns_cannot_hold_is_no_domain() {
        assert_eq!(normal(&[b'a'; 300]), None);
        assert_eq!(normal(b""), None);
    }
}

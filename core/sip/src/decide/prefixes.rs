//! Number prefixes of all routes in one ten-way trie: which rules does a number fall under?

use arrayvec::ArrayVec;

/// Longest number that E.164 allows, in digits (E.164 §6).
pub(super) const DIGITS_MAX: usize = 15;

const NO_NODE: u32 = 0; // the root is nobody's child

/// A trie over digits; each node holds the positions of the rules whose prefix ends there, ascending.
#[derive(Debug)]
pub(super) struct PrefixTrie {
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    children: [u32; 10],
    rules: Vec<u32>,
}

impl Default for PrefixTrie {
    fn default() -> Self {
        Self { nodes: vec![Node::default()] }
    }
}

impl PrefixTrie {
    /// Puts *rule* under *prefix* (`+` and at most 15 digits), or says what is wrong with the prefix.
    ///
    /// Rules come in ascending order.
    pub(super) fn insert(&mut self, prefix: &str, rule: u32) -> Result<(), String> {
        let digits = prefix
            .strip_prefix('+')
            .filter(|digits| digits.len() <= DIGITS_MAX && digits.bytes().all(|byte| byte.is_ascii_digit()))
            .ok_or_else(|| format!("\"{prefix}\" is not `+` and up to {DIGITS_MAX} digits"))?;
        let mut at = 0;
        for digit in digits.bytes() {
            let digit = usize::from(digit - b'0');
            if self.nodes[at].children[digit] == NO_NODE {
                let new = u32::try_from(self.nodes.len()).map_err(|_| "too many prefixes".to_owned())?;
                self.nodes[at].children[digit] = new;
                self.nodes.push(Node::default());
            }
            at = self.nodes[at].children[digit] as usize;
        }
        let rules = &mut self.nodes[at].rules;
        if rules.last() != Some(&rule) {
            rules.push(rule);
        }
        Ok(())
    }

    /// The lists of rules that *number* (`+` and digits) falls under, shortest prefix first.
    pub(super) fn lists<'t>(&'t self, number: &str) -> impl Iterator<Item = &'t [u32]> {
        let digits = digits_of(number);
        let mut at = number.starts_with('+').then_some(0_u32);
        let mut next = 0;
        std::iter::from_fn(move || {
            let node = self.nodes.get(at? as usize)?;
            at = digits
                .get(next)
                .and_then(|digit| node.children.get(usize::from(*digit)).copied())
                .filter(|child| *child != NO_NODE);
            next += 1;
            Some(node.rules.as_slice())
        })
        .filter(|rules| !rules.is_empty())
    }

    /// Does *number* fall under a prefix of *rule*?
    pub(super) fn covers(&self, rule: u32, number: &str) -> bool {
        self.lists(number).any(|rules| rules.binary_search(&rule).is_ok())
    }
}

/// The values of the digits of *number*, up to the first thing that is none.
fn digits_of(number: &str) -> ArrayVec<u8, DIGITS_MAX> {
    let digits = number.as_bytes().strip_prefix(b"+").unwrap_or_default();
    digits
        .iter()
        .take(DIGITS_MAX)
        .map_while(|byte| byte.is_ascii_digit().then(|| byte.wrapping_sub(b'0')))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trie(prefixes: &[(&str, u32)]) -> PrefixTrie {
        let mut trie = PrefixTrie::default();
        for (prefix, rule) in prefixes {
            trie.insert(prefix, *rule).expect("a good prefix");
        }
        trie
    }

    #[test]
    fn a_number_falls_under_each_of_its_prefixes_and_no_other() {
        let trie = trie(&[("+", 0), ("+44", 1), ("+4490", 2), ("+45", 3), ("+441632960083", 4)]);
        let lists: Vec<_> = trie.lists("+441632960083").map(<[u32]>::to_vec).collect();
        assert_eq!(lists, [vec![0], vec![1], vec![4]]);
        assert!(trie.covers(1, "+44"));
        assert!(!trie.covers(2, "+44"), "shorter than the prefix");
        assert!(!trie.covers(3, "+44"));
    }

    #[test]
    fn a_prefix_given_twice_for_a_rule_is_kept_once() {
        let trie = trie(&[("+44", 1), ("+44", 1), ("+44", 5)]);
        assert_eq!(trie.lists("+44").collect::<Vec<_>>(), [[1, 5]]);
    }

    #[test]
    fn what_is_not_a_prefix_is_refused() {
        for wrong in ["", "44", "+44x", "++44", "+1234567890123456", "+٤"] {
            assert!(PrefixTrie::default().insert(wrong, 0).is_err(), "{wrong}");
        }
    }

    #[test]
    fn garbage_and_overlong_numbers_do_no_harm() {
        let trie = trie(&[("+44", 1)]);
        assert_eq!(trie.lists("").count(), 0);
        assert_eq!(trie.lists("44").count(), 0);
        assert_eq!(trie.lists("+44:;").count(), 1);
        assert_eq!(trie.lists("+4499999999999999999999999999").count(), 1);
    }
}

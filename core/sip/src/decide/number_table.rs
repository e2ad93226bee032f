//! Lists of numbers and prefixes as long as operators keep them: a million entries, the longest one that a number begins
//! with found by at most one look for each length that the list has.
//!
//! An entry is one word, its digits with their count, in an open table at most half full. So a million entries with a class
//! each take 20 MB, a lookup touches one line of the cache for each length, and nothing is allocated on the way.

use std::collections::HashMap;

use super::prefixes::DIGITS_MAX;

/// No list has more entries.
const ENTRIES_MAX: usize = 20_000_000;
/// So many lines that are wrong are told one by one; the rest is counted.
pub const FAULTS_MAX: usize = 100;

/// Behind the digits of a key, which need 50 bits, stands how many there are, and one more: no key is 0.
const COUNT_SHIFT: u32 = 50;
const EMPTY: u64 = 0;
/// 2^64 divided by the golden ratio: neighbouring keys land far apart.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
const SLOTS_MIN: usize = 16;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A list of numbers or prefixes, each with a class where the list has one.
#[derive(Debug, Default)]
pub struct NumberTable {
    slots: Box<[u64]>,
    /// In step with `slots`; empty where the list has no classes.
    classes: Box<[u16]>,
    names: Vec<String>,
    entries: usize,
    /// Bit *n*: there are entries of *n* digits.
    lengths: u16,
}

/// The longest entry that a number begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'t> {
    /// How many digits it has.
    pub digits: usize,
    /// Its class, if it has one.
    pub class: Option<&'t str>,
}

/// A line that is no entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct ListFault {
    /// From 1.
    pub line: usize,
    /// In bytes, from 1.
    pub column: usize,
    /// What is wrong with it.
    pub problem: String,
}

/// Why a list is no table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListFaults {
    /// The first of them, at most [`FAULTS_MAX`].
    pub faults: Vec<ListFault>,
    /// How many there are.
    pub count: usize,
}

impl NumberTable {
    /// Reads a list: a line an entry, `+` and up to 15 digits, behind a comma its class if it has one. Blanks around both,
    /// empty lines, and what stands behind a `#` do not count; a first line of words is a heading.
    ///
    /// # Errors
    ///
    /// Every line that is wrong, an entry that stands twice with them: nothing of such a list is loaded.
    pub fn read(text: &[u8]) -> Result<Self, ListFaults> {
        Reader::new(text).read(text)
    }

    /// How many entries there are.
    pub const fn len(&self) -> usize {
        self.entries
    }

    /// Is there none?
    pub const fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// How many bytes the table takes.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.slots) + size_of_val(&*self.classes)
    }

    /// Names of the classes that its entries have.
    pub fn classes(&self) -> &[String] {
        &self.names
    }

    /// Returns the longest entry that *number* (`+` and digits) begins with.
    pub fn longest(&self, number: &str) -> Option<Entry<'_>> {
        let (digits, slot) = self.longest_slot(number)?;
        let name = |class: usize| self.names.get(class.checked_sub(1)?).map(String::as_str);
        Some(Entry { digits, class: name(usize::from(self.class(slot))) })
    }

    /// The same for whoever compares classes only: the number of its class, 0 for an entry without one.
    pub(super) fn longest_class(&self, number: &str) -> Option<u16> {
        self.longest_slot(number).map(|(_, slot)| self.class(slot))
    }

    /// The number of a class, from 1.
    pub(super) fn class_number(&self, name: &str) -> Option<u16> {
        let at = self.names.iter().position(|known| known == name)?;
        u16::try_from(at + 1).ok()
    }

    fn longest_slot(&self, number: &str) -> Option<(usize, usize)> {
        let keys = Keys::of(number.as_bytes())?;
        let mut left = self.lengths & mask_up_to(keys.digits());
        while left != 0 {
            let digits = (u16::BITS - 1 - left.leading_zeros()) as usize;
            if let Some(slot) = self.find(keys.key(digits)?) {
                return Some((digits, slot));
            }
            left &= !(1 << digits);
        }
        None
    }

    fn class(&self, slot: usize) -> u16 {
        self.classes.get(slot).copied().unwrap_or_default()
    }

    fn find(&self, key: u64) -> Option<usize> {
        probe(self.slots.len(), key).find_map(|slot| match self.slots.get(slot) {
            Some(found) if *found == key => Some(Some(slot)),
            Some(&EMPTY) | None => Some(None),
            Some(_) => None,
        })?
    }

    /// Puts a key into its slot. `Err` with the slot when it is there already.
    fn insert(&mut self, key: u64) -> Result<usize, usize> {
        for slot in probe(self.slots.len(), key) {
            let Some(place) = self.slots.get_mut(slot) else { break };
            if *place == key {
                return Err(slot);
            }
            if *place == EMPTY {
                *place = key;
                self.entries += 1;
                self.lengths |= 1 << digits_of(key);
                return Ok(slot);
            }
        }
        unreachable!("INVARIANT: at most half of the slots are taken")
    }
}

/// The slots to look at for a key, the likeliest first; a table has a power of two of them.
fn probe(slots: usize, key: u64) -> impl Iterator<Item = usize> {
    let mask = slots.wrapping_sub(1);
    let first = if slots == 0 { 0 } else { (key.wrapping_mul(SPREAD) >> 32) as usize };
    (0..slots).map(move |step| first.wrapping_add(step) & mask)
}

const fn digits_of(key: u64) -> u32 {
    ((key >> COUNT_SHIFT) as u32).wrapping_sub(1)
}

/// The lengths from 0 to *digits*.
const fn mask_up_to(digits: usize) -> u16 {
    u16::MAX >> (15 - if digits < DIGITS_MAX { digits } else { DIGITS_MAX })
}

/// The digits of a number, and the key of every prefix of it.
struct Keys {
    values: [u64; DIGITS_MAX + 1],
    count: usize,
}

impl Keys {
    /// `None` without a `+`. Reads up to the first character that is no digit, and no more than 15 digits.
    fn of(number: &[u8]) -> Option<Self> {
        let mut keys = Self { values: [0; DIGITS_MAX + 1], count: 0 };
        let mut value = 0;
        for (at, byte) in number.strip_prefix(b"+")?.iter().take(DIGITS_MAX).enumerate() {
            if !byte.is_ascii_digit() {
                break;
            }
            value = value * 10 + u64::from(byte - b'0');
            *keys.values.get_mut(at + 1)? = value;
            keys.count = at + 1;
        }
        Some(keys)
    }

    const fn digits(&self) -> usize {
        self.count
    }

    fn key(&self, digits: usize) -> Option<u64> {
        Some(self.values.get(digits)? | (digits as u64 + 1) << COUNT_SHIFT)
    }
}

/// What is known while a list is read.
struct Reader {
    table: NumberTable,
    /// Of each slot, the line that filled it.
    lines: Vec<u32>,
    numbers: HashMap<String, u16>,
    faults: Vec<ListFault>,
    count: usize,
}

impl Reader {
    /// Makes room for as many entries as *text* has lines.
    fn new(text: &[u8]) -> Self {
        let lines = memchr::memchr_iter(b'\n', text).count().saturating_add(1).min(ENTRIES_MAX);
        let slots = (lines * 2).next_power_of_two().max(SLOTS_MIN);
        let table = NumberTable { slots: vec![EMPTY; slots].into_boxed_slice(), ..NumberTable::default() };
        Self { table, lines: vec![0; slots], numbers: HashMap::new(), faults: Vec::new(), count: 0 }
    }

    fn read(mut self, text: &[u8]) -> Result<NumberTable, ListFaults> {
        if text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") {
            self.fault(1, 1, "the file is UTF-16: save it as UTF-8".to_owned());
        } else {
            let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
            for (at, line) in text.split(|byte| *byte == b'\n').enumerate() {
                self.line(at + 1, line);
            }
        }
        if self.count > 0 {
            return Err(ListFaults { faults: self.faults, count: self.count });
        }
        Ok(self.table)
    }

    fn line(&mut self, number: usize, line: &[u8]) {
        let text = line.split(|byte| *byte == b'#').next().unwrap_or_default();
        let Ok(text) = std::str::from_utf8(text) else {
            return self.fault(number, 1, "not UTF-8".to_owned());
        };
        let (prefix, class) = text.split_once(',').map_or((text, None), |(one, two)| (one, Some(two.trim())));
        let prefix = prefix.trim();
        if prefix.is_empty() && class.is_none() {
            return;
        }
        let is_heading = number == 1 && prefix.chars().all(|letter| letter.is_alphabetic() || letter == '_');
        if is_heading && !prefix.is_empty() {
            return;
        }
        let column = offset(text, prefix) + 1;
        let Some(key) = key_of(prefix) else {
            let problem = format!("\"{prefix}\" is not `+` and up to {DIGITS_MAX} digits");
            return self.fault(number, column, problem);
        };
        let class = match class.filter(|class| !class.is_empty()) {
            Some(class) => match self.class(class) {
                Ok(class) => class,
                Err(problem) => return self.fault(number, offset(text, class) + 1, problem),
            },
            None => 0,
        };
        self.enter(number, column, prefix, key, class);
    }

    fn enter(&mut self, line: usize, column: usize, prefix: &str, key: u64, class: u16) {
        if self.table.entries >= ENTRIES_MAX {
            return self.fault(line, column, format!("more than {ENTRIES_MAX} entries"));
        }
        match self.table.insert(key) {
            Ok(slot) => {
                if let Some(place) = self.lines.get_mut(slot) {
                    *place = u32::try_from(line).unwrap_or(u32::MAX);
                }
                if class != 0 && self.table.classes.is_empty() {
                    self.table.classes = vec![0; self.table.slots.len()].into_boxed_slice();
                }
                if let Some(place) = self.table.classes.get_mut(slot) {
                    *place = class;
                }
            }
            Err(slot) => {
                let earlier = self.lines.get(slot).copied().unwrap_or_default();
                self.fault(line, column, format!("{prefix} stands in line {earlier} too"));
            }
        }
    }

    /// Returns the number of a class, which is new or known.
    fn class(&mut self, name: &str) -> Result<u16, String> {
        if let Some(number) = self.numbers.get(name) {
            return Ok(*number);
        }
        let is_id =
            name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if !is_id {
            return Err(format!("\"{name}\" is no name: lower case letters, digits and _"));
        }
        let number =
            u16::try_from(self.numbers.len() + 1).map_err(|_| "more than 65,535 classes".to_owned())?;
        self.numbers.insert(name.to_owned(), number);
        self.table.names.push(name.to_owned());
        Ok(number)
    }

    fn fault(&mut self, line: usize, column: usize, problem: String) {
        self.count += 1;
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(ListFault { line, column, problem });
        }
    }
}

/// The key of a whole entry.
fn key_of(prefix: &str) -> Option<u64> {
    let keys = Keys::of(prefix.as_bytes())?;
    if keys.digits() + 1 == prefix.len() { keys.key(keys.digits()) } else { None }
}

/// Where *part* begins in *whole*, which it was cut from.
fn offset(whole: &str, part: &str) -> usize {
    part.as_ptr().addr() - whole.as_ptr().addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> NumberTable {
        NumberTable::read(text.as_bytes()).expect("a good list")
    }

    fn problems(text: &[u8]) -> Vec<String> {
        NumberTable::read(text).expect_err("a bad list").faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_longest_entry_is_found() {
        let table = table("prefix,class\n+44, national\n+4490,premium # dear\r\n\n+441632960083\n+,world\n");
        assert_eq!(table.len(), 4);
        for (number, digits, class) in [
            ("+441632960083", 12, None),
            ("+44163296008", 2, Some("national")),
            ("+449012345678", 4, Some("premium")),
            ("+33", 0, Some("world")),
            ("+44;ext=1", 2, Some("national")),
            ("+4490123456789012345678", 4, Some("premium")),
        ] {
            assert_eq!(table.longest(number), Some(Entry { digits, class }), "{number}");
        }
        assert_eq!(table.longest("441632960083"), None);
        assert_eq!(table.longest(""), None);
    }

    #[test]
    fn a_number_of_fifteen_digits_and_leading_zeros_are_told_apart() {
        let table = table("+999999999999999\n+0\n+00\n");
        assert_eq!(table.longest("+999999999999999").map(|entry| entry.digits), Some(15));
        assert_eq!(table.longest("+001").map(|entry| entry.digits), Some(2));
        assert_eq!(table.longest("+01").map(|entry| entry.digits), Some(1));
        assert_eq!(table.longest("+99999999999999"), None);
    }

    #[test]
    fn an_empty_list_holds_nothing() {
        for text in ["", "\n\n", "# nothing\n", "number\n"] {
            let table = table(text);
            assert!(table.is_empty(), "{text:?}");
            assert_eq!(table.longest("+44"), None);
        }
        assert_eq!(NumberTable::default().longest("+44"), None);
    }

    #[test]
    fn every_line_that_is_wrong_is_told_with_its_place() {
        let text = b"+44\n+44x\n 44\n+1234567890123456\n+44,b\n+45,Not A Name\n,premium\n+4\xff\n";
        assert_eq!(
            problems(text),
            [
                "line 2, column 1: \"+44x\" is not `+` and up to 15 digits",
                "line 3, column 2: \"44\" is not `+` and up to 15 digits",
                "line 4, column 1: \"+1234567890123456\" is not `+` and up to 15 digits",
                "line 5, column 1: +44 stands in line 1 too",
                "line 6, column 5: \"Not A Name\" is no name: lower case letters, digits and _",
                "line 7, column 1: \"\" is not `+` and up to 15 digits",
                "line 8, column 1: not UTF-8",
            ]
        );
    }

    #[test]
    fn another_encoding_is_named() {
        assert_eq!(
            problems(b"\xff\xfe+\x004\x00"),
            ["line 1, column 1: the file is UTF-16: save it as UTF-8"]
        );
        assert_eq!(table("\u{feff}+44\n").len(), 1);
    }

    #[test]
    fn faults_beyond_the_first_hundred_are_counted() {
        let faults = NumberTable::read("x1\n".repeat(1_000).as_bytes()).expect_err("a bad list");
        assert_eq!((faults.faults.len(), faults.count), (FAULTS_MAX, 1_000));
    }

    #[test]
    fn a_hundred_thousand_entries_are_all_found_and_no_other() {
        let lines: Vec<String> = (0..100_000).map(|at| format!("+4{:07}", at * 7)).collect();
        let text = lines.join("\n");
        let table = table(&text);
        assert_eq!(table.len(), 100_000);
        assert!(table.bytes() < 100_000 * 24);
        for at in 0..700_000_u32 {
            let found = table.longest(&format!("+4{at:07}"));
            assert_eq!(found.is_some(), at % 7 == 0, "{at}");
        }
    }
}

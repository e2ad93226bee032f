//! What is asked of a number: prefixes, ranges, a count of digits, membership of a list.

use std::sync::Arc;

use super::super::number_table::NumberTable;
use super::super::prefixes::PrefixTrie;
use super::Lists;
use super::list_index::class_numbers;
use crate::snapshot::document::{ListCondition, NumberCondition};

/// One question about a number; it holds when one of its parts does.
#[derive(Debug)]
pub(in crate::decide) enum NumberTest {
    Prefixes(PrefixTrie),
    Ranges(Box<[Range]>),
    Digits(u8, u8),
    Lists(Box<[Membership]>),
}

/// Numbers from one to another, both of them in it, all of as many digits.
#[derive(Debug)]
pub(in crate::decide) struct Range {
    digits: usize,
    first: u64,
    last: u64,
}

/// A list, and the classes that count.
#[derive(Debug)]
pub(in crate::decide) struct Membership {
    table: Arc<NumberTable>,
    /// By their numbers; any when empty.
    classes: Box<[u16]>,
}

impl NumberTest {
    /// Compiles what is asked, a test a matcher. *find* knows the lists by their ids.
    pub(super) fn compile(
        condition: &NumberCondition,
        find: impl Fn(&ListCondition) -> Result<Arc<NumberTable>, String>,
    ) -> Result<Vec<Self>, String> {
        let mut tests = Vec::new();
        if !condition.prefixes.is_empty() {
            let mut prefixes = PrefixTrie::default();
            condition.prefixes.iter().try_for_each(|prefix| prefixes.insert(prefix, 0))?;
            tests.push(Self::Prefixes(prefixes));
        }
        if !condition.ranges.is_empty() {
            let ranges = condition.ranges.iter().map(|(first, last)| Range::compile(first, last));
            tests.push(Self::Ranges(ranges.collect::<Result<_, _>>()?));
        }
        if let Some((least, greatest)) = condition.digits {
            if least == 0 || least > greatest {
                return Err(format!("{least} to {greatest} digits is nothing"));
            }
            tests.push(Self::Digits(least, greatest));
        }
        if !condition.lists.is_empty() {
            let lists = condition.lists.iter().map(|list| {
                let table = find(list)?;
                let classes = class_numbers(&table, list)?.into_boxed_slice();
                Ok::<_, String>(Membership { table, classes })
            });
            tests.push(Self::Lists(lists.collect::<Result<_, _>>()?));
        }
        Ok(tests)
    }

    /// Compiles the lists of *condition*, of those that are there.
    pub(in crate::decide) fn of_lists(
        condition: &NumberCondition,
        lists: &Lists,
    ) -> Result<Vec<Self>, String> {
        Self::compile(condition, |wanted| {
            lists.get(&wanted.list).cloned().ok_or_else(|| format!("unknown list \"{}\"", wanted.list))
        })
    }

    /// Does it hold for a global number (`+` and digits)?
    pub(in crate::decide) fn holds(&self, number: &str) -> bool {
        match self {
            Self::Prefixes(prefixes) => prefixes.covers(0, number),
            Self::Ranges(ranges) => value_of(number)
                .is_some_and(|(digits, value)| ranges.iter().any(|range| range.contains(digits, value))),
            Self::Digits(least, greatest) => {
                let digits = number.len().saturating_sub(1);
                (usize::from(*least)..=usize::from(*greatest)).contains(&digits)
            }
            Self::Lists(lists) => lists.iter().any(|list| list.holds(number)),
        }
    }

    /// Says in words why it does not hold.
    pub(super) fn refusal(&self, number: &str) -> String {
        match self {
            Self::Prefixes(_) => format!("{number} begins with none of the prefixes"),
            Self::Ranges(_) => format!("{number} is in none of the ranges"),
            Self::Digits(least, greatest) => format!("{number} has not {least} to {greatest} digits"),
            Self::Lists(_) => format!("{number} is in none of the lists"),
        }
    }
}

impl Range {
    fn compile(first: &str, last: &str) -> Result<Self, String> {
        let wrong = || format!("{first} to {last} is no range of numbers with as many digits");
        let (digits, low) = value_of(first).ok_or_else(wrong)?;
        let (others, high) = value_of(last).ok_or_else(wrong)?;
        if digits != others || low > high {
            return Err(wrong());
        }
        Ok(Self { digits, first: low, last: high })
    }

    const fn contains(&self, digits: usize, value: u64) -> bool {
        digits == self.digits && self.first <= value && value <= self.last
    }
}

impl Membership {
    fn holds(&self, number: &str) -> bool {
        let found = self.table.longest_class(number);
        found.is_some_and(|class| self.classes.is_empty() || self.classes.contains(&class))
    }
}

/// How many digits a global number has, and their value.
fn value_of(number: &str) -> Option<(usize, u64)> {
    let digits = number.strip_prefix('+')?;
    let is_number =
        !digits.is_empty() && digits.len() <= 15 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { digits.parse().ok().map(|value| (digits.len(), value)) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tests(condition: &NumberCondition) -> Result<Vec<NumberTest>, String> {
        let list = NumberTable::read(b"+4490,premium\n+44,national\n+4411").expect("a good list");
        let list = Arc::new(list);
        NumberTest::compile(condition, |wanted| match wanted.list.as_str() {
            "classes" => Ok(Arc::clone(&list)),
            other => Err(format!("no list {other}")),
        })
    }

    fn holds(condition: &NumberCondition, number: &str) -> bool {
        tests(condition).expect("a good condition").iter().all(|test| test.holds(number))
    }

    fn in_list(classes: &[&str]) -> NumberCondition {
        let classes = classes.iter().map(|class| (*class).to_owned()).collect();
        let list = ListCondition { list: "classes".to_owned(), classes };
        NumberCondition { lists: vec![list], ..NumberCondition::default() }
    }

    #[test]
    fn a_range_holds_both_its_ends_and_no_number_of_another_length() {
        let range = || NumberCondition {
            ranges: vec![("+4416329600".to_owned(), "+4416329699".to_owned())],
            ..NumberCondition::default()
        };
        for (number, is_in) in [
            ("+4416329600", true),
            ("+4416329650", true),
            ("+4416329699", true),
            ("+4416329700", false),
            ("+4416329599", false),
            ("+44163296500", false),
        ] {
            assert_eq!(holds(&range(), number), is_in, "{number}");
        }
    }

    #[test]
    fn the_longest_entry_says_the_class() {
        for (classes, number, is_in) in [
            (&[][..], "+4490123", true),
            (&["premium"], "+4490123", true),
            (&["national"], "+4490123", false),
            (&["premium", "national"], "+4420", true),
            (&["national"], "+4411", false),
            (&[], "+33", false),
        ] {
            assert_eq!(holds(&in_list(classes), number), is_in, "{classes:?} {number}");
        }
    }

    #[test]
    fn every_matcher_that_is_given_must_hold() {
        let both = || NumberCondition {
            prefixes: vec!["+44".to_owned(), "+33".to_owned()],
            digits: Some((5, 7)),
            ..NumberCondition::default()
        };
        assert!(holds(&both(), "+33123"));
        assert!(!holds(&both(), "+3312"));
        assert!(!holds(&both(), "+49123"));
    }

    #[test]
    fn what_can_never_hold_is_refused() {
        let range = |first: &str, last: &str| NumberCondition {
            ranges: vec![(first.to_owned(), last.to_owned())],
            ..NumberCondition::default()
        };
        for condition in [
            range("+45", "+44"),
            range("+44", "+445"),
            range("44", "45"),
            range("+", "+"),
            NumberCondition { digits: Some((8, 7)), ..NumberCondition::default() },
            NumberCondition { prefixes: vec!["44".to_owned()], ..NumberCondition::default() },
            in_list(&["satellite"]),
        ] {
            assert!(tests(&condition).is_err(), "{condition:?}");
        }
    }
}

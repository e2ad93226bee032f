//! Rules by the class that a list gives to a number: a thousand rules that share a table cost one look into it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::number_table::NumberTable;
use super::Lists;
use crate::snapshot::document::{ListCondition, NumberCondition};

/// So many rules must ask for a list before it is looked into once for all of them: below, those that come too late for it
/// are cheaper one by one.
const SHARED_BY: usize = 8;

/// Lists that many rules ask for, with the rules of each class.
#[derive(Debug, Default)]
pub(in crate::decide) struct ListIndex {
    lists: Vec<Shared>,
}

#[derive(Debug)]
struct Shared {
    id: String,
    table: Arc<NumberTable>,
    /// By the number of a class, ascending; those that take any class are in all of them.
    rules: Box<[Vec<u32>]>,
}

impl ListIndex {
    /// Makes room for the lists that many of the outermost conditions ask for.
    pub(in crate::decide) fn of<'d>(
        conditions: impl Iterator<Item = &'d NumberCondition>,
        lists: &Lists,
    ) -> Self {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for asked in conditions.filter_map(single) {
            *counts.entry(&asked.list).or_default() += 1;
        }
        let shared = |(id, count): (&str, usize)| {
            let table = lists.get(id).filter(|_| count >= SHARED_BY)?;
            let rules = vec![Vec::new(); table.classes().len() + 1].into_boxed_slice();
            Some(Shared { id: id.to_owned(), table: Arc::clone(table), rules })
        };
        Self { lists: counts.into_iter().filter_map(shared).collect() }
    }

    /// Enters *rule*, if it asks for one list and that is here; or says which class the list does not have. Rules come in
    /// ascending order.
    pub(super) fn insert(&mut self, rule: u32, condition: &NumberCondition) -> Result<bool, String> {
        let Some(asked) = single(condition) else { return Ok(false) };
        let Some(shared) = self.lists.iter_mut().find(|shared| shared.id == asked.list) else {
            return Ok(false);
        };
        if asked.classes.is_empty() {
            shared.rules.iter_mut().for_each(|rules| rules.push(rule));
        }
        for class in class_numbers(&shared.table, asked)? {
            if let Some(rules) = shared.rules.get_mut(usize::from(class)) {
                rules.push(rule);
            }
        }
        Ok(true)
    }

    /// The rules that *number* falls under, a list of them for each table that has it.
    pub(super) fn rules_of<'t>(&'t self, number: &str) -> impl Iterator<Item = &'t [u32]> {
        self.lists.iter().filter_map(move |shared| {
            let class = shared.table.longest_class(number)?;
            shared.rules.get(usize::from(class)).map(Vec::as_slice)
        })
    }
}

/// The one list that is asked for, where it is one.
fn single(condition: &NumberCondition) -> Option<&ListCondition> {
    match condition.lists.as_slice() {
        [asked] => Some(asked),
        _ => None,
    }
}

/// The numbers of the classes that are asked for, or which of them no entry has.
pub(super) fn class_numbers(table: &NumberTable, asked: &ListCondition) -> Result<Vec<u16>, String> {
    let number = |class: &String| {
        table
            .class_number(class)
            .ok_or_else(|| format!("no entry of the list {} is of the class {class}", asked.list))
    };
    asked.classes.iter().map(number).collect()
}

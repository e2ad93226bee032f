//! A bounded table whose places are reused under new names.

use super::chunks::Chunks;

/// Names one value of a [`Table`] for as long as it is there; never again afterwards (until 2³² reuses of one place).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId {
    /// The place.
    pub index: u32,
    /// How often the place was given away before.
    pub generation: u32,
}

impl SlotId {
    /// Packs the name into one number, for ids that leave this crate.
    pub const fn to_u64(self) -> u64 {
        (self.generation as u64) << 32 | self.index as u64
    }

    /// Unpacks what [`Self::to_u64`] packed.
    pub const fn from_u64(packed: u64) -> Self {
        Self { index: packed as u32, generation: (packed >> 32) as u32 }
    }
}

/// The table holds as much as it may. New work is to be refused with 503.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the table is full")]
pub struct Full;

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    content: Content<T>,
}

#[derive(Debug)]
enum Content<T> {
    Used(T),
    Free { next: Option<u32> },
}

/// Up to `capacity_max` values, each found by its [`SlotId`] in constant time.
///
/// # Invariant
///
/// A [`SlotId`] that was removed finds nothing, even after its place was reused: whoever keeps one (a timer, a question) may come
/// too late without harm.
#[derive(Debug)]
pub struct Table<T> {
    slots: Chunks<Slot<T>>,
    free: Option<u32>,
    len: usize,
    capacity_max: usize,
}

impl<T> Table<T> {
    /// Makes an empty table; memory grows with use and is kept.
    pub const fn new(capacity_max: usize) -> Self {
        let bound = u32::MAX as usize;
        Self {
            slots: Chunks::new(),
            free: None,
            len: 0,
            capacity_max: if capacity_max < bound { capacity_max } else { bound },
        }
    }

    /// Puts *value* in.
    ///
    /// # Errors
    ///
    /// `Full` when `capacity_max` values are there; *value* is dropped. Ask [`Self::is_full`] first to keep it.
    pub fn insert(&mut self, value: T) -> Result<SlotId, Full> {
        if self.is_full() {
            return Err(Full);
        }
        self.len += 1;
        let Some(index) = self.free else {
            let index = self.slots.push(Slot { generation: 0, content: Content::Used(value) }) as u32;
            return Ok(SlotId { index, generation: 0 });
        };
        // INVARIANT: `free` leads from one free place to the next, and all of them lie in `slots`.
        let slot = &mut self.slots[index as usize];
        if let Content::Free { next } = std::mem::replace(&mut slot.content, Content::Used(value)) {
            self.free = next;
        }
        Ok(SlotId { index, generation: slot.generation })
    }

    /// The value named *id*, if it is still there.
    pub fn get(&self, id: SlotId) -> Option<&T> {
        match self.slots.get(id.index as usize)? {
            Slot { generation, content: Content::Used(value) } if *generation == id.generation => Some(value),
            _ => None,
        }
    }

    /// The value named *id*, if it is still there, to be changed.
    pub fn get_mut(&mut self, id: SlotId) -> Option<&mut T> {
        match self.slots.get_mut(id.index as usize)? {
            Slot { generation, content: Content::Used(value) } if *generation == id.generation => Some(value),
            _ => None,
        }
    }

    /// Takes the value named *id* out; its name is void from now on.
    pub fn remove(&mut self, id: SlotId) -> Option<T> {
        self.get(id)?;
        let slot = self.slots.get_mut(id.index as usize)?;
        slot.generation = slot.generation.wrapping_add(1);
        let content = std::mem::replace(&mut slot.content, Content::Free { next: self.free });
        self.free = Some(id.index);
        self.len -= 1;
        match content {
            Content::Used(value) => Some(value),
            Content::Free { .. } => None,
        }
    }

    /// All values with their names, by place.
    pub fn iter(&self) -> impl Iterator<Item = (SlotId, &T)> {
        self.slots.iter().enumerate().filter_map(|(index, slot)| match &slot.content {
            Content::Used(value) => {
                Some((SlotId { index: index as u32, generation: slot.generation }, value))
            }
            Content::Free { .. } => None,
        })
    }

    /// How many values are there.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Tells whether nothing is there.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Tells whether the next [`Self::insert`] would be refused.
    pub const fn is_full(&self) -> bool {
        self.len >= self.capacity_max
    }

    /// How many values may be there.
    pub const fn capacity_max(&self) -> usize {
        self.capacity_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_finds_its_value_and_nothing_after_removal() {
        let mut table = Table::new(4);
        let first = table.insert("first").unwrap();
        let second = table.insert("second").unwrap();
        assert_eq!(table.get(first), Some(&"first"));
        assert_eq!(table.remove(first), Some("first"));
        assert_eq!(table.remove(first), None);
        let third = table.insert("third").unwrap();
        assert_eq!(third.index, first.index);
        assert_eq!(table.get(first), None);
        assert_eq!(table.get_mut(first), None);
        assert_eq!(table.get(third), Some(&"third"));
        assert_eq!(table.get(second), Some(&"second"));
        assert_eq!(table.iter().count(), table.len());
    }

    #[test]
    fn the_bound_holds() {
        let mut table = Table::new(2);
        let first = table.insert(1).unwrap();
        table.insert(2).unwrap();
        assert!(table.is_full());
        assert_eq!(table.insert(3), Err(Full));
        table.remove(first);
        assert!(table.insert(3).is_ok());
        assert_eq!(table.len(), 2);
        assert_eq!(Table::<()>::new(0).insert(()), Err(Full));
    }

    #[test]
    fn freed_places_are_used_before_new_ones() {
        let mut table = Table::new(100);
        let ids: Vec<_> = (0..10).map(|value| table.insert(value).unwrap()).collect();
        for id in &ids {
            table.remove(*id);
        }
        assert!(table.is_empty());
        for value in 0..10 {
            let id = table.insert(value).unwrap();
            assert!(id.index < 10);
            assert_eq!(id.generation, 1);
        }
    }

    #[test]
    fn a_name_survives_packing() {
        let id = SlotId { index: 0xdead_beef, generation: 0x0102_0304 };
        assert_eq!(SlotId::from_u64(id.to_u64()), id);
    }

    #[test]
    fn a_foreign_name_finds_nothing() {
        let table = Table::<u8>::new(1);
        assert_eq!(table.get(SlotId { index: u32::MAX, generation: 0 }), None);
    }
}

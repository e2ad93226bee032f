//! The fuzzer's bytes, read one after the other. Past the end everything is 0, so that any prefix is an input too.

/// What is left of the input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub(crate) fn number(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// At most *length* bytes.
    pub(crate) fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// One of *choices*, which must not be empty.
    pub(crate) fn choose<'t, T>(&mut self, choices: &'t [T]) -> &'t T {
        &choices[usize::from(self.byte()) % choices.len()]
    }

    /// One of *choices*, if there are any; the latest for 0.
    pub(crate) fn latest<'t, T>(&mut self, choices: &'t [T]) -> Option<&'t T> {
        let back = usize::from(self.byte()) % choices.len().max(1);
        choices.len().checked_sub(back + 1).and_then(|at| choices.get(at))
    }
}

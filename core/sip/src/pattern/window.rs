//! What one key did within a time that slides on, in ten steps.

use smallvec::SmallVec;

/// Steps of a window: what is older than all of them is forgotten a step at a time.
const STEPS: usize = 10;

/// A number that was seen, and in which step last.
type Seen = (u32, u32);

/// The counts of one key.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    /// The step of the latest count.
    step: u64,
    counted: [u32; STEPS],
    all: [u32; STEPS],
    /// The different numbers, where these are counted.
    seen: SmallVec<[Seen; 1]>,
}

/// The time of a window, cut into steps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps {
    pub(super) step_ms: u64,
}

impl Steps {
    pub(super) fn of_window(window_ms: u64) -> Self {
        Self { step_ms: window_ms.div_ceil(STEPS as u64).max(1) }
    }

    fn at(self, unix_ms: u64) -> u64 {
        unix_ms / self.step_ms
    }
}

impl Window {
    /// Is nothing left in it?
    pub(super) fn is_over(&self, steps: Steps, unix_ms: u64) -> bool {
        steps.at(unix_ms).saturating_sub(self.step) >= STEPS as u64
    }

    /// Counts a call; *amount* is 0 if it is none of those that are counted.
    pub(super) fn count(&mut self, steps: Steps, unix_ms: u64, amount: u32) {
        let at = self.move_to(steps.at(unix_ms));
        if let (Some(counted), Some(all)) = (self.counted.get_mut(at), self.all.get_mut(at)) {
            *counted = counted.saturating_add(amount);
            *all = all.saturating_add(1);
        }
    }

    /// Notes one of the different numbers, of which no more than *max* are kept.
    pub(super) fn see(&mut self, steps: Steps, unix_ms: u64, number: u32, max: usize) {
        self.move_to(steps.at(unix_ms));
        let step = self.step as u32;
        if let Some(known) = self.seen.iter_mut().find(|(known, _)| *known == number) {
            known.1 = step;
            return;
        }
        if self.seen.len() >= max {
            self.forget_old();
        }
        if self.seen.len() < max {
            self.seen.push((number, step));
        }
    }

    /// How many were counted, and of how many.
    pub(super) fn sums(&self) -> (u64, u64) {
        let sum = |counts: &[u32; STEPS]| counts.iter().map(|count| u64::from(*count)).sum();
        (sum(&self.counted), sum(&self.all))
    }

    /// How many different numbers were seen.
    pub(super) fn different(&mut self) -> u64 {
        self.forget_old();
        self.seen.len() as u64
    }

    fn forget_old(&mut self) {
        let step = self.step as u32;
        self.seen.retain(|(_, seen)| step.wrapping_sub(*seen) < STEPS as u32);
    }

    /// Empties the steps that passed since the latest count; returns the place of this one. Calls are told a little out of their
    /// order, and a clock may be set back: what is older counts as of now.
    fn move_to(&mut self, step: u64) -> usize {
        let passed = step.saturating_sub(self.step).min(STEPS as u64);
        for gone in 1..=passed {
            let at = (self.step.max(step.saturating_sub(STEPS as u64)) + gone) as usize % STEPS;
            if let (Some(counted), Some(all)) = (self.counted.get_mut(at), self.all.get_mut(at)) {
                (*counted, *all) = (0, 0);
            }
        }
        self.step = self.step.max(step);
        self.step as usize % STEPS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Steps = Steps { step_ms: 6_000 };

    #[test]
    fn what_is_older_than_the_window_is_forgotten_step_by_step() {
        let mut window = Window::default();
        window.count(MINUTE, 600_000, 1);
        window.count(MINUTE, 630_000, 1);
        window.count(MINUTE, 653_999, 0);
        assert_eq!(window.sums(), (2, 3));
        window.count(MINUTE, 660_000, 0);
        assert_eq!(window.sums(), (1, 3), "the first is a minute ago");
        assert!(!window.is_over(MINUTE, 719_999));
        assert!(window.is_over(MINUTE, 720_000));
        window.count(MINUTE, 9_000_000, 1);
        assert_eq!(window.sums(), (1, 1));
    }

    #[test]
    fn a_clock_that_is_set_back_empties_nothing() {
        let mut window = Window::default();
        window.count(MINUTE, 660_000, 1);
        window.count(MINUTE, 600_000, 1);
        assert_eq!(window.sums(), (2, 2));
    }

    #[test]
    fn different_numbers_are_counted_once_and_no_more_than_asked_for() {
        let mut window = Window::default();
        for number in [1, 2, 2, 1, 3] {
            window.see(MINUTE, 600_000, number, 3);
        }
        window.see(MINUTE, 606_000, 4, 3);
        assert_eq!(window.different(), 3);
        window.see(MINUTE, 606_000, 3, 3);
        window.see(MINUTE, 660_000, 5, 3);
        assert_eq!(window.different(), 2, "3 was seen again, 1 and 2 are a minute ago");
    }

    #[test]
    fn a_window_is_small() {
        assert!(std::mem::size_of::<Window>() <= 112, "{}", std::mem::size_of::<Window>());
    }
}

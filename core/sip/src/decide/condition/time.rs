//! Times of the week in a time zone. Zones are the control plane's business: here they are offsets with the moments from
//! which they hold, so no worker reads a file, and a change of the clocks falls on its second.

use crate::snapshot::document::TimeCondition;

const MINUTES_A_DAY: i64 = 24 * 60;
/// 1970-01-01 was a Thursday; days count from Monday.
const FIRST_DAY: i64 = 3;

/// A window of the week.
#[derive(Debug)]
pub(in crate::decide) struct TimeWindow {
    days: u8,
    from: i64,
    length: i64,
    offsets: Box<[(i64, i32)]>,
}

impl TimeWindow {
    /// Compiles a condition, or says what is wrong with it.
    pub(super) fn compile(condition: &TimeCondition) -> Result<Self, String> {
        let (from, to) = (i64::from(condition.minutes.0), i64::from(condition.minutes.1));
        if from >= MINUTES_A_DAY || to > MINUTES_A_DAY {
            return Err("a day has 1,440 minutes".to_owned());
        }
        if condition.days == 0 || condition.days > 0x7f {
            return Err("days are bits 0 to 6".to_owned());
        }
        if !condition.offsets.is_sorted_by_key(|(since, _)| *since) {
            return Err("offsets must ascend".to_owned());
        }
        let length = if to > from { to - from } else { to + MINUTES_A_DAY - from };
        Ok(Self { days: condition.days, from, length, offsets: condition.offsets.as_slice().into() })
    }

    /// Is it open at a moment, in milliseconds since 1970?
    pub(super) fn is_open(&self, unix_ms: u64) -> bool {
        let utc = i64::try_from(unix_ms / 1_000).unwrap_or(i64::MAX / 2);
        let behind = self.offsets.partition_point(|(since, _)| *since <= utc);
        let offset =
            behind.checked_sub(1).and_then(|at| self.offsets.get(at)).map_or(0, |(_, offset)| *offset);
        let minutes = (utc + i64::from(offset)).div_euclid(60);
        let (day, minute) = (minutes.div_euclid(MINUTES_A_DAY), minutes.rem_euclid(MINUTES_A_DAY));
        // Opened today, or yesterday and open over midnight.
        [(day, minute), (day - 1, minute + MINUTES_A_DAY)].into_iter().any(|(day, minute)| {
            let weekday = (day + FIRST_DAY).rem_euclid(7);
            self.days >> weekday & 1 == 1 && (self.from..self.from + self.length).contains(&minute)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONDAY_TO_FRIDAY: u8 = 0b001_1111;
    const SATURDAY: u8 = 1 << 5;
    /// Saturday, 2026-11-28 00:00:00 UTC.
    const MIDNIGHT_S: u64 = 1_795_824_000;

    fn window(days: u8, minutes: (u16, u16), offsets: &[(i64, i32)]) -> TimeWindow {
        TimeWindow::compile(&TimeCondition { days, minutes, offsets: offsets.to_vec() })
            .expect("a good window")
    }

    fn at(hours: u64, minutes: u64) -> u64 {
        (MIDNIGHT_S + hours * 3_600 + minutes * 60) * 1_000
    }

    #[test]
    fn a_window_opens_and_closes_on_its_minute() {
        let office = window(SATURDAY, (8 * 60, 18 * 60), &[]);
        for (moment, is_open) in
            [(at(7, 59), false), (at(8, 0), true), (at(17, 59), true), (at(18, 0), false), (at(32, 0), false)]
        {
            assert_eq!(office.is_open(moment), is_open, "{moment}");
        }
        assert!(!window(MONDAY_TO_FRIDAY, (0, 1_440), &[]).is_open(at(12, 0)));
        assert!(window(MONDAY_TO_FRIDAY, (0, 1_440), &[]).is_open(at(60, 0)), "Monday noon");
    }

    #[test]
    fn a_window_over_midnight_is_of_the_day_on_which_it_opens() {
        let night = window(SATURDAY, (22 * 60, 6 * 60), &[]);
        for (moment, is_open) in
            [(at(5, 0), false), (at(22, 0), true), (at(29, 59), true), (at(30, 0), false)]
        {
            assert_eq!(night.is_open(moment), is_open, "{moment}");
        }
        let whole_day = window(SATURDAY, (0, 0), &[]);
        assert!(
            whole_day.is_open(at(0, 0)) && whole_day.is_open(at(23, 59)) && !whole_day.is_open(at(24, 0))
        );
    }

    #[test]
    fn an_offset_holds_from_its_second_on() {
        let change = i64::try_from(MIDNIGHT_S).expect("a second") + 3_600;
        let hour = window(SATURDAY, (3 * 60, 4 * 60), &[(0, 3_600), (change, 7_200)]);
        // 00:59:59 UTC is 01:59:59, and the next second is 03:00:00
        assert!(!hour.is_open(at(0, 59)));
        assert!(hour.is_open(at(1, 0)));
        assert!(!hour.is_open(at(2, 0)));
        let west = window(SATURDAY, (0, 60), &[(0, -18_000)]);
        assert!(west.is_open(at(5, 30)) && !west.is_open(at(4, 59)));
    }

    #[test]
    fn what_is_no_window_is_refused() {
        for (days, minutes, offsets) in [
            (0, (0, 60), vec![]),
            (0x80, (0, 60), vec![]),
            (1, (1_440, 60), vec![]),
            (1, (0, 1_441), vec![]),
            (1, (0, 60), vec![(5, 0), (4, 0)]),
        ] {
            assert!(TimeWindow::compile(&TimeCondition { days, minutes, offsets }).is_err());
        }
    }
}

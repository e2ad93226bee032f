//! One call as a ladder of messages: what a person looks at when a checker failed.

use std::fmt::Write as _;
use std::net::SocketAddr;

use ibcf_sip::Time;

use crate::network::Fate;
use crate::text::Text;
use crate::topology;

const GAP: usize = 46;

/// The messages of one call, in the order in which they were sent.
#[derive(Debug)]
pub struct Ladder {
    caller: SocketAddr,
    rows: Vec<String>,
}

impl Ladder {
    /// Begins a ladder for the call from *caller*.
    pub const fn new(caller: SocketAddr) -> Self {
        Self { caller, rows: Vec::new() }
    }

    /// Adds a message, and what became of it.
    pub fn add(&mut self, now: Time, source: SocketAddr, destination: SocketAddr, bytes: &[u8], fate: Fate) {
        let summary =
            Text::read(bytes).map_or_else(|| format!("{} bytes", bytes.len()), |text| text.summary());
        let mark = match (fate.first, fate.second) {
            (None, None) => "lost",
            (Some(_), Some(_)) => "twice",
            _ => "",
        };
        let is_from_border = topology::is_border(source);
        let agent = if is_from_border { destination } else { source };
        let is_left = agent == self.caller;
        let (head, tail) = if is_left == is_from_border { ("<", " ") } else { (" ", ">") };
        let width = GAP - 4;
        let arrow = format!("{head}{:-<width$.width$}{tail}", format!(" {summary} "));
        let row = if is_left { format!("|{arrow}|{:GAP$}|", "") } else { format!("|{:GAP$}|{arrow}|", "") };
        self.rows.push(format!("{} {row} {mark} {agent}", seconds(now)));
    }

    /// Adds a remark.
    pub fn remark(&mut self, now: Time, remark: &str) {
        self.rows.push(format!("{} * {remark}", seconds(now)));
    }

    /// Writes it down.
    pub fn render(&self) -> String {
        let mut out = format!("{:>10} {:<GAP$} {:<GAP$} {}\n", "s", "caller", " border", " called");
        for row in &self.rows {
            let _ = writeln!(out, "{}", row.trim_end());
        }
        out
    }
}

fn seconds(time: Time) -> String {
    let millis = time.as_millis();
    format!("{:>6}.{:03}", millis / 1_000, millis % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn arrows_point_from_sender_to_receiver() {
        let caller: SocketAddr = "10.0.1.10:5060".parse().unwrap();
        let carrier: SocketAddr = "198.51.100.1:5060".parse().unwrap();
        let [home, peer] = [0, 1].map(|at| topology::LISTENERS[at].0);
        let mut ladder = Ladder::new(caller);
        let fate = Fate { first: Some(Duration::ZERO), second: None };
        let bytes = b"BYE sip:b SIP/2.0\r\nCSeq: 2 BYE\r\n\r\n";
        ladder.add(Time::ZERO, caller, home, bytes, fate);
        ladder.add(Time::ZERO, peer, carrier, bytes, fate);
        ladder.add(Time::ZERO, carrier, peer, bytes, Fate { first: None, second: None });
        let text = ladder.render();
        let rows: Vec<_> = text.lines().skip(1).collect();
        assert!(rows[0].contains("| ") && rows[0].contains(" BYE sip:b (2) ") && rows[0].contains(">|"));
        assert!(rows[1].contains(">| "));
        assert!(rows[2].contains("|< BYE") && rows[2].contains("lost"));
    }
}

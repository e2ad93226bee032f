//! What Via says of overload control where it is agreed (RFC 7339): a client announces, a server answers.

use super::text::write_number;

/// A client heeds what it is asked for, by the one algorithm that all know (§4.1, §4.2).
pub(super) const ANNOUNCEMENT: &[u8] = b";oc;oc-algo=\"loss\"";
/// How long what is asked for counts, in milliseconds (§4.3).
const VALIDITY_MS: u32 = 500;

/// What this node asks of a client that announced itself: *percent* fewer requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverloadReport {
    /// 0 while there is no overload: then it is said too, since it tells that we know the parameters (§5.2).
    pub percent: u8,
    /// The moment, which tells older from newer.
    pub unix_ms: u64,
}

impl OverloadReport {
    /// Appends the parameters.
    pub(super) fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(b";oc=");
        write_number(u32::from(self.percent), out);
        out.extend_from_slice(b";oc-algo=\"loss\";oc-validity=");
        write_number(if self.percent == 0 { 0 } else { VALIDITY_MS }, out);
        out.extend_from_slice(b";oc-seq=");
        out.extend_from_slice(format!("{}.{:03}", self.unix_ms / 1_000, self.unix_ms % 1_000).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::message::{Feedback, Via};

    #[test]
    fn a_client_reads_what_a_server_writes() {
        let written = |percent, unix_ms| {
            let mut value = b"SIP/2.0/UDP h;branch=z".to_vec();
            OverloadReport { percent, unix_ms }.write(&mut value);
            value
        };
        let expected = b"SIP/2.0/UDP h;branch=z;oc=35;oc-algo=\"loss\";oc-validity=500;oc-seq=1282321615.078";
        assert_eq!(written(35, 1_282_321_615_078), expected);
        let read = |value: &[u8]| Feedback::read(&Via::parse(value).expect("a Via"));
        let (old, new) =
            (read(&written(35, 1_999)).expect("feedback"), read(&written(0, 2_000)).expect("an end"));
        assert_eq!((old.percent, new.validity), (35, Duration::ZERO));
        assert!(old.sequence < new.sequence);
        let announced = [b"SIP/2.0/UDP h;branch=z", ANNOUNCEMENT].concat();
        assert_eq!(read(&announced), None, "who only announces asks for nothing");
    }
}

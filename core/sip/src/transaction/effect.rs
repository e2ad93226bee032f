//! What a machine asks of its owner.

/// What the owner of a client transaction is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientEffect {
    /// Nothing.
    Nothing,
    /// Hand the response to the response context.
    Pass,
    /// Hand the response to the response context, and send the ACK for it (§17.1.1.3).
    PassAndAck,
    /// Send the same ACK again; the response is a retransmission and goes no further.
    Ack,
    /// Send the request again.
    Resend,
    /// Nobody answered in time: act as if a 408 had come (§16.8).
    Timeout,
    /// The network says that nobody is there: act as if a 503 had come (§16.9).
    Unreachable,
}

/// What the owner of a server transaction is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerEffect {
    /// Nothing.
    Nothing,
    /// Send the last response again; when there was none yet, nothing.
    ResendLast,
    /// Hand the ACK on: it is for a 2xx, which no server transaction absorbs (RFC 6026 §7.1).
    Pass,
    /// Send a 100, since a non-INVITE waits for longer than RFC 4320 §4.1 lets us be silent.
    SendTrying,
    /// No ACK came for the final response (Timer H). The transaction is over; nobody is to be told but the log.
    NoAck,
}

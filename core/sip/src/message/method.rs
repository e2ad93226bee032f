//! SIP methods (RFC 3261 §7.1 and the RFCs that added more). A method is a token and case-sensitive.

macro_rules! methods {
    ($($variant:ident $name:literal)+) => {
        /// A method; one that is not in the list keeps its bytes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs)] // each is the method that it names
        pub enum Method<'a> {
            $($variant,)+
            /// Any other token.
            Other(&'a [u8]),
        }

        impl<'a> Method<'a> {
            /// Reads a method; case counts (§7.1: "invite" is an unknown method, not INVITE).
            pub const fn from_bytes(bytes: &'a [u8]) -> Self {
                match bytes {
                    $($name => Self::$variant,)+
                    _ => Self::Other(bytes),
                }
            }

            /// Returns the bytes as received.
            pub const fn as_bytes(&self) -> &'a [u8] {
                match *self {
                    $(Self::$variant => $name,)+
                    Self::Other(bytes) => bytes,
                }
            }
        }
    };
}

methods! {
    Invite b"INVITE"
    Ack b"ACK"
    Bye b"BYE"
    Cancel b"CANCEL"
    Options b"OPTIONS"
    Register b"REGISTER"
    Prack b"PRACK"
    Update b"UPDATE"
    Info b"INFO"
    Message b"MESSAGE"
    Refer b"REFER"
    Subscribe b"SUBSCRIBE"
    Notify b"NOTIFY"
    Publish b"PUBLISH"
}

impl<'a> Method<'a> {
    /// Returns the method as text. A token is ASCII (§25.1); what is not even UTF-8 reads as `invalid`.
    pub fn as_str(&self) -> &'a str {
        std::str::from_utf8(self.as_bytes()).unwrap_or("invalid")
    }
}

impl std::fmt::Display for Method<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_methods_round_trip_and_case_counts() {
        for name in [
            "INVITE",
            "ACK",
            "BYE",
            "CANCEL",
            "OPTIONS",
            "REGISTER",
            "PRACK",
            "UPDATE",
            "INFO",
            "MESSAGE",
            "REFER",
            "SUBSCRIBE",
            "NOTIFY",
            "PUBLISH",
        ] {
            let method = Method::from_bytes(name.as_bytes());
            assert!(!matches!(method, Method::Other(_)), "{name}");
            assert_eq!(method.as_str(), name);
        }
        assert_eq!(Method::from_bytes(b"invite"), Method::Other(b"invite"));
        assert_eq!(Method::from_bytes(b"RE%47IST%45R").as_str(), "RE%47IST%45R");
        assert_eq!(Method::from_bytes(b"\xff").as_str(), "invalid");
    }
}

//! The header fields that this border knows by name (RFC 3261 §20 and its extensions), compact forms included (§7.3.3).
//!
//! A name is found by a perfect hash over its length and three of its bytes, then compared without regard to case
//! (§7.3.1). A name that is not here is [`HeaderId::Other`]: it passes like any other, it only has no number.

macro_rules! headers {
    ($($id:ident $name:literal $($compact:literal)?)+) => {
        /// A header field name; the compact form is the same header.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs)] // each is the name that it carries
        #[repr(u8)]
        pub enum HeaderId {
            $($id,)+
            /// Any name that is not in the list.
            Other,
        }

        const NAMES: &[&str] = &[$($name),+];
        const IDS: &[HeaderId] = &[$(HeaderId::$id),+];
        const COMPACT: &[(u8, HeaderId)] = &[$($(($compact, HeaderId::$id),)?)+];
    };
}

headers! {
    Accept "Accept"
    AcceptContact "Accept-Contact" b'a'
    AcceptEncoding "Accept-Encoding"
    AcceptLanguage "Accept-Language"
    AcceptResourcePriority "Accept-Resource-Priority"
    AdditionalIdentity "Additional-Identity"
    AlertInfo "Alert-Info"
    Allow "Allow"
    AllowEvents "Allow-Events" b'u'
    AnswerMode "Answer-Mode"
    AttestationInfo "Attestation-Info"
    AuthenticationInfo "Authentication-Info"
    Authorization "Authorization"
    CallId "Call-ID" b'i'
    CallInfo "Call-Info"
    CellularNetworkInfo "Cellular-Network-Info"
    Contact "Contact" b'm'
    ContentDisposition "Content-Disposition"
    ContentEncoding "Content-Encoding" b'e'
    ContentId "Content-ID"
    ContentLanguage "Content-Language"
    ContentLength "Content-Length" b'l'
    ContentType "Content-Type" b'c'
    CSeq "CSeq"
    Date "Date"
    Diversion "Diversion"
    ErrorInfo "Error-Info"
    Event "Event" b'o'
    Expires "Expires"
    FeatureCaps "Feature-Caps"
    FlowTimer "Flow-Timer"
    From "From" b'f'
    Geolocation "Geolocation"
    GeolocationError "Geolocation-Error"
    GeolocationRouting "Geolocation-Routing"
    HistoryInfo "History-Info"
    Identity "Identity" b'y'
    IdentityInfo "Identity-Info" b'n'
    InfoPackage "Info-Package"
    InReplyTo "In-Reply-To"
    Join "Join"
    MaxBreadth "Max-Breadth"
    MaxForwards "Max-Forwards"
    MimeVersion "MIME-Version"
    MinExpires "Min-Expires"
    MinSe "Min-SE"
    Organization "Organization"
    OriginationId "Origination-Id"
    PAccessNetworkInfo "P-Access-Network-Info"
    PAnswerState "P-Answer-State"
    PAssertedIdentity "P-Asserted-Identity"
    PAssertedService "P-Asserted-Service"
    PAssociatedUri "P-Associated-URI"
    PCalledPartyId "P-Called-Party-ID"
    PChargingFunctionAddresses "P-Charging-Function-Addresses"
    PChargingVector "P-Charging-Vector"
    PEarlyMedia "P-Early-Media"
    PMediaAuthorization "P-Media-Authorization"
    PPreferredIdentity "P-Preferred-Identity"
    PPreferredService "P-Preferred-Service"
    PPrivateNetworkIndication "P-Private-Network-Indication"
    PProfileKey "P-Profile-Key"
    PRefusedUriList "P-Refused-URI-List"
    PServedUser "P-Served-User"
    PUserDatabase "P-User-Database"
    PVisitedNetworkId "P-Visited-Network-ID"
    Path "Path"
    PermissionMissing "Permission-Missing"
    PolicyContact "Policy-Contact"
    PolicyId "Policy-ID"
    Priority "Priority"
    PriorityShare "Priority-Share"
    PriorityVerstat "Priority-Verstat"
    PrivAnswerMode "Priv-Answer-Mode"
    Privacy "Privacy"
    ProxyAuthenticate "Proxy-Authenticate"
    ProxyAuthenticationInfo "Proxy-Authentication-Info"
    ProxyAuthorization "Proxy-Authorization"
    ProxyRequire "Proxy-Require"
    RAck "RAck"
    Reason "Reason"
    RecordRoute "Record-Route"
    RecvInfo "Recv-Info"
    ReferSub "Refer-Sub"
    ReferTo "Refer-To" b'r'
    ReferredBy "Referred-By" b'b'
    RejectContact "Reject-Contact" b'j'
    RelayedCharge "Relayed-Charge"
    RemotePartyId "Remote-Party-ID"
    Replaces "Replaces"
    ReplyTo "Reply-To"
    RequestDisposition "Request-Disposition" b'd'
    Require "Require"
    ResourcePriority "Resource-Priority"
    ResourceShare "Resource-Share"
    ResponseSource "Response-Source"
    RestorationInfo "Restoration-Info"
    RetryAfter "Retry-After"
    Route "Route"
    RSeq "RSeq"
    SecurityClient "Security-Client"
    SecurityServer "Security-Server"
    SecurityVerify "Security-Verify"
    Server "Server"
    ServiceInteractInfo "Service-Interact-Info"
    ServiceRoute "Service-Route"
    SessionExpires "Session-Expires" b'x'
    SessionId "Session-ID"
    SipEtag "SIP-ETag"
    SipIfMatch "SIP-If-Match"
    Subject "Subject" b's'
    SubscriptionState "Subscription-State"
    Supported "Supported" b'k'
    SuppressIfMatch "Suppress-If-Match"
    TargetDialog "Target-Dialog"
    Timestamp "Timestamp"
    To "To" b't'
    Unsupported "Unsupported"
    UserAgent "User-Agent"
    UserToUser "User-to-User"
    Via "Via" b'v'
    Warning "Warning"
    WwwAuthenticate "WWW-Authenticate"
}

/// Spreads the names over [`TABLE`] without a collision; a new name that collides fails the build and asks for another.
const MULTIPLIER: u32 = 0xd3ca_eafb;
const TABLE_BITS: u32 = 10;
const EMPTY: u8 = u8::MAX;

/// Slot of the hash → position in [`NAMES`].
static TABLE: [u8; 1 << TABLE_BITS] = table();

/// Letter → position in [`NAMES`], for compact forms.
static LETTERS: [u8; 256] = letters();

/// Mixes the length and three bytes of a name; `| 0x20` folds the case of letters and leaves `-` alone.
const fn slot(length: usize, first: u8, middle: u8, last: u8) -> usize {
    let key = (length as u32 & 0xff)
        | ((last | 0x20) as u32) << 8
        | ((middle | 0x20) as u32) << 16
        | ((first | 0x20) as u32) << 24;
    (key.wrapping_mul(MULTIPLIER) >> (32 - TABLE_BITS)) as usize
}

#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)] // runs at build time
const fn table() -> [u8; 1 << TABLE_BITS] {
    let mut table = [EMPTY; 1 << TABLE_BITS];
    let mut at = 0;
    while at < NAMES.len() {
        let name = NAMES[at].as_bytes();
        let slot = slot(name.len(), name[0], name[name.len() / 2], name[name.len() - 1]);
        assert!(table[slot] == EMPTY, "two header names share a slot: choose another MULTIPLIER");
        table[slot] = at as u8;
        at += 1;
    }
    table
}

#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)] // runs at build time
const fn letters() -> [u8; 256] {
    let mut letters = [EMPTY; 256];
    let mut at = 0;
    while at < COMPACT.len() {
        let (letter, id) = COMPACT[at];
        letters[letter as usize] = id as u8;
        letters[letter.to_ascii_uppercase() as usize] = id as u8;
        at += 1;
    }
    letters
}

impl HeaderId {
    /// How many ids there are, [`HeaderId::Other`] among them.
    pub const COUNT: usize = NAMES.len() + 1;

    /// Every id except [`HeaderId::Other`].
    pub const ALL: &[Self] = IDS;

    /// Finds the id of a name as it stands in a message: any case, long or compact.
    #[inline]
    pub fn from_name(name: &[u8]) -> Self {
        let at = match *name {
            [] => return Self::Other,
            [letter] => LETTERS.get(letter as usize).copied().unwrap_or(EMPTY),
            [first, .., last] => {
                let middle = name.get(name.len() / 2).copied().unwrap_or_default();
                let at = TABLE.get(slot(name.len(), first, middle, last)).copied().unwrap_or(EMPTY);
                match NAMES.get(at as usize) {
                    Some(known)
                        if known.as_bytes() == name || known.as_bytes().eq_ignore_ascii_case(name) =>
                    {
                        at
                    }
                    _ => return Self::Other,
                }
            }
        };
        IDS.get(at as usize).copied().unwrap_or(Self::Other)
    }

    /// Returns the name as its RFC writes it; empty for [`HeaderId::Other`].
    pub fn name(self) -> &'static str {
        NAMES.get(self.at()).copied().unwrap_or_default()
    }

    /// Returns the compact form, if the header has one.
    pub fn compact(self) -> Option<u8> {
        COMPACT.iter().find(|(_, id)| *id == self).map(|(letter, _)| *letter)
    }

    /// Returns the position in a table of [`HeaderId::COUNT`] rows.
    pub const fn at(self) -> usize {
        self as usize
    }

    /// Returns the bit of this id in a set of headers.
    pub(crate) const fn bit(self) -> u128 {
        1 << (self as u32)
    }
}

const _: () = assert!(HeaderId::COUNT <= 128, "a set of headers is a u128");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_any_case() {
        for id in HeaderId::ALL.iter().copied() {
            assert_eq!(HeaderId::from_name(id.name().as_bytes()), id);
            assert_eq!(HeaderId::from_name(id.name().to_ascii_lowercase().as_bytes()), id);
            assert_eq!(HeaderId::from_name(id.name().to_ascii_uppercase().as_bytes()), id);
        }
    }

    #[test]
    fn compact_forms_are_the_long_ones() {
        for (letter, name) in [
            (b'a', "Accept-Contact"),
            (b'b', "Referred-By"),
            (b'c', "Content-Type"),
            (b'd', "Request-Disposition"),
            (b'e', "Content-Encoding"),
            (b'f', "From"),
            (b'i', "Call-ID"),
            (b'j', "Reject-Contact"),
            (b'k', "Supported"),
            (b'l', "Content-Length"),
            (b'm', "Contact"),
            (b'n', "Identity-Info"),
            (b'o', "Event"),
            (b'r', "Refer-To"),
            (b's', "Subject"),
            (b't', "To"),
            (b'u', "Allow-Events"),
            (b'v', "Via"),
            (b'x', "Session-Expires"),
            (b'y', "Identity"),
        ] {
            let id = HeaderId::from_name(&[letter]);
            assert_eq!(id.name(), name);
            assert_eq!(HeaderId::from_name(&[letter.to_ascii_uppercase()]), id);
            assert_eq!(id.compact(), Some(letter));
        }
        assert_eq!(HeaderId::CSeq.compact(), None);
    }

    #[test]
    fn lookalikes_are_other_headers() {
        for name in [
            &b""[..],
            b"g",
            b"\xff",
            b"Vi",
            b"Viaa",
            b"V ia",
            b"Call_ID",
            b"Call-ID ",
            b"P-Asserted-Identity\x01",
            b"P-Asserted\x0dIdentity",
            b"From\0",
            b"C-Seq",
        ] {
            assert_eq!(HeaderId::from_name(name), HeaderId::Other, "{name:?}");
        }
        assert_eq!(HeaderId::Other.name(), "");
    }
}

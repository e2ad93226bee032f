//! The toy cores' own reader of SIP: whole lines, no mercy. It shares no code with the border, so that one mistake cannot hide another.

use std::net::SocketAddr;

/// A message cut into lines.
#[derive(Clone, Debug)]
pub struct Text<'a> {
    /// The first line.
    pub start: &'a str,
    /// Everything before the body.
    head: &'a str,
    /// The body.
    pub body: &'a str,
    headers: Vec<(&'a str, &'a str)>,
}

impl<'a> Text<'a> {
    /// Cuts *bytes*; `None` when they are no SIP message of the kind that the toy cores speak.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let start = lines.next().filter(|line| line.contains("SIP/2.0"))?;
        let mut headers = Vec::with_capacity(24);
        for line in lines.filter(|line| !line.starts_with([' ', '\t'])) {
            // The toy cores fold only what they do not read.
            let (name, value) = line.split_once(':')?;
            headers.push((long_name(name.trim()), value.trim()));
        }
        Some(Self { start, head, body, headers })
    }

    /// The values of all headers with this *name*.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| *value)
    }

    /// The value of the first header with this *name*, else nothing.
    pub fn first(&self, name: &str) -> &'a str {
        self.all(name).next().unwrap_or_default()
    }

    /// The header lines as they are written, each with its fold, under the name of its header.
    pub fn lines(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let mut rest = self.head.split_once("\r\n").map_or("", |(_, rest)| rest);
        std::iter::from_fn(move || {
            let line = rest.get(..line_end(rest)).filter(|line| !line.is_empty())?;
            rest = rest.get(line.len()..)?.trim_start_matches("\r\n");
            let name = line.split(':').next().unwrap_or_default();
            Some((long_name(name.trim()), line))
        })
    }

    /// The status, when it is a response.
    pub fn status(&self) -> Option<u16> {
        self.start.strip_prefix("SIP/2.0 ")?.split(' ').next()?.parse().ok()
    }

    /// The method of the request, or of the request that was answered.
    pub fn method(&self) -> &'a str {
        self.first("CSeq").split_whitespace().nth(1).unwrap_or_default()
    }

    /// The method of the first line: ACK is told from INVITE.
    pub fn request_method(&self) -> Option<&'a str> {
        if self.status().is_some() { None } else { self.start.split(' ').next() }
    }

    /// The number of the `CSeq`.
    pub fn cseq(&self) -> u32 {
        self.first("CSeq").split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
    }

    /// The branch of the topmost Via.
    pub fn branch(&self) -> &'a str {
        parameter(self.first("Via"), "branch").unwrap_or_default()
    }

    /// The Call-ID.
    pub fn call_id(&self) -> &'a str {
        self.first("Call-ID")
    }

    /// The tag of this header.
    pub fn tag(&self, name: &str) -> Option<&'a str> {
        parameter(self.first(name), "tag")
    }

    /// The first line and the `CSeq`, short enough for a ladder.
    pub fn summary(&self) -> String {
        let line = self.start.strip_suffix(" SIP/2.0").or_else(|| self.start.strip_prefix("SIP/2.0 "));
        let line: String = line.unwrap_or(self.start).chars().take(60).collect();
        let to = self.tag("To").map_or("", |_| " in dialog");
        match self.status() {
            Some(_) => format!("{line} ({} {})", self.cseq(), self.method()),
            None => format!("{line} ({}{to})", self.cseq()),
        }
    }
}

/// Where the first header line ends, its fold included.
fn line_end(text: &str) -> usize {
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find("\r\n")) {
        at += found;
        if !text.get(at + 2..).is_some_and(|next| next.starts_with([' ', '\t'])) {
            return at;
        }
        at += 2;
    }
    text.len()
}

fn long_name(name: &str) -> &str {
    match name {
        "v" => "Via",
        "f" => "From",
        "t" => "To",
        "i" => "Call-ID",
        "m" => "Contact",
        "c" => "Content-Type",
        "l" => "Content-Length",
        "x" => "Session-Expires",
        "k" => "Supported",
        _ => name,
    }
}

/// The value of the parameter *name* behind *value*.
pub fn parameter<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    value.split(';').skip(1).find_map(|parameter| {
        let (found, value) = parameter.split_once('=')?;
        (found.trim() == name).then(|| value.trim().trim_end_matches('>'))
    })
}

/// The URI in a name-addr.
pub fn uri_of(value: &str) -> &str {
    value.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or(value, |(uri, _)| uri)
}

/// The address that a URI of the toy world names.
pub fn address_of(uri: &str) -> Option<SocketAddr> {
    let (_, rest) = uri.split_once(':')?;
    let host = rest.split_once('@').map_or(rest, |(_, host)| host);
    let host = host.split([';', '?']).next()?;
    host.parse().ok().or_else(|| format!("{host}:5060").parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_with_short_names_too() {
        let bytes = b"INVITE tel:+441 SIP/2.0\r\nv: SIP/2.0/UDP h;branch=z9hG4bKx;rport\r\nt: <tel:+441>;tag=a\r\ni: 7\r\n\
            CSeq: 4 INVITE\r\nRoute: <sip:tok@10.0.0.1:5070;lr>\r\n\r\nbody";
        let text = Text::read(bytes).unwrap();
        assert_eq!((text.branch(), text.call_id(), text.cseq()), ("z9hG4bKx", "7", 4));
        assert_eq!(text.tag("To"), Some("a"));
        assert_eq!(text.request_method(), Some("INVITE"));
        assert_eq!(address_of(uri_of(text.first("Route"))), "10.0.0.1:5070".parse().ok());
        assert_eq!(text.summary(), "INVITE tel:+441 (4 in dialog)");
    }

    #[test]
    fn lines_keep_their_folds() {
        let text = Text::read(b"BYE sip:b SIP/2.0\r\nv: one\r\nSubject: a\r\n  b\r\n\tc\r\nX: d\r\n\r\nbody")
            .unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines, [("Via", "v: one"), ("Subject", "Subject: a\r\n  b\r\n\tc"), ("X", "X: d")]);
        assert_eq!(text.body, "body");
    }

    #[test]
    fn a_response_is_read() {
        let text = Text::read(b"SIP/2.0 486 Busy Here\r\nCSeq: 4 INVITE\r\n\r\n").unwrap();
        assert_eq!((text.status(), text.method(), text.request_method()), (Some(486), "INVITE", None));
        assert!(Text::read(b"\xff\r\n\r\n").is_none());
    }
}

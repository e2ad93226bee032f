//! Whether a message is the one that should come: pure comparisons with what was sent.

use ibcf_sip::message::{HeaderId, Message, Uri};
use memchr::memmem;

use crate::call::Call;
use crate::cause::Cause;
use crate::options::{Expected, Options};
use crate::templates::RECORD_ROUTES;

/// What every first request must show at the UAS.
#[derive(Debug)]
pub(crate) struct Expectations {
    /// The Request-URI holds the called number.
    has_number: bool,
    host: Option<String>,
    absent: Vec<String>,
    contains: Vec<memmem::Finder<'static>>,
    /// As a Route would name the proxy.
    proxy: memmem::Finder<'static>,
    is_transparent: bool,
}

/// Max-Forwards as the templates have it.
const MAX_FORWARDS: u32 = 67;

impl Expectations {
    pub(crate) fn new(options: &Options) -> Self {
        let Expected { request_uri_host, absent, contains, transparent, .. } = &options.expected;
        let finder = |text: &str| memmem::Finder::new(text).into_owned();
        Self {
            has_number: options.request_uri.contains("NUMBER"),
            host: request_uri_host.clone(),
            absent: absent.clone(),
            contains: contains.iter().map(|text| finder(text)).collect(),
            proxy: finder(&format!("@{};", options.proxy)),
            is_transparent: *transparent,
        }
    }

    /// Checks the first request of *call*, to *number*.
    pub(crate) fn check_first(&self, request: &Message<'_>, number: &[u8], call: &mut Call) {
        let uri = request.request().map_or(&b""[..], |line| line.uri);
        call.check(!self.has_number || memmem::find(uri, number).is_some(), Cause::RequestUri);
        if let Some(host) = &self.host {
            let is_it = Uri::parse(uri).is_ok_and(|uri| uri.host.eq_ignore_ascii_case(host.as_bytes()));
            call.check(is_it, Cause::RequestUri);
        }
        let is_absent = |name: &String| request.by_name(name.as_bytes()).next().is_none();
        call.check(self.absent.iter().all(is_absent), Cause::HeaderPresent);
        let is_contained = |finder: &memmem::Finder<'_>| finder.find(request.bytes()).is_some();
        call.check(self.contains.iter().all(is_contained), Cause::TextMissing);
        self.check_hop(request, call);
    }

    /// Checks what a proxy does to every request: it takes its Route away, and lowers Max-Forwards.
    pub(crate) fn check_hop(&self, request: &Message<'_>, call: &mut Call) {
        let lowered = MAX_FORWARDS - u32::from(!self.is_transparent);
        call.check(request.max_forwards() == Ok(Some(lowered)), Cause::MaxForwards);
        if !self.is_transparent {
            let mut routes = request.all(HeaderId::Route);
            call.check(routes.all(|route| self.proxy.find(route.value).is_none()), Cause::RouteLeft);
        }
    }
}

/// Checks that *response* has the Vias, From, To and Call-ID of *echo*, the lines of the request it answers. What a hop
/// adds to its own Via (`received`, `rport`) and the UAS to To (a tag) is left aside.
pub(crate) fn check_echo(response: &Message<'_>, echo: &[u8], call: &mut Call) {
    let mut vias = response.values(HeaderId::Via);
    let mut is_top = true;
    for line in lines(echo) {
        let colon = memchr::memchr(b':', line).unwrap_or_default();
        let (name, value) = (&line[..colon], line.get(colon + 2..).unwrap_or_default());
        match HeaderId::from_name(name) {
            HeaderId::Via if is_top => {
                let is_ours = vias.next().is_some_and(|via| begins(via.value, value, b";"));
                call.check(is_ours, Cause::Branch);
                is_top = false;
            }
            HeaderId::Via => call.check(vias.next().is_some_and(|via| via.value == value), Cause::Vias),
            HeaderId::From => call.check(is_only(response, HeaderId::From, value), Cause::From),
            HeaderId::CallId => call.check(is_only(response, HeaderId::CallId, value), Cause::CallId),
            _ => {
                let to = response.first(HeaderId::To).map_or(&b""[..], |to| to.value);
                call.check(begins(to, value, b";tag="), Cause::To);
            }
        }
    }
    call.check(vias.next().is_none(), Cause::Vias);
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|l| !l.is_empty())
}

/// Is *value* the *expected* one, perhaps with something behind it that begins with *more*?
fn begins(value: &[u8], expected: &[u8], more: &[u8]) -> bool {
    value.strip_prefix(expected).is_some_and(|rest| rest.is_empty() || rest.starts_with(more))
}

fn is_only(message: &Message<'_>, id: HeaderId, value: &[u8]) -> bool {
    let mut all = message.all(id);
    all.next().is_some_and(|header| header.value == value) && all.next().is_none()
}

/// Reads the Record-Routes of a 2xx: ours must be at its end as they were sent; what stands before them is the way to the
/// UAS and goes to *routes*, nearest first, as Route lines (RFC 3261 §12.1.2).
pub(crate) fn take_route_set(response: &Message<'_>, routes: &mut Vec<u8>) -> Result<(), Cause> {
    const KEPT: usize = 16;
    let mut values = [&b""[..]; KEPT];
    let mut count = 0;
    for value in response.values(HeaderId::RecordRoute) {
        *values.get_mut(count).ok_or(Cause::RecordRouteChanged)? = value.value;
        count += 1;
    }
    let own = count.checked_sub(RECORD_ROUTES.len()).ok_or(Cause::RecordRouteChanged)?;
    let (before, ours) = values[..count].split_at(own);
    for value in before.iter().rev() {
        routes.extend_from_slice(b"Route: ");
        routes.extend_from_slice(value);
        routes.extend_from_slice(b"\r\n");
    }
    let is_ours = ours.iter().zip(RECORD_ROUTES).all(|(value, ours)| *value == ours.as_bytes());
    if is_ours { Ok(()) } else { Err(Cause::RecordRouteChanged) }
}

//! A dialog as one of its two agents sees it (RFC 3261 §12).

use std::net::SocketAddr;

use crate::text::{Text, address_of, uri_of};

/// What an agent keeps of a dialog.
#[derive(Clone, Debug)]
pub struct Dialog {
    /// Value of From in what this agent asks.
    pub local: String,
    /// Value of To.
    pub remote: String,
    /// Its own tag.
    pub local_tag: String,
    /// The tag of the other one.
    pub remote_tag: String,
    /// Contact of the other one.
    pub target: String,
    /// Route values.
    pub routes: Vec<String>,
    /// It has a 2xx.
    pub is_confirmed: bool,
    /// Somebody hung up.
    pub is_over: bool,
    /// The latest reliable provisional response that was acknowledged.
    pub rseq: u32,
}

impl Dialog {
    /// The caller's end, from a response; *own* is where it is itself, behind its proxy.
    pub fn of_caller(local: String, response: &Text<'_>, own: SocketAddr) -> Self {
        let mut routes: Vec<_> = route_values(response).collect();
        routes.reverse();
        let is_behind = |route: &String| address_of(uri_of(route)) != Some(own);
        let routes = routes.into_iter().skip_while(|route| !is_behind(route)).collect();
        Self {
            local,
            remote: response.first("To").to_owned(),
            local_tag: response.tag("From").unwrap_or_default().to_owned(),
            remote_tag: response.tag("To").unwrap_or_default().to_owned(),
            target: uri_of(response.first("Contact")).to_owned(),
            routes,
            is_confirmed: false,
            is_over: false,
            rseq: 0,
        }
    }

    /// The called end, from the request and the tag that is given to it.
    pub fn of_called(request: &Text<'_>, tag: String) -> Self {
        Self {
            local: format!("{};tag={tag}", request.first("To")),
            remote: request.first("From").to_owned(),
            local_tag: tag,
            remote_tag: request.tag("From").unwrap_or_default().to_owned(),
            target: uri_of(request.first("Contact")).to_owned(),
            routes: route_values(request).collect(),
            is_confirmed: false,
            is_over: false,
            rseq: 0,
        }
    }

    /// Is it the one between these tags?
    pub fn is(&self, local_tag: &str, remote_tag: &str) -> bool {
        self.local_tag == local_tag && self.remote_tag == remote_tag
    }
}

fn route_values(text: &Text<'_>) -> impl Iterator<Item = String> {
    text.all("Record-Route").flat_map(|value| value.split(',')).map(|route| route.trim().to_owned())
}

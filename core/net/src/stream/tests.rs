//! Whole workers and real connections on loopback, with a stand-in for the border that does what the messages say.

mod life;
mod over_tls;
mod paths;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ibcf_sip::rewrite::peer_tag;
use ibcf_sip::{BorderConfig, Flow, Input, Now, Outputs, Snapshot, Time};
use serde_json::{Value, json};

use crate::core::{Core, CoreConfig};
use crate::worker::Handler;

const PATIENCE: Duration = Duration::from_secs(10);

/// The method of a message says what to do, its URI where, `X` what else.
struct Story {
    worker: u8,
    waiting: Option<Flow>,
}

impl Story {
    #[allow(clippy::needless_pass_by_value)] // the shape of `Border::new`
    fn make(config: BorderConfig, _: Arc<Snapshot>) -> Self {
        Self { worker: config.worker, waiting: None }
    }

    fn message(&mut self, flow: Flow, text: &str, out: &mut Outputs) {
        let mut words = text.split([' ', '\r']);
        let (method, uri) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let address = || uri.trim_start_matches("sip:").parse::<SocketAddr>().expect("an address");
        match method {
            // Asked by our own clients to send something elsewhere.
            "SEND" => {
                self.waiting = Some(flow);
                let to = Flow { remote: address(), connection: None, peer: Some(peer_tag("p")), ..flow };
                let body =
                    "x".repeat(header(text, "X").map_or(0, |length| length.parse().expect("a length")));
                out.send(to, sip("NOTE", &header(text, "Call-ID").expect("a Call-ID"), &body).as_bytes());
            }
            "ALIAS" => {
                out.aliases.push((flow.connection.expect("a connection"), address()));
                out.send(flow, sip("SIP/2.0", "x", "").as_bytes());
            }
            // The answer comes when somebody says so, to another address.
            "LATER" => self.waiting = Some(Flow { remote: address(), ..flow }),
            "NOW" => out.send(self.waiting.expect("somebody waits"), sip("SIP/2.0", "x", "late").as_bytes()),
            _ => out.send(flow, sip("SIP/2.0", "x", &format!("{} {method}", self.worker)).as_bytes()),
        }
    }
}

impl Handler for Story {
    fn handle(&mut self, input: Input<'_>, _: Now, out: &mut Outputs) {
        match input {
            Input::Message { flow, bytes } => self.message(flow, &String::from_utf8_lossy(bytes), out),
            Input::Broken { flow, head, fault } => {
                let body = format!("{} {} {}", fault.reason.entry().status, head.len(), fault.problem);
                out.send(flow, sip("SIP/2.0", "x", &body).as_bytes());
            }
            Input::Unreachable { destination, excerpt } => {
                let to = self.waiting.expect("somebody waits");
                let body = format!("unreachable {destination} {}", String::from_utf8_lossy(&excerpt[..4]));
                out.send(to, sip("SIP/2.0", "x", &body).as_bytes());
            }
            _ => {}
        }
    }

    fn next_due(&self) -> Option<Time> {
        None
    }

    fn is_idle(&self) -> bool {
        true
    }
}

/// A message that the framer takes for one.
fn sip(method: &str, call: &str, body: &str) -> String {
    to(method, "sip:x", call, body)
}

fn to(method: &str, uri: &str, call: &str, body: &str) -> String {
    let first =
        if method == "SIP/2.0" { "SIP/2.0 200 OK".to_owned() } else { format!("{method} {uri} SIP/2.0") };
    format!("{first}\r\nCall-ID: {call}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn header(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned))
}

/// A border with one TCP listener and peer `p` at 127.0.0.1; *change* may edit the document.
struct Running {
    core: Core,
    document: Value,
}

impl Running {
    fn start(workers: usize, change: impl FnOnce(&mut Value)) -> Self {
        let mut document = json!({
            "version": 1, "generation": 1, "node": {"name": "n", "domain": "a.example"},
            "keys": [{"id": 1, "secret": "00".repeat(32)}],
            "listeners": [{"id": "l", "side": "peer", "transport": "tcp", "address": "127.0.0.1:0"}],
            "agreements": [{"id": "a", "trusted": false, "methods": ["INVITE"]}],
            "peers": [{"id": "p", "side": "peer", "agreement": "a", "listeners": ["l"],
                       "sources": ["127.0.0.1"], "limits": {}}],
            "limits": {}, "routes": [],
        });
        change(&mut document);
        let snapshot = Snapshot::load(document.to_string().as_bytes()).expect("a good snapshot");
        let core = Core::new(snapshot, CoreConfig { workers, ..CoreConfig::default() }).expect("bound");
        core.start_with(Story::make).expect("started");
        Self { core, document }
    }

    fn client(&self) -> Client {
        Client::new(TcpStream::connect(self.core.listeners()[0].1).expect("a connection"))
    }

    /// Puts another snapshot in force.
    fn reload(&mut self, change: impl FnOnce(&mut Value)) {
        self.document["generation"] = json!(self.document["generation"].as_u64().expect("a number") + 1);
        change(&mut self.document);
        let snapshot = Snapshot::load(self.document.to_string().as_bytes()).expect("a good snapshot");
        self.core.apply(snapshot).expect("applied");
    }

    /// Value of the metric *name* where all of *labels* stand.
    fn metric(&self, name: &str, labels: &[&str]) -> u64 {
        let families = self.core.statistics();
        let family = families.iter().find(|family| family.name == name).expect("the family");
        let has_all = |sample: &&ibcf_sip::statistics::Sample| {
            labels.iter().all(|label| sample.labels.iter().any(|found| found == label))
        };
        let sum: f64 = family.samples.iter().filter(has_all).map(|sample| sample.value).sum();
        format!("{:.0}", sum.abs()).parse().expect("a count")
    }

    fn result(&self, result: &str) -> u64 {
        self.metric("ibcf_connections_total", &[result])
    }

    /// Waits until the metric is what it has to become.
    fn wait_for(&self, result: &str, count: u64) {
        let until = Instant::now() + PATIENCE;
        while self.result(result) != count {
            assert!(Instant::now() < until, "{result} is {}, not {count}", self.result(result));
            std::thread::yield_now();
        }
    }
}

/// The other end of a connection.
struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("an option");
        stream.set_nodelay(true).expect("an option");
        Self { stream, buffer: Vec::new() }
    }

    fn accept(listener: &TcpListener) -> Self {
        Self::new(listener.accept().expect("a connection").0)
    }

    fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).expect("written");
    }

    /// Reads one message, whole.
    fn message(&mut self) -> String {
        loop {
            let text = String::from_utf8_lossy(&self.buffer).into_owned();
            if let Some(head) = text.find("\r\n\r\n") {
                let length: usize =
                    header(&text[..head], "Content-Length").expect("a length").parse().expect("a number");
                if text.len() >= head + 4 + length {
                    self.buffer.drain(..head + 4 + length);
                    return text[..head + 4 + length].to_owned();
                }
            }
            assert!(self.more() > 0, "the border closed the connection after {text:?}");
        }
    }

    /// The body of the next message.
    fn body(&mut self) -> String {
        self.message().split_once("\r\n\r\n").expect("a head").1.to_owned()
    }

    fn ask(&mut self, text: &str) -> String {
        self.send(text);
        self.body()
    }

    fn more(&mut self) -> usize {
        let mut bytes = vec![0; 65_536];
        let length = self.stream.read(&mut bytes).expect("bytes or the end in time");
        self.buffer.extend_from_slice(&bytes[..length]);
        length
    }

    /// Is the connection over, without another byte?
    fn is_ended(&mut self) -> bool {
        let mut byte = [0];
        match self.stream.read(&mut byte) {
            Ok(length) => length == 0,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    }
}

/// An address that nobody listens on.
fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port, closed again")
}

fn listening() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    (listener, address)
}

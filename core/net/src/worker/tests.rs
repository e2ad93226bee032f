//! Whole workers on real sockets, with a stand-in for the border that tells what it got.

use super::*;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::AtomicU8;
use std::time::Instant;

use ibcf_sip::event::Event;
use ibcf_sip::input::{Answer, AnswerBody, EnumOutcome};
use ibcf_sip::output::{Question, QuestionBody, QuestionId};
use ibcf_sip::{BorderConfig, Flow};
use serde_json::json;

use crate::core::{Core, CoreConfig};

const PATIENCE: Duration = Duration::from_secs(10);

/// What [`STALL`] is while a worker does nothing until it is something else.
const STALLED: u8 = 1;
static STALL: AtomicU8 = AtomicU8::new(0);

/// Answers each datagram with its own bytes behind the number of the worker; some bytes make it do other things.
struct Echo {
    worker: u8,
    generation: u64,
    seen: u64,
    due: Option<Time>,
    waiting: Option<(ListenerIndex, SocketAddr)>,
    waited: Duration,
}

impl Echo {
    #[allow(clippy::needless_pass_by_value)] // the shape of `Border::new`
    fn make(config: BorderConfig, snapshot: Arc<Snapshot>) -> Self {
        Self {
            worker: config.worker,
            generation: snapshot.generation,
            seen: 0,
            due: None,
            waiting: None,
            waited: Duration::ZERO,
        }
    }

    fn reply((listener, to): (ListenerIndex, SocketAddr), text: &str, out: &mut Outputs) {
        out.send_with(Flow::datagram(listener, to), |arena| arena.extend_from_slice(text.as_bytes()));
    }

    fn datagram(&mut self, from: (ListenerIndex, SocketAddr), text: &str, now: Now, out: &mut Outputs) {
        self.seen += 1;
        let number = self.worker;
        match text.split(['\r', ' ']).next().unwrap_or_default() {
            "PANIC" => panic!("told to"),
            "COUNT" => Self::reply(from, &format!("seen {}", self.seen), out),
            "GENERATION" => Self::reply(from, &format!("generation {}", self.generation), out),
            "WAITED" => Self::reply(from, &format!("waited {}", self.waited.as_millis()), out),
            "STALL" => {
                STALL.store(STALLED, Ordering::Release);
                while STALL.load(Ordering::Acquire) == STALLED {
                    std::thread::yield_now();
                }
            }
            "LATER" => {
                self.waiting = Some(from);
                self.due = Some(now.time + Duration::from_millis(30));
            }
            "SEND" => {
                self.waiting = Some(from);
                let to = text.split([' ', '\r']).nth(1).and_then(|to| to.parse().ok()).expect("an address");
                out.send(Flow::datagram(from.0, to), b"SIP to nobody\r\nCall-ID: x\r\n\r\n");
            }
            "ASK" => {
                self.waiting = Some(from);
                let body = QuestionBody::Enum { service: "s".to_owned(), number: "+1".to_owned() };
                let id = QuestionId(u64::from(number) << 56 | 7);
                out.questions.push(Question { id, deadline: now.time, deadline_ms: 0, body });
            }
            _ => Self::reply(from, &format!("{number} {text}"), out),
        }
    }
}

impl Handler for Echo {
    fn handle(&mut self, input: Input<'_>, now: Now, out: &mut Outputs) {
        if self.due.is_some_and(|due| due <= now.time) {
            self.due = None;
            let to = self.waiting.take().expect("somebody waits");
            Self::reply(to, "timer", out);
        }
        match input {
            Input::Message { flow, bytes } => {
                self.datagram((flow.listener, flow.remote), &String::from_utf8_lossy(bytes), now, out);
            }
            Input::Unreachable { destination, excerpt } => {
                if let Some(to) = self.waiting.take() {
                    Self::reply(to, &format!("unreachable {destination} {}", excerpt.len()), out);
                }
            }
            Input::Answer(answer) => {
                if let Some(to) = self.waiting.take() {
                    Self::reply(to, &format!("answer {}", answer.id.0 & 0xff), out);
                }
            }
            Input::Apply(snapshot) => self.generation = snapshot.generation,
            Input::Close => {
                out.events.push(Event::Alarm { name: "closed", detail: String::new(), unix_ms: 0 });
            }
            Input::Broken { flow, .. } => out.send(flow, b"broken"),
            Input::QueueDelay(waited) => self.waited = waited,
            Input::Tick | Input::Drain | Input::Targets(_) => {}
        }
    }

    fn next_due(&self) -> Option<Time> {
        self.due
    }

    fn is_idle(&self) -> bool {
        self.waiting.is_none()
    }
}

fn snapshot(generation: u64, addresses: &[&str]) -> Snapshot {
    let listeners: Vec<_> = addresses
        .iter()
        .enumerate()
        .map(|(at, address)| json!({"id": format!("l{at}"), "side": "peer", "transport": "udp", "address": address}))
        .collect();
    let document = json!({
        "version": 1, "generation": generation, "node": {"name": "n", "domain": "a.example"},
        "keys": [{"id": 1, "secret": "00".repeat(32)}], "listeners": listeners,
        "agreements": [], "peers": [], "routes": [],
    });
    Snapshot::load(document.to_string().as_bytes()).expect("a good snapshot")
}

struct Running {
    core: Core,
    client: UdpSocket,
}

impl Running {
    fn start(workers: usize, address: &str) -> Self {
        let core = Core::new(snapshot(1, &[address]), CoreConfig { workers, ..CoreConfig::default() })
            .expect("bound");
        core.start_with(Echo::make).expect("started");
        let client = UdpSocket::bind(address).expect("a port");
        client.set_read_timeout(Some(PATIENCE)).expect("an option");
        Self { core, client }
    }

    fn send(&self, text: &str) {
        self.client.send_to(text.as_bytes(), self.core.listeners()[0].1).expect("sent");
    }

    fn receive(&self) -> String {
        let mut buffer = [0; 2_000];
        let (length, source) = self.client.recv_from(&mut buffer).expect("a reply in time");
        assert_eq!(source, self.core.listeners()[0].1, "a reply leaves from where the request arrived");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    fn ask(&self, text: &str) -> String {
        self.send(text);
        self.receive()
    }

    /// The events, once there is one called *name*.
    fn wait_for_alarm(&self, name: &str) -> String {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            for event in self.core.events(100) {
                if let Event::Alarm { name: found, detail, .. } = event
                    && found == name
                {
                    return detail;
                }
            }
            std::thread::yield_now();
        }
        panic!("no alarm {name}");
    }
}

#[test]
fn a_datagram_is_answered_from_the_socket_it_came_to() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let running = Running::start(1, address);
        assert_eq!(running.ask("hello"), "0 hello");
        running.core.stop();
    }
}

#[test]
fn the_border_hears_how_long_messages_waited() {
    let running = Running::start(1, "127.0.0.1:0");
    running.send("STALL");
    while STALL.load(Ordering::Acquire) != STALLED {
        std::thread::yield_now();
    }
    running.send("WAITED");
    let until = Instant::now() + Duration::from_millis(50);
    while Instant::now() < until {
        std::thread::yield_now();
    }
    STALL.store(0, Ordering::Release);
    let told = running.receive();
    let waited: u64 = told.strip_prefix("waited ").and_then(|ms| ms.parse().ok()).expect("a number");
    assert!((40..5_000).contains(&waited), "{told}");
    running.core.stop();
}

#[test]
fn a_message_lands_at_the_worker_that_owns_its_call() {
    let running = Running::start(2, "127.0.0.1:0");
    let mut workers = [0_usize; 2];
    for call in 0..40 {
        let text = format!("x\r\nCall-ID: {call}@a.example\r\n\r\n");
        let first = running.ask(&text);
        workers[usize::from(first.starts_with('1'))] += 1;
        // Another source port may be given to another worker by the kernel; the owner stays.
        let other = UdpSocket::bind("127.0.0.1:0").expect("a port");
        other.set_read_timeout(Some(PATIENCE)).expect("an option");
        other.send_to(text.as_bytes(), running.core.listeners()[0].1).expect("sent");
        let mut buffer = [0; 200];
        let (length, _) = other.recv_from(&mut buffer).expect("a reply in time");
        assert_eq!(String::from_utf8_lossy(&buffer[..length]), first);
    }
    assert!(workers.iter().all(|count| *count > 5), "{workers:?}");
    let handed: u64 = running.core.common().counters.iter().map(|counters| counters.handed_over.get()).sum();
    assert!(handed > 0, "one client and two workers: about half of the calls change hands");
}

#[test]
fn a_timer_fires_without_any_datagram() {
    let running = Running::start(1, "127.0.0.1:0");
    assert_eq!(running.ask("LATER"), "timer");
}

#[test]
fn a_panic_is_caught_told_with_the_bytes_and_the_worker_goes_on_afresh() {
    let running = Running::start(1, "127.0.0.1:0");
    assert_eq!(running.ask("COUNT"), "seen 1");
    running.send("PANIC now");
    assert_eq!(running.ask("COUNT"), "seen 1", "a new border");
    let detail = running.wait_for_alarm("panic");
    assert!(detail.contains("told to") && detail.ends_with("50414e4943206e6f77"), "{detail}");
    assert_eq!(running.core.common().panics.all()[0].bytes, b"PANIC now");
    assert_eq!(running.core.common().counters[0].panics.get(), 1);
}

#[test]
fn what_did_not_arrive_comes_back_as_unreachable() {
    for (any, workers) in [("127.0.0.1:0", 1), ("[::1]:0", 1), ("127.0.0.1:0", 2)] {
        let running = Running::start(workers, any);
        let nobody =
            UdpSocket::bind(any).and_then(|socket| socket.local_addr()).expect("a port, closed again");
        assert_eq!(
            running.ask(&format!("SEND {nobody}\r\nCall-ID: x\r\n\r\n")),
            format!("unreachable {nobody} 29")
        );
    }
}

#[test]
fn a_question_goes_out_and_its_answer_comes_in() {
    let running = Running::start(2, "127.0.0.1:0");
    running.send("ASK\r\nCall-ID: x\r\n\r\n");
    let until = Instant::now() + PATIENCE;
    let question = loop {
        if let Some(question) = running.core.questions(10).pop() {
            break question;
        }
        assert!(Instant::now() < until, "no question");
        std::thread::yield_now();
    };
    assert!(!running.core.is_idle());
    let body = || AnswerBody::Enum {
        outcome: EnumOutcome::NotFound,
        class: "NXDOMAIN".to_owned(),
        candidates: Vec::new(),
        ttl_ms: 0,
    };
    let nobody = Answer { id: QuestionId(99 << 56), body: body() };
    running.core.answer([nobody, Answer { id: question.id, body: body() }]);
    assert_eq!(running.receive(), "answer 7");
    let dropped =
        running.core.statistics().into_iter().find(|family| family.name == "ibcf_queue_dropped_total");
    let dropped = dropped.expect("the family");
    let dropped: f64 = dropped.samples.iter().map(|sample| sample.value).sum();
    assert!((dropped - 1.0).abs() < f64::EPSILON, "{dropped}");
}

#[test]
fn a_new_snapshot_is_served_once_apply_returns_and_other_listeners_are_refused() {
    let running = Running::start(2, "127.0.0.1:0");
    assert_eq!(running.ask("GENERATION"), "generation 1");
    running.core.apply(snapshot(2, &["127.0.0.1:0"])).expect("applied");
    for call in 0..10 {
        assert_eq!(running.ask(&format!("GENERATION\r\nCall-ID: {call}\r\n\r\n")), "generation 2");
    }
    for other in
        [snapshot(3, &[]), snapshot(3, &["127.0.0.1:1"]), snapshot(3, &["127.0.0.1:0", "127.0.0.1:0"])]
    {
        let error = running.core.apply(other).expect_err("other listeners").to_string();
        assert!(error.contains("cannot change") && error.contains("restart"), "{error}");
    }
    assert_eq!(running.ask("GENERATION"), "generation 2");
}

#[test]
fn stop_ends_the_threads_frees_the_port_and_may_be_called_again() {
    let running = Running::start(2, "127.0.0.1:0");
    let address = running.core.listeners()[0].1;
    running.core.drain().expect("carried out");
    assert_eq!(running.ask("hello"), "0 hello".replace('0', &running.ask("x")[..1]));
    running.core.stop();
    running.core.stop();
    drop(UdpSocket::bind(address).expect("the port is free"));
    assert!(running.core.is_idle());
    assert!(running.core.start_with(Echo::make).is_err());
    assert!(running.core.apply(snapshot(2, &["127.0.0.1:0"])).is_err());
    let closed = running.core.events(100).len();
    assert_eq!(closed, 2, "each worker was told to close its records");
}

#[test]
fn each_queue_tells_its_limit_and_what_waits_in_it() {
    let running = Running::start(2, "127.0.0.1:0");
    let families = running.core.statistics();
    let values = |name: &str| -> Vec<(String, String)> {
        let family = families.iter().find(|family| family.name == name).expect("the family");
        family.samples.iter().map(|sample| (sample.labels[0].clone(), sample.value.to_string())).collect()
    };
    let limits = [
        ("questions", 8_192),
        ("events", 65_536),
        ("samples", 256),
        ("trace", 2_048),
        ("handover", 2 * 8_192),
        ("answers", 2 * 16_384),
        ("charging", 2 * 100_000),
        ("send", 2 * 4_096),
    ];
    assert_eq!(
        values("ibcf_queue_limit"),
        limits.map(|(queue, limit)| (queue.to_owned(), limit.to_string()))
    );
    assert_eq!(values("ibcf_queue_depth"), limits.map(|(queue, _)| (queue.to_owned(), "0".to_owned())));
}

#[test]
fn charging_events_wait_for_room_and_come_in_order() {
    let hub = Hub::new(1, 2).expect("a hub");
    let counters = NetCounters::default();
    let mut publisher = Publisher::default();
    let mut outputs = Outputs::default();
    let now = Now::default();
    let finished = |start_ms| Event::CallFinished(record(start_ms));
    let alarm = || Event::Alarm { name: "x", detail: String::new(), unix_ms: 0 };
    outputs.events.extend([finished(1), finished(2), finished(3), alarm(), finished(4)]);
    publisher.take(&mut outputs);
    publisher.publish_all(&hub, &counters, now);
    assert_eq!((counters.dropped_event.get(), counters.charging_waiting.get()), (1, 2));
    assert_eq!(hub.events(10), [finished(1), finished(2)]);
    outputs.events.push(finished(5));
    publisher.take(&mut outputs);
    publisher.publish(&hub, &counters, now);
    assert_eq!(hub.events(10), [finished(3), finished(4)]);
    assert_eq!(publisher.into_left(), [finished(5)]);
}

#[test]
fn events_wait_a_moment_for_company_and_questions_do_not() {
    let hub = Hub::new(4, 4).expect("a hub");
    let counters = NetCounters::default();
    let mut publisher = Publisher::default();
    let mut outputs = Outputs::default();
    let at = |ms| Now { time: Time::from_millis(ms), unix_ms: ms };
    let alarm = || Event::Alarm { name: "x", detail: String::new(), unix_ms: 0 };
    outputs.events.push(alarm());
    publisher.take(&mut outputs);
    publisher.publish(&hub, &counters, at(1_000));
    assert_eq!(hub.waiting(), (0, 0));
    let due = publisher.next_due().expect("the worker wakes for it");
    assert!(due <= Time::from_millis(1_100), "{due:?}");
    publisher.publish(&hub, &counters, Now { time: due, unix_ms: 0 });
    assert_eq!(hub.waiting(), (0, 1));
    assert_eq!(publisher.next_due(), None);
    let body = ibcf_sip::output::QuestionBody::Enum { service: "s".to_owned(), number: "+1".to_owned() };
    outputs.questions.push(Question { id: QuestionId(1), deadline: Time::ZERO, deadline_ms: 1, body });
    outputs.events.push(alarm());
    publisher.take(&mut outputs);
    publisher.publish(&hub, &counters, at(2_000));
    assert_eq!(hub.waiting(), (1, 2), "a question takes the events along");
}

fn record(start_ms: u64) -> ibcf_sip::event::PackedRecord {
    use ibcf_sip::event::{CallRecord, Outcome, PackedRecord, RecordKind};
    let record = CallRecord {
        record: RecordKind::Call,
        method: "INVITE".into(),
        call_id: "x".into(),
        icid: None,
        orig_ioi: None,
        term_ioi: None,
        session_id: None,
        peer_in: "a".into(),
        peer_out: None,
        neighbour: None,
        direction: "exit",
        calling: [].into_iter().collect(),
        from: "".into(),
        called: "".into(),
        request_uri_out: None,
        number: None,
        enum_class: None,
        route: None,
        tags: [].into_iter().collect(),
        outcome: Outcome::Rejected,
        status: 403,
        reason: None,
        source: None,
        attempts: [].into_iter().collect(),
        start_ms,
        ring_ms: None,
        answer_ms: None,
        end_ms: start_ms,
        released_by: None,
        release_reason: None,
        generation: 1,
    };
    PackedRecord::pack(&record, &mut String::new())
}

//! Something between both ends that does to their messages what a test says.

use std::net::{SocketAddr, UdpSocket};
use std::thread::JoinHandle;

use ibcf_load::Load;

/// What is sent on in place of a message.
pub(crate) type Mangle = Box<dyn FnMut(&str) -> Vec<String> + Send>;

const STOP: &[u8] = b"stop";

/// A relay in a thread of its own.
pub(crate) struct StandIn {
    address: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

impl StandIn {
    /// Puts itself between both ends of *load*.
    pub(crate) fn between(load: &mut Load, mut mangle: Mangle) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let (address, server) = (socket.local_addr().expect("bound"), load.uas());
        load.send_to(address);
        let thread = std::thread::spawn(move || {
            let (mut client, mut buffer) = (server, vec![0; 65_535]);
            while let Ok((length, source)) = socket.recv_from(&mut buffer) {
                if &buffer[..length] == STOP {
                    break;
                }
                let destination = if source == server { client } else { server };
                if source != server {
                    client = source;
                }
                let message = std::str::from_utf8(&buffer[..length]).expect("text");
                for message in mangle(message) {
                    socket.send_to(message.as_bytes(), destination).expect("sent");
                }
            }
        });
        Self { address, thread: Some(thread) }
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        socket.send_to(STOP, self.address).expect("sent");
        if let Some(thread) = self.thread.take() {
            let is_whole = thread.join().is_ok();
            assert!(is_whole || std::thread::panicking(), "the stand-in failed");
        }
    }
}

/// Is *message* a request of that method?
pub(crate) fn is_request(message: &str, method: &str) -> bool {
    message.strip_prefix(method).is_some_and(|rest| rest.starts_with(' '))
}

/// Is *message* a response with that status to a request of that method?
pub(crate) fn is_response(message: &str, status: u16, method: &str) -> bool {
    message.starts_with(&format!("SIP/2.0 {status} ")) && message.contains(&format!(" {method}\r\n"))
}

/// *message* without its headers of that name.
pub(crate) fn without(message: &str, name: &str) -> String {
    let is_it = |line: &str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(':'));
    message.split_inclusive("\r\n").filter(|line| !is_it(line)).collect()
}

/// *message* with *line* before its first header of that name.
pub(crate) fn with_line(message: &str, before: &str, line: &str) -> String {
    message.replacen(&format!("\r\n{before}:"), &format!("\r\n{line}\r\n{before}:"), 1)
}

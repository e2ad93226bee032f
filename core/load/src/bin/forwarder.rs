//! `ibcf-forwarder`: relays datagrams unparsed between the client last seen and one server: the floor under any SIP proxy.

#![forbid(unsafe_code)]

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::process::ExitCode;

use ibcf_net::Relay;
use socket2::{Domain, Protocol, Socket, Type};

const USAGE: &str = "usage: ibcf-forwarder LISTEN SERVER

Relays each datagram unparsed, up to 64 with one system call, in one thread: what comes from SERVER goes to the client
last seen, all else to SERVER. Prints the address it listens on; ends on SIGTERM.

  LISTEN    address and port to bind; port 0 lets the system choose
  SERVER    address and port of the server, of the same family";

/// What we ask the kernel to hold for us, each way.
const SOCKET_BUFFER_BYTES: usize = 4 << 20;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "--help" || word == "-h") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let (listen, server) = match addresses(&words) {
        Ok(addresses) => addresses,
        Err(fault) => {
            eprintln!("{fault}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match bind(listen) {
        Ok(socket) => forward(&socket, server),
        Err(error) => {
            eprintln!("cannot bind {listen}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn addresses(words: &[String]) -> Result<(SocketAddr, SocketAddr), String> {
    let [listen, server] = words else { return Err(format!("2 addresses are needed, not {}", words.len())) };
    let read = |name: &str, text: &String| {
        text.parse::<SocketAddr>().map_err(|_| format!("{name}: \"{text}\" is not ADDRESS:PORT"))
    };
    let (listen, server) = (read("LISTEN", listen)?, read("SERVER", server)?);
    if listen.is_ipv4() != server.is_ipv4() {
        return Err("LISTEN and SERVER are of different families".to_owned());
    }
    Ok((listen, server))
}

fn bind(listen: SocketAddr) -> std::io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(listen), Type::DGRAM, Some(Protocol::UDP))?;
    // Best effort: with small buffers it only drops sooner.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER_BYTES);
    socket.bind(&listen.into())?;
    let socket = UdpSocket::from(socket);
    println!("{}", socket.local_addr()?);
    Ok(socket)
}

fn forward(socket: &UdpSocket, server: SocketAddr) -> ExitCode {
    let mut relay = Relay::new();
    let mut client = SocketAddr::new(server.ip(), 0); // nobody yet: the system refuses to send there
    loop {
        let route = |source: SocketAddr| {
            if source == server {
                client
            } else {
                client = source;
                server
            }
        };
        // What could not be sent is lost, as in any network.
        drop(relay.turn(socket.as_fd(), route));
    }
}

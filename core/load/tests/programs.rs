//! The two programs as an operator starts them.

use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};

/// Ends a child with the test, however that ends.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn load(words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ibcf-load"));
    command.args(words.split_whitespace());
    command
}

/// Starts the forwarder in front of *server* and returns where it listens.
fn forwarder(server: &str) -> (Ended, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ibcf-forwarder"));
    let child = command.args(["127.0.0.1:0", server]).stdout(Stdio::piped()).spawn().expect("started");
    let mut child = Ended(child);
    let mut line = String::new();
    let out = child.0.stdout.take().expect("piped");
    BufReader::new(out).read_line(&mut line).expect("an address");
    (child, line.trim().to_owned())
}

#[test]
fn calls_go_through_the_forwarder_and_the_result_is_the_last_line() {
    let port = UdpSocket::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
    let server = format!("127.0.0.1:{port}");
    let (forwarder, address) = forwarder(&server);
    let words = format!(
        "--scenario call --transparent --proxy {address} --uac 127.0.0.1:0 --uas {server} --rate 200 --calls 50 \
         --ring-ms 10 --hold-ms 10"
    );
    let output = load(&words).output().expect("run");
    drop(forwarder);
    let text = String::from_utf8(output.stdout).expect("text");
    assert_eq!(output.status.code(), Some(0), "{text}");
    let result: serde_json::Value = serde_json::from_str(text.lines().last().expect("a line")).expect("JSON");
    assert_eq!((&result["ok"], &result["failed"]), (&50.into(), &0.into()));
    assert!(result["begin_unix_ms"].as_u64() <= result["end_unix_ms"].as_u64());
    assert!(result["cpu_us"].as_u64() > Some(0));
}

#[test]
fn the_exit_code_tells_failed_calls_from_bad_use() {
    let silent = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let nobody = silent.local_addr().expect("bound");
    let words = format!("--scenario call --proxy {nobody} --uac 127.0.0.1:0 --uas 127.0.0.1:0 --rate 100");
    let failed =
        load(&format!("{words} --calls 2 --timeout-ms 50 --ring-ms 0 --hold-ms 0")).output().expect("run");
    assert_eq!(failed.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&failed.stdout).contains("\"causes\":{\"no_request\":2}"));
    let bad = load(&words).output().expect("run");
    assert_eq!(bad.status.code(), Some(2));
    let fault = "either --calls or --seconds is needed\nibcf-load --help tells more\n";
    assert_eq!(String::from_utf8_lossy(&bad.stderr), fault);
    let help = load("--help").output().expect("run");
    assert_eq!(help.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&help.stdout).contains("--expect-record-route"));
}

#[test]
fn a_connection_that_nobody_takes_is_told_with_its_address() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    let words = "--scenario call --uac 127.0.0.1:0 --uas 127.0.0.1:0 --rate 100 --calls 1 --transport tcp";
    let refused = load(&format!("{words} --proxy {port}")).output().expect("run");
    assert_eq!(refused.status.code(), Some(1));
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.starts_with(&format!("--proxy {port}: Connection refused")), "{told}");
}

#[test]
fn the_forwarder_refuses_what_is_no_pair_of_addresses() {
    for (words, fault) in [
        (&["127.0.0.1:0"][..], "2 addresses are needed, not 1"),
        (&["x", "127.0.0.1:1"], "LISTEN: \"x\" is not ADDRESS:PORT"),
        (&["127.0.0.1:0", "[::1]:1"], "LISTEN and SERVER are of different families"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_ibcf-forwarder")).args(words).output().expect("run");
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).starts_with(fault));
    }
}

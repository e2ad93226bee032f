//! The command line: words to [`Options`], or what is wrong with them.

use std::ffi::OsString;
use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use lexopt::{Arg, Parser, ValueExt};

use crate::cause::CAUSES;
use crate::options::{Amount, End, Expected, Options, Scenario, TlsFiles, Transport};

const USAGE: &str = "usage: ibcf-load --scenario NAME --proxy IP:PORT|direct --uac IP:PORT --uas IP:PORT --rate N
                 (--calls N | --seconds N) [options]

Plays the IMS cores on both sides of a border in one thread: calls begin evenly at the rate, whatever comes of them, and
every message that arrives is validated. The last line on stdout is one JSON object with the result.

what is played
  --scenario NAME          call: INVITE, 100, 180, ringing, 200, ACK, talking, BYE, 200
                           ringing, answered: a wall of --calls that go up, stay for --hold-ms and go down
                           register: REGISTER with Path, 200 with Service-Route
                           message: MESSAGE of 300 bytes, 200
  --rate N                 calls a second; of a wall also how fast it goes down
  --calls N                how many count, or
  --seconds N              for how long calls begin that count
  --warm N                 so many seconds of the same before them; then {\"event\":\"measuring\"} is printed
  --ring-ms N              from 180 to 200, 100 unless given
  --hold-ms N              from ACK to BYE, 200 unless given; of a wall from {\"event\":\"wall\"} to its first end
  --end busy|cancel        how a ringing wall ends: the UAS answers 486, or the UAC cancels; busy unless given
  --timeout-ms N           a call that takes so much longer than it has to has failed; 5000 unless given
  --retransmit             send again what is not answered by T1 of 500 ms; nothing is sent twice otherwise
  --request-uri TEMPLATE   sip:+NUMBER@border.ibcf.example;user=phone unless given; or tel:+NUMBER
  --numbers FILE           called numbers in E.164, one a line, used in turn

between whom
  --transport udp|tcp|tls  udp unless given
  --proxy IP:PORT          where the UAC sends to; direct: straight to the UAS, which implies --transparent
  --uac IP:PORT            the UAC's address; of a stream only the IP is bound
  --uas IP:PORT            where the UAS listens
  --connections N          of the UAC, for the whole run; 1 unless given
  --certificate FILE       chain in PEM of both our ends, with
  --key FILE               its key, and
  --authority FILE         whom both our ends believe
  --server-name NAME       what the proxy's certificate must name; only its chain is verified unless given

what must be seen, else the call failed
  --expect-request-uri-host HOST   in the first request at the UAS
  --expect-absent HEADER           is gone from it; may be given again
  --expect-contains TEXT           is in it; may be given again
  --expect-record-route            in the 2xx at the UAC, beside our own
  --call-id-masked                 the UAS may see another Call-ID than ours
  --transparent                    what is tested is no proxy: Max-Forwards and Route arrive as they were sent

exit code: 0 all calls succeeded, 1 some did not, 2 bad use";

/// The text of `--help`.
pub fn help() -> String {
    let mut text = format!(
        "{USAGE}\n\ncauses of failure: status_NNN (a final status that nobody sent), stray (messages of no call), and\n"
    );
    for (name, meaning) in CAUSES {
        let _ = writeln!(text, "  {name:<23} {meaning}");
    }
    text
}

/// Options as they are given: what must be there may still be missing.
#[derive(Default)]
struct Given {
    scenario: Option<Scenario>,
    transport: Option<Transport>,
    proxy: Option<String>,
    uac: Option<SocketAddr>,
    uas: Option<SocketAddr>,
    rate: Option<f64>,
    calls: Option<u64>,
    seconds: Option<f64>,
    warm: Option<f64>,
    ring_ms: Option<u64>,
    hold_ms: Option<u64>,
    timeout_ms: Option<u64>,
    end: Option<End>,
    connections: Option<usize>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    authority: Option<PathBuf>,
    server_name: Option<String>,
    request_uri: Option<String>,
    numbers: Option<PathBuf>,
    is_retransmitting: bool,
    expected: Expected,
}

/// Reads the words of a command line behind the program's name; `None` when they ask for help.
///
/// # Errors
/// What is wrong, in words.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Option<Options>, String> {
    let mut parser = Parser::from_args(words);
    let mut given = Given::default();
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        let name = match argument {
            Arg::Long(name) => name.to_owned(),
            Arg::Short('h') => "help".to_owned(),
            other => return Err(other.unexpected().to_string()),
        };
        if name == "help" {
            return Ok(None);
        }
        take(&mut given, &name, &mut parser)?;
    }
    given.finish().map(Some)
}

fn take(given: &mut Given, name: &str, parser: &mut Parser) -> Result<(), String> {
    let expected = &mut given.expected;
    match name {
        "retransmit" => given.is_retransmitting = true,
        "transparent" => expected.transparent = true,
        "call-id-masked" => expected.call_id_masked = true,
        "expect-record-route" => expected.record_route = true,
        _ => {
            let value = || -> Result<String, String> {
                let value = parser.value().map_err(|error| error.to_string())?;
                value.string().map_err(|error| format!("--{name}: {error}"))
            };
            return take_value(given, name, value);
        }
    }
    Ok(())
}

fn take_value(
    given: &mut Given,
    name: &str,
    value: impl FnOnce() -> Result<String, String>,
) -> Result<(), String> {
    match name {
        "scenario" => given.scenario = Some(choose(name, &value()?, Scenario::NAMES)?),
        "transport" => given.transport = Some(choose(name, &value()?, Transport::NAMES)?),
        "end" => given.end = Some(choose(name, &value()?, End::NAMES)?),
        "proxy" => given.proxy = Some(value()?),
        "uac" => given.uac = Some(address(name, &value()?)?),
        "uas" => given.uas = Some(address(name, &value()?)?),
        "rate" => given.rate = Some(number(name, &value()?)?),
        "calls" => given.calls = Some(number(name, &value()?)?),
        "seconds" => given.seconds = Some(number(name, &value()?)?),
        "warm" => given.warm = Some(number(name, &value()?)?),
        "ring-ms" => given.ring_ms = Some(number(name, &value()?)?),
        "hold-ms" => given.hold_ms = Some(number(name, &value()?)?),
        "timeout-ms" => given.timeout_ms = Some(number(name, &value()?)?),
        "connections" => given.connections = Some(number(name, &value()?)?),
        "certificate" => given.certificate = Some(value()?.into()),
        "key" => given.key = Some(value()?.into()),
        "authority" => given.authority = Some(value()?.into()),
        "server-name" => given.server_name = Some(value()?),
        "request-uri" => given.request_uri = Some(value()?),
        "numbers" => given.numbers = Some(value()?.into()),
        "expect-request-uri-host" => given.expected.request_uri_host = Some(value()?),
        "expect-absent" => given.expected.absent.push(value()?),
        "expect-contains" => given.expected.contains.push(value()?),
        _ => return Err(format!("there is no option --{name}")),
    }
    Ok(())
}

fn choose<T: Copy>(name: &str, value: &str, names: &[(&str, T)]) -> Result<T, String> {
    let known = || names.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let row = names.iter().find(|(name, _)| *name == value);
    row.map(|row| row.1).ok_or_else(|| format!("--{name}: \"{value}\" is none of {}", known()))
}

fn address(name: &str, value: &str) -> Result<SocketAddr, String> {
    value.parse().map_err(|_| format!("--{name}: \"{value}\" is not IP:PORT"))
}

fn number<T: FromStr>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("--{name}: \"{value}\" is not a number that fits"))
}

fn needed<T>(name: &str, value: Option<T>) -> Result<T, String> {
    value.ok_or_else(|| format!("--{name} is missing"))
}

/// The longest time that an option may ask for.
const SECONDS_MAX: f64 = 86_400.0;

fn seconds(name: &str, value: f64) -> Result<Duration, String> {
    if (0.0..=SECONDS_MAX).contains(&value) {
        Ok(Duration::from_secs_f64(value))
    } else {
        Err(format!("--{name}: {value} is not 0 to {SECONDS_MAX} seconds"))
    }
}

fn milliseconds(name: &str, value: Option<u64>, default: u64) -> Result<Duration, String> {
    seconds(name, value.unwrap_or(default) as f64 / 1_000.0)
}

impl Given {
    fn finish(mut self) -> Result<Options, String> {
        let scenario = needed("scenario", self.scenario)?;
        let transport = self.transport.unwrap_or(Transport::Udp);
        let (uac, uas) = (needed("uac", self.uac)?, needed("uas", self.uas)?);
        let proxy = needed("proxy", self.proxy.take())?;
        let is_direct = proxy == "direct";
        let proxy = if is_direct { uas } else { address("proxy", &proxy)? };
        if uac.is_ipv4() != uas.is_ipv4() || proxy.is_ipv4() != uac.is_ipv4() {
            return Err("--proxy, --uac and --uas are not of one address family".to_owned());
        }
        self.expected.transparent |= is_direct;
        let rate = needed("rate", self.rate)?;
        if !(rate > 0.0 && rate <= 1e6) {
            return Err(format!("--rate: {rate} is not more than 0 and at most 1000000"));
        }
        let options = Options {
            scenario,
            transport,
            proxy,
            uac,
            uas,
            is_direct,
            rate,
            amount: self.amount()?,
            warm: seconds("warm", self.warm.unwrap_or(0.0))?,
            ring: milliseconds("ring-ms", self.ring_ms, 100)?,
            hold: milliseconds("hold-ms", self.hold_ms, 200)?,
            timeout: milliseconds("timeout-ms", self.timeout_ms, 5_000)?,
            is_retransmitting: self.is_retransmitting,
            end: self.end.unwrap_or(End::Busy),
            connections: self.connections.unwrap_or(1),
            tls: self.tls(transport)?,
            request_uri: self.request_uri(scenario)?,
            numbers: read_numbers(self.numbers.as_deref())?,
            expected: self.expected,
        };
        check(&options, self.connections.is_some())?;
        Ok(options)
    }

    fn amount(&self) -> Result<Amount, String> {
        match (self.calls, self.seconds) {
            (Some(calls), None) => Ok(Amount::Calls(calls)),
            (None, Some(time)) => seconds("seconds", time).map(Amount::Time),
            _ => Err("either --calls or --seconds is needed".to_owned()),
        }
    }

    fn tls(&mut self, transport: Transport) -> Result<Option<TlsFiles>, String> {
        let files = (self.certificate.take(), self.key.take(), self.authority.take());
        let server_name = self.server_name.take();
        match (transport, files) {
            (Transport::Tls, (Some(certificate), Some(key), Some(authority))) => {
                Ok(Some(TlsFiles { certificate, key, authority, server_name }))
            }
            (Transport::Tls, _) => {
                Err("--transport tls needs --certificate, --key and --authority".to_owned())
            }
            (_, (None, None, None)) if server_name.is_none() => Ok(None),
            _ => {
                Err("--certificate, --key, --authority and --server-name are for --transport tls".to_owned())
            }
        }
    }

    fn request_uri(&mut self, scenario: Scenario) -> Result<String, String> {
        let default = match scenario {
            Scenario::Register => "sip:border.ibcf.example",
            _ => "sip:+NUMBER@border.ibcf.example;user=phone",
        };
        let uri = self.request_uri.take().unwrap_or_else(|| default.to_owned());
        let is_uri = uri.contains(':') && uri.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_uri || uri.contains(['{', '}', '<', '>']) {
            return Err(format!("--request-uri: \"{uri}\" is not a URI"));
        }
        Ok(uri)
    }
}

fn check(options: &Options, has_connections: bool) -> Result<(), String> {
    if options.calls() == 0 {
        return Err("--calls, --seconds: not one call would be played".to_owned());
    }
    if options.scenario.is_wall() && (options.warm > Duration::ZERO) {
        return Err("--warm: a wall begins from nothing".to_owned());
    }
    if options.scenario.is_wall() && !matches!(options.amount, Amount::Calls(_)) {
        return Err("a wall needs --calls".to_owned());
    }
    if has_connections && options.transport == Transport::Udp {
        return Err("--connections: UDP has none".to_owned());
    }
    if !(1..=10_000).contains(&options.connections) {
        return Err(format!("--connections: {} is not 1 to 10000", options.connections));
    }
    Ok(())
}

fn read_numbers(file: Option<&Path>) -> Result<Vec<String>, String> {
    let Some(file) = file else { return Ok(vec!["4930123456".to_owned()]) };
    let text = fs::read_to_string(file).map_err(|error| format!("--numbers: {}: {error}", file.display()))?;
    let mut numbers = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let line = line.trim();
        let digits = line.strip_prefix('+').unwrap_or(line);
        if !(1..=15).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!(
                "--numbers: {}:{}: \"{line}\" is not 1 to 15 digits",
                file.display(),
                at + 1
            ));
        }
        numbers.push(digits.to_owned());
    }
    if numbers.is_empty() { Err(format!("--numbers: {}: no number", file.display())) } else { Ok(numbers) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "--scenario call --proxy 127.0.0.1:5060 --uac 127.0.0.1:5070 --uas 127.0.0.1:5080 --rate 10";

    fn read(words: &str) -> Result<Option<Options>, String> {
        parse(words.split_whitespace().map(OsString::from))
    }

    #[test]
    fn a_good_line_has_the_defaults_that_help_tells() {
        let options = read(&format!("{GOOD} --seconds 2.5")).expect("good").expect("no help");
        assert_eq!((options.scenario, options.transport), (Scenario::Call, Transport::Udp));
        assert_eq!((options.calls(), options.warm_calls()), (25, 0));
        assert_eq!((options.ring.as_millis(), options.hold.as_millis()), (100, 200));
        assert_eq!(options.timeout.as_millis(), 5_000);
        assert!(!options.is_retransmitting && !options.expected.transparent && !options.is_direct);
        assert!(read("--help").expect("good").is_none());
        assert!(CAUSES.iter().all(|(name, _)| help().contains(name)));
        let direct = GOOD.replace("--proxy 127.0.0.1:5060", "--proxy direct");
        let options = read(&format!("{direct} --calls 3")).expect("good").expect("no help");
        assert!(options.is_direct && options.expected.transparent);
    }

    #[test]
    fn every_fault_names_its_option() {
        for (words, fault) in [
            ("", "either --calls or --seconds is needed"),
            ("--calls 1 --seconds 1", "either --calls or --seconds is needed"),
            ("--calls 0", "--calls, --seconds: not one call would be played"),
            ("--calls x", "--calls: \"x\" is not a number that fits"),
            ("--calls", "missing argument for option '--calls'"),
            ("--calls 1 --rate 0", "--rate: 0 is not more than 0 and at most 1000000"),
            ("--calls 1 --rate NaN", "--rate: NaN is not more than 0 and at most 1000000"),
            ("--calls 1 --warm -1", "--warm: -1 is not 0 to 86400 seconds"),
            (
                "--calls 1 --scenario x",
                "--scenario: \"x\" is none of call, ringing, answered, register, message",
            ),
            ("--calls 1 --uac x", "--uac: \"x\" is not IP:PORT"),
            ("--calls 1 --uac [::1]:1", "--proxy, --uac and --uas are not of one address family"),
            ("--calls 1 --nothing", "there is no option --nothing"),
            ("--calls 1 --transport tls", "--transport tls needs --certificate, --key and --authority"),
            (
                "--calls 1 --key k",
                "--certificate, --key, --authority and --server-name are for --transport tls",
            ),
            ("--calls 1 --connections 2", "--connections: UDP has none"),
            ("--calls 1 --transport tcp --connections 0", "--connections: 0 is not 1 to 10000"),
            ("--calls 1 --scenario ringing --warm 1", "--warm: a wall begins from nothing"),
            ("--seconds 1 --scenario answered", "a wall needs --calls"),
            ("--calls 1 --request-uri sip:{x}", "--request-uri: \"sip:{x}\" is not a URI"),
            ("--calls 1 --numbers /nowhere", "--numbers: /nowhere: No such file or directory (os error 2)"),
        ] {
            assert_eq!(read(&format!("{GOOD} {words}")).expect_err(words), fault);
        }
        assert_eq!(read("--calls 1").expect_err("incomplete"), "--scenario is missing");
    }
}

//! The generator against its own UAS: every scenario over every transport ends well, and says so.

mod common;

use std::fs;
use std::path::PathBuf;

use common::{options, play};
use ibcf_load::{Load, LoadError, Report};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

const SCENARIOS: [&str; 6] =
    ["call", "ringing", "ringing --end cancel", "answered --hold-ms 100", "register", "message"];

fn run(words: &str) -> (String, Report) {
    play(&mut Load::bind(options(words)).expect("bound"))
}

fn assert_all_scenarios_end_well(transport: &str) {
    for scenario in SCENARIOS {
        let (events, report) = run(&format!("--scenario {scenario} --rate 1000 --calls 200 {transport}"));
        let result = report.to_json();
        assert!(report.is_clean(), "{scenario} {transport}: {result}");
        assert_eq!(report.ok(), 200);
        assert_eq!(result["invite_us"]["count"], 200);
        assert_eq!(result["lag_us"]["count"], 200);
        let answers = if scenario == "call" || scenario.starts_with("answered") { 200 } else { 0 };
        assert_eq!(result["answer_us"]["count"], answers, "{scenario}");
        let is_wall = scenario.starts_with("ringing") || scenario.starts_with("answered");
        let wall = if is_wall { "{\"calls\":200,\"event\":\"wall\"}\n" } else { "" };
        assert_eq!(events, format!("{{\"event\":\"measuring\"}}\n{wall}"));
        if is_wall {
            assert_eq!(result["concurrent_max"], 200);
        }
        assert_eq!(result["retransmissions"]["seen"], 0, "{scenario} {transport}");
    }
}

#[test]
fn every_scenario_ends_well_over_udp() {
    assert_all_scenarios_end_well("--transport udp");
}

#[test]
fn every_scenario_ends_well_over_tcp() {
    assert_all_scenarios_end_well("--transport tcp --connections 3");
}

#[test]
fn every_scenario_ends_well_over_tls() {
    assert_all_scenarios_end_well(&tls("good", "good", "--connections 2"));
}

#[test]
fn a_server_that_another_authority_signed_for_is_not_believed() {
    let words = format!("--scenario call --rate 100 --calls 1 {}", tls("bad", "other", ""));
    let mut load = Load::bind(options(&words)).expect("bound");
    let error = load.run(&mut Vec::new()).expect_err("no handshake");
    assert!(matches!(error, LoadError::System(_)), "{error}");
}

#[test]
fn a_file_that_is_no_certificate_is_bad_use_and_named() {
    let words = tls("broken", "good", "");
    let certificate = directory("broken").join("certificate.pem");
    fs::write(&certificate, "nothing").expect("written");
    let error =
        Load::bind(options(&format!("--scenario call --rate 100 --calls 1 {words}"))).err().expect("a fault");
    assert!(matches!(error, LoadError::Use(_)));
    assert_eq!(error.to_string(), format!("{}: no certificate in PEM", certificate.display()));
}

#[test]
fn what_is_warm_up_is_played_before_and_not_counted() {
    let (events, report) = run("--scenario call --rate 500 --seconds 0.2 --warm 0.1");
    assert_eq!(events, "{\"event\":\"measuring\"}\n");
    let result = report.to_json();
    assert_eq!(
        (&result["calls"], &result["ok"], &result["warm_failed"]),
        (&100.into(), &100.into(), &0.into())
    );
    assert_eq!(result["invite_us"]["count"], 100);
}

#[test]
fn the_number_stands_in_every_form_of_request_uri() {
    for (form, host) in [("sip:+NUMBER@x.example;user=phone", "x.example"), ("tel:+NUMBER", "")] {
        let mut options = options(&format!("--scenario call --rate 500 --calls 20 --request-uri {form}"));
        options.numbers = vec!["4930123456".to_owned(), "441632960000".to_owned()];
        options.expected.request_uri_host = Some(host.to_owned()).filter(|host| !host.is_empty());
        options.expected.contains.push(form.replace("NUMBER", "4"));
        options.expected.contains.truncate(usize::from(form.starts_with("tel")));
        let (_, report) = play(&mut Load::bind(options).expect("bound"));
        assert!(report.is_clean(), "{form}: {}", report.to_json());
    }
}

#[test]
fn every_expectation_that_is_not_met_has_its_cause() {
    for (words, cause) in [
        ("--expect-request-uri-host other.example", "request_uri"),
        ("--expect-absent P-Early-Media", "header_present"),
        ("--expect-contains orig-ioi=home1.example", "text_missing"),
        ("--expect-record-route", "record_route"),
    ] {
        let (_, report) = run(&format!("--scenario call --rate 1000 --calls 20 {words}"));
        assert!(!report.is_clean());
        assert_eq!(report.causes().into_iter().collect::<Vec<_>>(), [(cause.to_owned(), 20)], "{words}");
    }
    let met =
        "--expect-request-uri-host border.ibcf.example --expect-absent X-Nothing --expect-contains 8c40d1e9";
    let (_, report) = run(&format!("--scenario call --rate 1000 --calls 20 {met}"));
    assert!(report.is_clean(), "{}", report.to_json());
}

#[test]
fn what_should_have_been_a_proxy_and_is_none_is_noticed() {
    let mut options = options("--scenario call --rate 1000 --calls 20");
    options.expected.transparent = false;
    let (_, report) = play(&mut Load::bind(options).expect("bound"));
    assert_eq!(report.causes().into_keys().collect::<Vec<_>>(), ["max_forwards"]);
}

fn directory(name: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&directory).expect("a directory");
    directory
}

/// Options for TLS with files of a new authority; we believe that one if *believed* is "good".
fn tls(name: &str, believed: &str, more: &str) -> String {
    let directory = directory(name);
    let authority = || {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        (certificate.pem(), Issuer::new(params, key))
    };
    let (pem, issuer) = authority();
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(vec!["load.example".to_owned()]).expect("a name");
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = params.signed_by(&key, &issuer).expect("a certificate");
    let pem = if believed == "good" { pem } else { authority().0 };
    let write = |file: &str, text: String| {
        let path = directory.join(file);
        fs::write(&path, text).expect("written");
        path.display().to_string()
    };
    let certificate = write("certificate.pem", certificate.pem());
    let key = write("key.pem", key.serialize_pem());
    let authority = write("authority.pem", pem);
    format!("--transport tls --certificate {certificate} --key {key} --authority {authority} {more}")
}

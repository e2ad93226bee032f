//! How long a message takes from bytes to index, to verdict, and to the values that every request needs.
//!
//! `cargo bench -p ibcf-sip --bench parse`

#![allow(missing_docs)] // criterion_group! writes a function without documentation

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ibcf_sip::message::{HeaderIndex, Uri};
use ibcf_sip::parse::{call_id_of, check, parse};
use ibcf_sip::snapshot::Limits;

#[path = "../tests/torture/ims.rs"]
mod ims;

const RINGING: &[u8] = b"SIP/2.0 180 Ringing\r\n\
    Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK0d2f.b7\r\n\
    From: <sip:+441632960081@alpha.example;user=phone>;tag=5f3a\r\n\
    To: <sip:+442079460123@beta.example;user=phone>;tag=9e11\r\n\
    Call-ID: 1c9b03d2-8831-4e70-9a55\r\n\
    CSeq: 102 INVITE\r\n\
    Content-Length: 0\r\n\r\n";

fn benches(criterion: &mut Criterion) {
    let limits = Limits::default();
    let invite = ims::invite();
    let mut index = HeaderIndex::default();
    let mut group = criterion.benchmark_group("parse");

    group.throughput(Throughput::Bytes(invite.len() as u64));
    group.bench_function("invite_index", |bencher| {
        bencher.iter(|| parse(black_box(&invite), &limits, &mut index).expect("a message").header_count());
    });
    group.bench_function("invite_index_and_check", |bencher| {
        bencher.iter(|| {
            let message = parse(black_box(&invite), &limits, &mut index).expect("a message");
            check(&message, &limits).is_ok()
        });
    });
    group.bench_function("invite_call_id", |bencher| bencher.iter(|| call_id_of(black_box(&invite))));

    let mut scratch = HeaderIndex::default();
    let message = parse(&invite, &limits, &mut scratch).expect("a message");
    group.bench_function("invite_typed_values", |bencher| {
        bencher.iter(|| {
            let message = black_box(&message);
            (
                message.top_via().expect("a Via").branch(),
                message.from().expect("a From").tag(),
                message.to().expect("a To").tag(),
                message.call_id().expect("a Call-ID"),
                message.cseq().expect("a CSeq"),
                message.max_forwards(),
                message.request().map(|request| Uri::parse(request.uri)),
            )
        });
    });

    group.throughput(Throughput::Bytes(RINGING.len() as u64));
    group.bench_function("ringing_index", |bencher| {
        bencher.iter(|| parse(black_box(RINGING), &limits, &mut index).expect("a message").header_count());
    });
    group.finish();
}

criterion_group!(parse_benches, benches);
criterion_main!(parse_benches);

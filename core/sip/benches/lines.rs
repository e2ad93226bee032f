//! What the record of a call costs: to pack, to read again, and its CDR and its log line.

#![allow(missing_docs)] // criterion_group! writes a function without documentation

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ibcf_sip::event::{
    Attempt, CallLineForm, CallRecord, Neighbour, NodeNames, Outcome, PackedRecord, RecordKind, ReleasedBy,
    write_call_line, write_cdr,
};
use smallvec::smallvec;

/// A call that was answered, as an IMS core makes it.
fn record() -> CallRecord<'static> {
    let text = |text: &'static str| Some(text.into());
    CallRecord {
        record: RecordKind::Call,
        method: "INVITE".into(),
        call_id: "3848276298220188511@tas.ims.mnc001.mcc001.3gppnetwork.org".into(),
        icid: text("1234bc9876e-0d4b-4f3a-a1a3-2c6f7b8d9e10"),
        orig_ioi: text("ims.mnc001.mcc001.3gppnetwork.org"),
        term_ioi: text("ims.mnc002.mcc002.3gppnetwork.org"),
        session_id: text("ab30317f1a784dc48ff824d0d3715d86;remote=00000000000000000000000000000000"),
        peer_in: "carrier_a".into(),
        peer_out: text("carrier_b"),
        neighbour: Some(Neighbour { trusted: true, address: "192.0.2.1:5060".parse().ok() }),
        direction: "exit",
        calling: smallvec!["sip:+441632960000@a.example;user=phone".into(), "tel:+441632960000".into()],
        from: "sip:+441632960000@a.example;user=phone".into(),
        called: "sip:+441632960083@b.example;user=phone".into(),
        request_uri_out: text("sip:+441632960083@ims.b.example;user=phone"),
        number: text("+441632960083"),
        enum_class: text("FOUND"),
        route: text("to_b"),
        tags: smallvec![],
        outcome: Outcome::Answered,
        status: 200,
        reason: None,
        source: None,
        attempts: smallvec![Attempt {
            peer: "carrier_b".into(),
            target: "b1".into(),
            status: Some(200),
            phrase: text("OK"),
            cause: None,
            reason: None,
        }],
        start_ms: 1_795_407_240_000,
        ring_ms: Some(1_795_407_240_500),
        answer_ms: Some(1_795_407_241_000),
        end_ms: 1_795_407_251_250,
        released_by: Some(ReleasedBy::Upstream),
        release_reason: text("Q.850;cause=16;text=\"Terminated\""),
        generation: 3,
    }
}

fn lines(criterion: &mut Criterion) {
    let (record, mut out) = (record(), Vec::with_capacity(4_096));
    let names = NodeNames { node: "ibcf-1".to_owned(), address: "192.0.2.9:5060".to_owned() };
    let form = CallLineForm { unix_ms: 1_795_407_251_300, node: "ibcf-1", masked: true };
    let mut group = criterion.benchmark_group("lines");
    group.throughput(Throughput::Elements(1));
    let mut scratch = String::new();
    let packed = PackedRecord::pack(&record, &mut scratch);
    group.bench_function("pack", |bench| {
        bench.iter(|| PackedRecord::pack(black_box(&record), &mut scratch));
    });
    group.bench_function("record", |bench| {
        bench.iter(|| black_box(black_box(&packed).record()).end_ms);
    });
    group.bench_function("cdr", |bench| {
        bench.iter(|| {
            out.clear();
            write_cdr(black_box(&record), &names, &mut out);
            black_box(out.len())
        });
    });
    group.bench_function("call line", |bench| {
        bench.iter(|| {
            out.clear();
            write_call_line(black_box(&record), form, &mut out);
            black_box(out.len())
        });
    });
    group.finish();
}

criterion_group!(benches, lines);
criterion_main!(benches);

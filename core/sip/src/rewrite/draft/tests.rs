use super::*;
use crate::rewrite::testing::{Dice, INVITE, edited, edited_headers, with_message};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A well-framed message of any shape: names in any case and form, folds, lists, unknown headers, any body.
fn some_message(dice: &mut Dice) -> Vec<u8> {
    const NAMES: &[&str] =
        &["Via", "v", "ROUTE", "f", "To", "x-some", "Record-Route", "P-Asserted-Identity", "s", "l-x"];
    const VALUES: &[&str] =
        &["", "a", "a,b", "<sip:a,b;lr>, c", "\"q,\\\"\" <sip:x>;p", "a\r\n b", "a,\r\n\t b", "\u{fc}"];
    const BLANKS: &[&str] = &["", " ", "   ", "\t", "\r\n "];
    let mut message = dice
        .pick(&["INVITE sip:a SIP/2.0\r\n", "SIP/2.0 200 OK\r\n", "x tel:1 SIP/2.0\r\n"])
        .as_bytes()
        .to_vec();
    for _ in 0..dice.below(12) {
        for part in [
            dice.pick(NAMES),
            dice.pick(&["", " "]),
            ":",
            dice.pick(BLANKS),
            dice.pick(VALUES),
            dice.pick(BLANKS),
        ] {
            message.extend_from_slice(part.as_bytes());
        }
        message.extend_from_slice(b"\r\n");
    }
    message.extend_from_slice(b"\r\n");
    for _ in 0..dice.below(40) {
        message.push(dice.below(256) as u8);
    }
    message
}

#[test]
fn a_draft_without_edits_is_the_message_byte_for_byte() {
    assert_eq!(edited(INVITE, |_| {}), INVITE);
    let mut dice = Dice(1);
    for _ in 0..5_000 {
        let message = some_message(&mut dice);
        assert_eq!(text(&edited(&message, |_| {})), text(&message));
    }
}

#[test]
fn bytes_around_the_message_do_not_leave() {
    let framed = b"\r\n\r\nOPTIONS sip:b SIP/2.0\r\nContent-Length: 2\r\n\r\nabcdef";
    assert_eq!(edited(framed, |_| {}), b"OPTIONS sip:b SIP/2.0\r\nContent-Length: 2\r\n\r\nab");
}

#[test]
fn the_edits_of_a_forwarded_request_and_nothing_else() {
    let out = edited(INVITE, |draft| {
        assert_eq!(draft.pop_value(HeaderId::Route), Some(&b"<sip:tok@127.0.0.1:5060;lr>"[..]));
        assert!(draft.set_request_uri(b"sip:+441632960083@b.example;user=phone"));
        draft.set_max_forwards(68);
        assert!(draft.prepend(HeaderId::RecordRoute, b"<sip:t@127.0.0.1:5060;lr>"));
        assert!(draft.prepend(HeaderId::Via, b"SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKn"));
        assert!(draft.append("X-New", b"last"));
    });
    let expected = b"INVITE sip:+441632960083@b.example;user=phone SIP/2.0\r\n\
Record-Route: <sip:t@127.0.0.1:5060;lr>\r\n\
Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKn\r\n\
v: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bKa;rport , SIP/2.0/TCP core.a.example;branch=z9hG4bKb\r\n\
Via: SIP/2.0/UDP [2001:db8::9];branch=z9hG4bKc\r\n\
Route: <sip:b.example;lr>\r\n\
Max-Forwards: 68\r\n\
f: \"A, B\" <sip:+4420@a.example>;tag=1\r\n\
To: <tel:+441632960083>\r\n\
CALL-ID: x@a\r\n\
CSeq: 314 INVITE\r\n\
Subject:   a\tb  \r\n\
X-Odd  :keep me\r\n\
Content-Length: 4\r\n\
X-New: last\r\n\
\r\n\
\0\r\n\xff";
    assert_eq!(text(&out), text(expected));
}

#[test]
fn every_edit_is_visible_to_the_next() {
    edited(INVITE, |draft| {
        draft.set("Subject", b"one");
        assert_eq!(draft.first(HeaderId::Subject).unwrap().value, b"one");
        draft.append("s", b"two");
        assert_eq!(draft.values("SUBJECT").collect::<Vec<_>>(), [b"one", b"two"]);
        draft.prepend("Subject", b"zero");
        assert_eq!(draft.first("s").unwrap().value, b"zero");
        draft.set("s", b"three");
        assert_eq!(draft.all("Subject").map(|header| header.value).collect::<Vec<_>>(), [b"three"]);
        let at = draft.first("Subject").unwrap().at;
        assert!(draft.edit_value(at, |old, new| {
            new.extend_from_slice(old);
            new.extend_from_slice(b" and four");
            true
        }));
        assert_eq!(draft.header_at(at).unwrap().value, b"three and four");
        assert_eq!(draft.remove_all("Subject"), 1);
        assert!(draft.first("Subject").is_none());
        assert_eq!(draft.by_name(b"x-odd").map(|header| header.value).collect::<Vec<_>>(), [b"keep me"]);
        assert!(draft.set_request_uri(b"sip:a"));
        assert!(draft.set_request_uri(b"sip:bb"));
        assert_eq!(draft.request_uri(), b"sip:bb");
        assert_eq!(draft.remove_named(b"X-ODD"), 1);
    });
}

#[test]
fn the_name_stays_as_written_when_the_value_changes() {
    let out = edited_headers(&["s:  a", "SUBJECT: b", "x-Y : c"], |draft| {
        draft.set(HeaderId::Subject, b" new ");
        draft.set("X-Y", b"d");
    });
    assert_eq!(out, ["s: new", "x-Y: d"]);
}

#[test]
fn headers_are_put_where_it_is_said() {
    let out = edited_headers(&["Via: 1", "To: t", "Via: 2", "From: f"], |draft| {
        draft.prepend(HeaderId::Via, b"0");
        draft.append(HeaderId::Via, b"3");
        draft.append_after(HeaderId::Via, "X-A", b"a");
        draft.append_after(HeaderId::Route, "X-B", b"b");
        draft.set("X-C", b"c");
        draft.set_max_forwards(0);
        draft.set_max_forwards(70);
    });
    let expected = [
        "X-B: b",
        "Via: 0",
        "Via: 1",
        "To: t",
        "Via: 2",
        "Via: 3",
        "Max-Forwards: 70",
        "X-A: a",
        "From: f",
        "X-C: c",
    ];
    assert_eq!(out, expected);
}

#[test]
fn values_are_popped_one_by_one_over_lines_and_folds() {
    let headers = ["Route: <sip:a,b>;x=\"1,2\" ,,\r\n <sip:c>", "To: t", "route:", "ROUTE: <sip:d> ,"];
    let mut popped = Vec::new();
    let out = edited_headers(&headers, |draft| {
        while let Some(value) = draft.pop_value(HeaderId::Route) {
            popped.push(text(value));
        }
    });
    assert_eq!(popped, ["<sip:a,b>;x=\"1,2\"", "<sip:c>", "<sip:d>"]);
    assert_eq!(out, ["To: t"]);
    let once = edited_headers(&headers, |draft| {
        draft.pop_value("Route");
    });
    assert_eq!(once, ["Route: <sip:c>", "To: t", "route:", "ROUTE: <sip:d> ,"]);
}

#[test]
fn no_edit_can_add_a_line_or_end_the_headers() {
    let before = ["Via: 1", "Subject: s"];
    for bad in [&b"a\r\nX-Evil: 1"[..], b"a\nX-Evil: 1", b"a\rX", b"a\r\n\r\nbody", b"\0"] {
        let out = edited_headers(&before, |draft| {
            assert!(!draft.set("Subject", bad));
            assert!(!draft.set("X-New", bad));
            assert!(!draft.prepend(HeaderId::Via, bad));
            assert!(!draft.append("X-New", bad));
            assert!(!draft.append_after(HeaderId::Via, "X-New", bad));
            assert!(!draft.replace_value(0, bad));
            assert!(!draft.edit_value(0, |_, out| {
                out.extend_from_slice(bad);
                true
            }));
            assert!(!draft.set_request_uri(bad));
        });
        assert_eq!(out, before);
    }
    let out = edited_headers(&before, |draft| {
        for name in ["", "X:", "X Y", "X\r\nY", "\u{fc}"] {
            assert!(!draft.append(name, b"v"), "{name:?}");
        }
        assert!(!draft.append(HeaderId::Other, b"v"));
        assert!(!draft.set_request_uri(b""));
        assert!(!draft.set_request_uri(b"sip:a b"));
        assert!(!draft.replace_value(2, b"no such header"));
        assert!(draft.append("X-Fold", b"a\r\n b"));
    });
    assert_eq!(out, ["Via: 1", "Subject: s", "X-Fold: a", " b"]);
}

#[test]
fn a_response_has_no_request_uri() {
    let out = edited(b"SIP/2.0 180 Ringing\r\nVia: a, b\r\n\r\n", |draft| {
        assert!(!draft.is_request());
        assert_eq!(draft.request_uri(), b"");
        assert!(!draft.set_request_uri(b"sip:a"));
        draft.pop_value(HeaderId::Via);
    });
    assert_eq!(out, b"SIP/2.0 180 Ringing\r\nVia: b\r\n\r\n");
}

/// The same edits on a draft and on a plain list of names and values must come to the same headers, for the reader too.
#[test]
fn random_edits_agree_with_a_list_of_headers() {
    type Model = Vec<(String, Vec<u8>)>;
    const NAMES: &[&str] = &["Via", "Route", "X-Some", "Subject", "Record-Route"];
    let mut dice = Dice(7);
    for _ in 0..2_000 {
        let message = some_message(&mut dice);
        with_message(&message, |message| {
            let long = |name: &[u8]| match HeaderId::from_name(name) {
                HeaderId::Other => text(name).to_ascii_lowercase(),
                id => id.name().to_ascii_lowercase(),
            };
            let mut model: Model =
                message.headers().map(|header| (long(header.name), header.value.to_vec())).collect();
            let mut scratch = DraftScratch::default();
            let mut draft = Draft::new(message, &mut scratch);
            for _ in 0..dice.below(8) {
                let name = dice.pick(NAMES);
                let key = name.to_ascii_lowercase();
                let value = dice.pick(&["1", "2,3", "<sip:x>"]).as_bytes();
                let first = model.iter().position(|(known, _)| *known == key);
                let last = model.iter().rposition(|(known, _)| *known == key);
                let line = (key.clone(), value.to_vec());
                match dice.below(5) {
                    0 => {
                        draft.prepend(name, value);
                        model.insert(first.unwrap_or(0), line);
                    }
                    1 => {
                        draft.append(name, value);
                        model.insert(last.map_or(model.len(), |last| last + 1), line);
                    }
                    2 => {
                        draft.set(name, value);
                        model.retain({
                            let mut seen = false;
                            move |(known, _)| *known != key || !std::mem::replace(&mut seen, true)
                        });
                        match first {
                            Some(first) => model[first].1 = line.1,
                            None => model.push(line),
                        }
                    }
                    3 => {
                        draft.remove_all(name);
                        model.retain(|(known, _)| *known != key);
                    }
                    _ => {
                        let popped = draft.pop_value(name).map(<[u8]>::to_vec);
                        let mut expected = None;
                        while let (None, Some(at)) =
                            (&expected, model.iter().position(|(known, _)| *known == key))
                        {
                            let (element, rest) = split_first(&model[at].1);
                            expected = (!element.is_empty()).then(|| element.to_vec());
                            match rest.to_vec() {
                                rest if rest.is_empty() => drop(model.remove(at)),
                                rest => model[at].1 = rest,
                            }
                        }
                        assert_eq!(popped, expected);
                    }
                }
            }
            let mut out = Vec::new();
            draft.encode(&mut out);
            with_message(&out, |written| {
                let found: Model =
                    written.headers().map(|header| (long(header.name), header.value.to_vec())).collect();
                assert_eq!(found, model);
                assert!(out.ends_with(message.body()));
            });
        });
    }
}

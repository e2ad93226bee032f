use super::*;
use serde_json::json;

fn edit(rewrite: serde_json::Value) -> UriEdit {
    UriEdit::compile(&serde_json::from_value(rewrite).unwrap()).unwrap().unwrap()
}

fn made(rewrite: serde_json::Value, uri: &str) -> Result<String, &'static str> {
    let made = edit(rewrite).apply(uri.as_bytes())?;
    Ok(made.map_or_else(|| "the same".to_owned(), |made| String::from_utf8(made).unwrap()))
}

#[test]
fn digits_go_from_the_front_of_a_number_and_others_come_there() {
    let number =
        |strip: u8, prefix: &str, uri: &str| made(json!({"number": {"strip": strip, "prefix": prefix}}), uri);
    for (strip, prefix, before, after) in [
        (2, "+44", "sip:00123@h;user=phone", "sip:+44123@h;user=phone"),
        (2, "+", "sip:0044;npdi@h;user=phone", "sip:+44;npdi@h;user=phone"),
        (0, "+1", "tel:+44-(16)32;ext=1", "tel:+1441632;ext=1"),
        (2, "0", "sip:+44163:pw@h:5070;user=phone;x?a=b", "sip:0163:pw@h:5070;user=phone;x?a=b"),
        (1, "+44", "tel:0163;phone-context=+44;x", "tel:+44163;x"),
        (1, "+44", "sip:0163;phone-context=a.example;npdi@h;user=phone", "sip:+44163;npdi@h;user=phone"),
        (2, "+44", "tel:+44163", "the same"),
        (1, "+", "sip:0163@h", "the same"), // no number without user=phone
        (1, "+", "sip:alice@h;user=phone", "the same"),
        (1, "+", "urn:service:sos", "the same"),
        (1, "", "sip:h", "the same"),
    ] {
        assert_eq!(number(strip, prefix, before).as_deref(), Ok(after), "{before}");
    }
    for (strip, prefix, before) in [
        (4, "+", "tel:+163"),
        (3, "", "tel:+163"),
        (3, "+", "tel:+163"),
        (2, "0", "tel:+44163"),
        (0, "+12345678", "tel:+12345678"),
    ] {
        assert!(number(strip, prefix, before).is_err(), "{before}");
    }
    assert_eq!(number(2, "0", "tel:+44163;phone-context=+44").as_deref(), Ok("tel:0163;phone-context=+44"));
}

#[test]
fn a_user_part_is_made_of_captures() {
    let user =
        |pattern: &str, with: &str, uri: &str| made(json!({"user": {"pattern": pattern, "with": with}}), uri);
    let fit = |pattern: &str, with: &str, uri: &str| user(pattern, with, uri).unwrap();
    assert_eq!(fit("^00(.*)$", "+$1", "sip:0044@h"), "sip:+44@h");
    assert_eq!(fit("^(?<n>\\w+)$", "${n}-${n}$$", "sips:bob:pw@h;x"), "sips:bob-bob$:pw@h;x");
    assert_eq!(fit("^\\+44", "+1", "tel:+44163;ext=1"), "tel:+1163;ext=1");
    assert_eq!(fit("^x", "y", "sip:bob@h"), "the same");
    assert_eq!(fit("^", "y", "sip:h"), "the same", "there is none");
    for (with, uri) in [
        ("", "sip:bob@h"),
        ("a@b", "sip:bob@h"),
        ("a:b", "sip:bob@h"),
        ("a b", "sip:bob@h"),
        ("é", "sip:bob@h"),
        ("bob", "tel:+44"),
        ("44", "tel:+44"),
    ] {
        assert!(user("^.*$", with, uri).is_err(), "{with}");
    }
}

#[test]
fn a_number_changes_its_form_and_comes_back() {
    let sip = json!({"form": "sip", "host": "b.example"});
    let tel = json!({"form": "tel"});
    for (before, after) in [
        ("tel:+44-163;ext=1;rn=[a]:b", "sip:+44-163;ext=1;rn=%5Ba%5D%3Ab@b.example;user=phone"),
        ("TEL:*21#;phone-context=a.example", "sip:*21%23;phone-context=a.example@b.example;user=phone"),
    ] {
        assert_eq!(made(sip.clone(), before).as_deref(), Ok(after));
        let back = before.replace("TEL", "tel");
        assert_eq!(made(tel.clone(), after), Ok(back));
    }
    assert_eq!(
        made(sip.clone(), "sip:+44@a.example:5070;user=phone").as_deref(),
        Ok("sip:+44@b.example;user=phone")
    );
    assert_eq!(made(sip, "urn:service:sos").as_deref(), Ok("the same"));
    assert_eq!(
        made(tel.clone(), "sip:+44:pw@a.example;user=phone;transport=tcp?x=y").as_deref(),
        Ok("tel:+44")
    );
    assert_eq!(made(tel.clone(), "sip:+44@a.example").as_deref(), Ok("the same"));
    for bad in [
        "sip:0163@a.example;user=phone",
        "sip:alice@a.example;user=phone",
        "sip:%0a44@a.example;user=phone",
        "sip:%4@a.example;user=phone",
    ] {
        assert!(made(tel.clone(), bad).is_err(), "{bad}");
    }
}

#[test]
fn host_and_parameters_change_and_the_rest_stays() {
    let rewrite = json!({"host": "b.example", "removed_parameters": ["transport"], "set_parameters": [["user", "phone"], ["x", ""]]});
    for (before, after) in [
        ("sip:a;b@h:5070;Transport=tcp;lr", "sip:a;b@b.example;lr;user=phone;x"),
        ("sip:a@b.example;USER=phone;x", "the same"),
        ("sips:h;user=ip;x=1", "sips:b.example;user=phone;x"),
        ("sip:a@[2001:db8::1]:5061", "sip:a@b.example;user=phone;x"),
        ("tel:+44;transport=x", "tel:+44;user=phone;x"),
    ] {
        assert_eq!(made(rewrite.clone(), before).as_deref(), Ok(after), "{before}");
    }
}

#[test]
fn changes_follow_each_other() {
    let rewrite = json!({"form": "sip", "host": "b.example", "number": {"strip": 2, "prefix": "+33"},
        "user": {"pattern": "^\\+33", "with": "+34"}, "set_parameters": [["transport", "tcp"]]});
    assert_eq!(made(rewrite, "tel:+44163").as_deref(), Ok("sip:+34163@b.example;user=phone;transport=tcp"));
}

#[test]
fn edits_that_could_not_be_done_are_refused() {
    let problem = |rewrite: serde_json::Value| {
        let (key, problem) = UriEdit::compile(&serde_json::from_value(rewrite).unwrap()).unwrap_err();
        format!("{key}: {problem}")
    };
    for (rewrite, expected) in [
        (json!({"number": {}}), "number: changes nothing"),
        (json!({"number": {"prefix": "+44x"}}), "number: \"+44x\" is no beginning of a number"),
        (json!({"number": {"prefix": "4+"}}), "number: \"4+\" is no beginning of a number"),
        (json!({"form": "sip"}), "host: missing: a sip URI has one"),
        (json!({"host": "a b"}), "host: is no host"),
        (json!({"host": "a.example:5060"}), "host: is no host"),
        (
            json!({"set_parameters": [["method", "BYE"]]}),
            "parameters: \"method\" is no parameter of a Request-URI",
        ),
        (json!({"removed_parameters": ["a;b"]}), "parameters: \"a;b\" is no parameter of a Request-URI"),
        (json!({"set_parameters": [["x", "a;b"]]}), "parameters: the value of x cannot stand in a URI"),
        (json!({"user": {"pattern": "a", "with": "${peer.to}"}}), "user.with: there are no variables here"),
        (
            json!({"user": {"pattern": "a", "with": "$1"}}),
            "user.with: the pattern has no group \"1\"; write $$ for a dollar sign",
        ),
    ] {
        assert_eq!(problem(rewrite), expected);
    }
    let nothing = UriEdit::compile(&serde_json::from_value(json!({})).unwrap()).unwrap();
    assert!(nothing.is_none());
}

//! Every message of every scenario.

use crate::options::Options;
use crate::template::Template;

macro_rules! text {
    ($name:literal) => {
        include_str!(concat!("templates/", $name, ".sip"))
    };
}

/// What tells the branches of one call apart.
pub(crate) mod branch {
    /// Of the first request; its CANCEL and the ACK to a refusal have the same (RFC 3261 §9.1, §17.1.1.3).
    pub(crate) const FIRST: u8 = b'f';
    /// Of the ACK to a 2xx.
    pub(crate) const ACK: u8 = b'a';
    /// Of the BYE.
    pub(crate) const BYE: u8 = b'b';
}

/// The texts, compiled for one run.
#[derive(Debug)]
pub(crate) struct Templates {
    pub(crate) invite: Template,
    pub(crate) ack: Template,
    pub(crate) ack_refusal: Template,
    pub(crate) cancel: Template,
    pub(crate) bye: Template,
    pub(crate) register: Template,
    pub(crate) message: Template,
    pub(crate) trying: Template,
    pub(crate) ringing: Template,
    pub(crate) answer: Template,
    pub(crate) busy: Template,
    pub(crate) terminated: Template,
    pub(crate) ok: Template,
    pub(crate) registered: Template,
    /// Via and identity of a request, as its response must have them.
    pub(crate) echo: Template,
    /// The same of a CANCEL, which has but one Via.
    pub(crate) echo_cancel: Template,
    pub(crate) call_id: Template,
    /// `;tag=` of the UAS.
    pub(crate) to_tag: Template,
    pub(crate) path: Template,
    pub(crate) service_route: Template,
    /// The URI of the UAS's Contact.
    pub(crate) contact: Template,
}

/// The Record-Routes of our INVITE, from the top: those of the nodes before us, which we stand for.
pub(crate) const RECORD_ROUTES: [&str; 2] = [
    "<sip:mo@scscf1.home1.example:5060;lr;odi=0be41d75c3a8>",
    "<sip:term@pcscf3.visited1.example:5060;lr;ue=29c06be1>",
];

impl Templates {
    /// Compiles them: *run* tells this run from those before it.
    pub(crate) fn new(options: &Options, run: &str) -> Self {
        let transport = options.transport.name();
        let (vias, via) = (text!("vias").trim_end(), text!("via").trim_end());
        let (uac, uas, proxy) = (options.uac.to_string(), options.uas.to_string(), options.proxy.to_string());
        let uri = options.request_uri.replace("NUMBER", "{number}");
        let lower = transport.to_ascii_lowercase();
        let constants = [
            ("vias", vias),
            ("via", via),
            ("identity", text!("identity").trim_end()),
            ("uri", uri.as_str()),
            ("run", run),
            ("uac", uac.as_str()),
            ("uas", uas.as_str()),
            ("proxy", proxy.as_str()),
            ("transport", transport),
            ("transport_lower", lower.as_str()),
        ];
        let compile = |text: &str| Template::compile(text, &constants);
        Self {
            invite: compile(text!("invite")),
            ack: compile(text!("ack")),
            ack_refusal: compile(text!("ack_refusal")),
            cancel: compile(text!("cancel")),
            bye: compile(text!("bye")),
            register: compile(text!("register")),
            message: compile(text!("message")),
            trying: compile(text!("trying")),
            ringing: compile(text!("ringing")),
            answer: compile(text!("answer")),
            busy: compile(text!("busy")),
            terminated: compile(text!("terminated")),
            ok: compile(text!("ok")),
            registered: compile(text!("registered")),
            echo: compile("{vias}\n{identity}\n"),
            echo_cancel: compile("{via}\n{identity}\n"),
            call_id: compile("{run}-{call}@pcscf3.visited1.example"),
            to_tag: compile(";tag={run}t{call}"),
            path: compile("ue={call}>"),
            service_route: compile("call={call}>"),
            contact: compile("sip:ibcf-b@{uas};transport={transport_lower}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::copied::Copied;
    use crate::template::Values;
    use crate::token::Token;
    use ibcf_sip::message::{HeaderId, HeaderIndex};
    use ibcf_sip::parse::{check, parse};
    use ibcf_sip::snapshot::document::Limits;

    fn templates() -> Templates {
        let words = "--scenario call --proxy 127.0.0.1:5060 --uac 127.0.0.1:5070 --uas 127.0.0.1:5080 --rate 1 --calls 1";
        let options = crate::arguments::parse(words.split_whitespace().map(Into::into));
        Templates::new(&options.expect("good").expect("no help"), "0123abcd")
    }

    fn values() -> Values<'static> {
        Values {
            call: Token::new(5, 77),
            branch: branch::FIRST,
            number: b"4930123456",
            target: b"sip:ibcf-b@127.0.0.1:5080",
            routes: b"Route: <sip:127.0.0.1:5060;lr>\r\n",
            ..Values::default()
        }
    }

    /// Renders *template* and has the parser of the border check it whole; returns the bytes.
    fn rendered(template: &Template, values: &Values<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        template.render(values, &mut out);
        let (mut index, limits) = (HeaderIndex::default(), Limits::default());
        let message = parse(&out, &limits, &mut index).expect("a message");
        assert_eq!(check(&message, &limits), Ok(()), "{}", String::from_utf8_lossy(&out));
        assert_eq!(message.content_length(), Ok(Some(message.body().len())));
        assert_eq!(message.bytes().len(), out.len());
        out
    }

    #[test]
    fn every_message_is_whole_and_good() {
        let (templates, values) = (templates(), values());
        let invite = rendered(&templates.invite, &values);
        for request in [
            &templates.ack,
            &templates.ack_refusal,
            &templates.cancel,
            &templates.bye,
            &templates.register,
            &templates.message,
        ] {
            rendered(request, &values);
        }
        let (mut index, limits, mut copied) = (HeaderIndex::default(), Limits::default(), Copied::default());
        copied.take(&parse(&invite, &limits, &mut index).expect("a message"));
        let values = Values { request: Some(&copied), ..values };
        for response in [
            &templates.trying,
            &templates.ringing,
            &templates.answer,
            &templates.busy,
            &templates.terminated,
            &templates.ok,
            &templates.registered,
        ] {
            rendered(response, &values);
        }
    }

    #[test]
    fn an_invite_is_of_the_size_and_shape_of_an_ims_call() {
        let invite = rendered(&templates().invite, &values());
        let (mut index, limits) = (HeaderIndex::default(), Limits::default());
        let message = parse(&invite, &limits, &mut index).expect("a message");
        assert!((2_400..=2_700).contains(&invite.len()), "{} bytes", invite.len());
        assert_eq!((message.header_count(), message.count(HeaderId::Via)), (29, 3));
        let record_routes: Vec<_> = message.values(HeaderId::RecordRoute).map(|value| value.value).collect();
        assert_eq!(record_routes, RECORD_ROUTES.map(str::as_bytes));
        let message = rendered(&templates().message, &values());
        let message = parse(&message, &limits, &mut index).expect("a message");
        assert_eq!(message.body().len(), 300);
    }
}

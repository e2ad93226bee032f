//! A message with holes: compiled once, filled for each call.

use crate::copied::Copied;
use crate::token::Token;

/// What a hole is filled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Call,
    Serial,
    Branch,
    Number,
    Target,
    Routes,
    ToTag,
    RequestVias,
    RequestRecordRoutes,
    RequestIdentity,
    RequestPaths,
    RequestTo,
}

/// Names in the text. A block stands alone on its line and brings its line ends along.
const FIELDS: &[(&str, Field, bool)] = &[
    ("call", Field::Call, false),
    ("serial", Field::Serial, false),
    ("branch", Field::Branch, false),
    ("number", Field::Number, false),
    ("target", Field::Target, false),
    ("routes", Field::Routes, true),
    ("to_tag", Field::ToTag, false),
    ("request_vias", Field::RequestVias, true),
    ("request_record_routes", Field::RequestRecordRoutes, true),
    ("request_identity", Field::RequestIdentity, true),
    ("request_paths", Field::RequestPaths, true),
    ("request_to", Field::RequestTo, false),
];

#[derive(Debug)]
enum Piece {
    Text(Vec<u8>),
    Field(Field),
}

/// What one message is filled with.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Values<'v> {
    pub(crate) call: Token,
    /// What tells the branches of one call apart.
    pub(crate) branch: u8,
    /// Digits, without `+`.
    pub(crate) number: &'v [u8],
    pub(crate) target: &'v [u8],
    pub(crate) routes: &'v [u8],
    /// `;tag=...`, or nothing.
    pub(crate) to_tag: &'v [u8],
    pub(crate) request: Option<&'v Copied>,
}

/// A compiled message.
#[derive(Debug)]
pub(crate) struct Template {
    pieces: Vec<Piece>,
    /// The first piece of the body.
    body: usize,
}

impl Template {
    /// Compiles *text*, with LF for line ends. What *constants* name is filled in now.
    ///
    /// # Panics
    /// On a hole that has no name known here: the texts are part of this program, and each is compiled in a test.
    pub(crate) fn compile(text: &str, constants: &[(&str, &str)]) -> Self {
        let mut text = text.to_owned();
        for (name, value) in constants {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        let (head, body) = match text.split_once("\n\n") {
            Some((head, body)) => (format!("{head}\n\n"), body.to_owned()),
            None => (text, String::new()),
        };
        let body = pieces(&body);
        let length: usize = body.iter().map(width).sum();
        let mut pieces = pieces(&head.replace("{length}", &length.to_string()));
        let first = pieces.len();
        pieces.extend(body);
        Self { pieces, body: first }
    }

    /// Appends the message to *out* and returns how long its body is.
    pub(crate) fn render(&self, values: &Values<'_>, out: &mut Vec<u8>) -> usize {
        let (head, body) = self.pieces.split_at(self.body);
        fill(head, values, out);
        let begin = out.len();
        fill(body, values, out);
        out.len() - begin
    }
}

fn pieces(text: &str) -> Vec<Piece> {
    let (mut pieces, mut literal) = (Vec::new(), Vec::new());
    for line in text.split_inclusive('\n') {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\r\n"));
        let (mut rest, mut is_block) = (line, false);
        while let Some((before, behind)) = rest.split_once('{') {
            let (name, behind) = behind.split_once('}').expect("a hole is closed");
            let row = FIELDS.iter().find(|row| row.0 == name);
            let (_, field, block) = row.unwrap_or_else(|| panic!("no hole has the name {name}"));
            literal.extend_from_slice(before.as_bytes());
            if !literal.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut literal)));
            }
            pieces.push(Piece::Field(*field));
            is_block |= block;
            rest = behind;
        }
        literal.extend_from_slice(rest.as_bytes());
        literal.extend_from_slice(if is_block { b"" } else { end.as_bytes() });
    }
    if !literal.is_empty() {
        pieces.push(Piece::Text(literal));
    }
    pieces
}

/// How long a piece of a body is: always the same, since Content-Length is a constant.
fn width(piece: &Piece) -> usize {
    match piece {
        Piece::Text(text) => text.len(),
        Piece::Field(Field::Call) => Token::BYTES,
        Piece::Field(Field::Serial) => Token::SERIAL_BYTES,
        Piece::Field(field) => panic!("{field:?} has no fixed length, so no body may hold it"),
    }
}

fn fill(pieces: &[Piece], values: &Values<'_>, out: &mut Vec<u8>) {
    let request = |part: fn(&Copied) -> &[u8]| values.request.map_or(&[][..], part);
    for piece in pieces {
        match piece {
            Piece::Text(text) => out.extend_from_slice(text),
            Piece::Field(Field::Call) => out.extend_from_slice(&values.call.to_bytes()),
            Piece::Field(Field::Serial) => out.extend_from_slice(&values.call.serial_to_bytes()),
            Piece::Field(Field::Branch) => out.push(values.branch),
            Piece::Field(Field::Number) => out.extend_from_slice(values.number),
            Piece::Field(Field::Target) => out.extend_from_slice(values.target),
            Piece::Field(Field::Routes) => out.extend_from_slice(values.routes),
            Piece::Field(Field::ToTag) => out.extend_from_slice(values.to_tag),
            Piece::Field(Field::RequestVias) => out.extend_from_slice(request(Copied::vias)),
            Piece::Field(Field::RequestRecordRoutes) => {
                out.extend_from_slice(request(Copied::record_routes));
            }
            Piece::Field(Field::RequestIdentity) => out.extend_from_slice(request(Copied::identity)),
            Piece::Field(Field::RequestPaths) => out.extend_from_slice(request(Copied::paths)),
            Piece::Field(Field::RequestTo) => out.extend_from_slice(request(Copied::to)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_filled_and_the_length_is_that_of_the_body() {
        let text = "X {target}\n{routes}\nTo: {who}{to_tag}\nContent-Length: {length}\n\nv={serial}\n";
        let template = Template::compile(text, &[("who", "<sip:a>")]);
        let values = Values {
            call: Token::new(1, 7),
            target: b"sip:b",
            routes: b"Route: <sip:c>\r\n",
            to_tag: b";tag=9",
            ..Values::default()
        };
        let mut out = b"kept".to_vec();
        assert_eq!(template.render(&values, &mut out), 14);
        let expected = "keptX sip:b\r\nRoute: <sip:c>\r\nTo: <sip:a>;tag=9\r\nContent-Length: 14\r\n\r\nv=0000000007\r\n";
        assert_eq!(String::from_utf8(out).expect("text"), expected);
    }

    #[test]
    #[should_panic(expected = "no hole has the name nothing")]
    fn a_hole_without_a_known_name_is_no_template() {
        Template::compile("X {nothing}\n", &[]);
    }
}

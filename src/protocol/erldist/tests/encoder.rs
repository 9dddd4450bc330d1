//! Terms to bytes, with the tags that OTP 26 uses: the inverse of the decoder, for round trips.

use crate::protocol::erldist::term::Term;

/// The term as it stands after a distribution header.
pub fn encode(term: &Term) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(term, &mut bytes);
    bytes
}

/// A message of control tuple and payload with an empty distribution header, length and all.
pub fn message(control: &Term, payload: Option<&Term>) -> Vec<u8> {
    let mut body = vec![131, 68, 0];
    write(control, &mut body);
    if let Some(payload) = payload {
        write(payload, &mut body);
    }
    framed(&body)
}

/// The same without a header, as nodes without an atom cache send it.
pub fn pass_through(control: &Term, payload: Option<&Term>) -> Vec<u8> {
    let mut body = vec![112, 131];
    write(control, &mut body);
    if let Some(payload) = payload {
        body.push(131);
        write(payload, &mut body);
    }
    framed(&body)
}

/// Four bytes of length before it.
pub fn framed(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_be_bytes(), body].concat()
}

fn write(term: &Term, out: &mut Vec<u8>) {
    match term {
        Term::Atom(name) => atom(name, out),
        Term::Integer(value) => match (u8::try_from(*value), i32::try_from(*value)) {
            (Ok(byte), _) => out.extend([97, byte]),
            (_, Ok(value)) => tagged(98, &value.to_be_bytes(), out),
            _ => big(*value < 0, &value.unsigned_abs().to_le_bytes(), out),
        },
        Term::BigInteger { negative, magnitude } => big(*negative, magnitude, out),
        Term::Float(value) => tagged(70, &value.to_be_bytes(), out),
        Term::Binary { bytes, bits: 8 } => {
            tagged(109, &(bytes.len() as u32).to_be_bytes(), out);
            out.extend(bytes);
        }
        Term::Binary { bytes, bits } => {
            tagged(77, &(bytes.len() as u32).to_be_bytes(), out);
            out.push(*bits);
            out.extend(bytes);
        }
        Term::String(bytes) => {
            tagged(107, &(bytes.len() as u16).to_be_bytes(), out);
            out.extend(bytes);
        }
        Term::List(elements, None) if elements.is_empty() => out.push(106),
        Term::List(elements, tail) => {
            tagged(108, &(elements.len() as u32).to_be_bytes(), out);
            elements.iter().for_each(|element| write(element, out));
            match tail {
                Some(tail) => write(tail, out),
                None => out.push(106),
            }
        }
        Term::Tuple(elements) => {
            match u8::try_from(elements.len()) {
                Ok(arity) => out.extend([104, arity]),
                Err(_) => tagged(105, &(elements.len() as u32).to_be_bytes(), out),
            }
            elements.iter().for_each(|element| write(element, out));
        }
        Term::Map(pairs) => {
            tagged(116, &(pairs.len() as u32).to_be_bytes(), out);
            for (key, value) in pairs {
                write(key, out);
                write(value, out);
            }
        }
        Term::Pid { node, id, serial, creation } => {
            out.push(88);
            atom(node, out);
            [id, serial, creation].iter().for_each(|number| out.extend(number.to_be_bytes()));
        }
        Term::Port { node, id, creation } => {
            out.push(120);
            atom(node, out);
            out.extend(id.to_be_bytes());
            out.extend(creation.to_be_bytes());
        }
        Term::Reference { node, creation, ids } => {
            tagged(90, &(ids.len() as u16).to_be_bytes(), out);
            atom(node, out);
            out.extend(creation.to_be_bytes());
            ids.iter().for_each(|id| out.extend(id.to_be_bytes()));
        }
        Term::Fun { module, arity, index, uniq, free } => {
            let mut body = vec![*arity];
            body.extend([7; 16]);
            body.extend(index.to_be_bytes());
            body.extend((free.len() as u32).to_be_bytes());
            atom(module, &mut body);
            write(&Term::Integer(i64::from(*index)), &mut body);
            write(&Term::Integer(*uniq as i64), &mut body);
            write(&Term::Pid { node: "n@h".into(), id: 1, serial: 0, creation: 2 }, &mut body);
            free.iter().for_each(|term| write(term, &mut body));
            tagged(112, &(body.len() as u32 + 4).to_be_bytes(), out);
            out.extend(body);
        }
        Term::Export { module, function, arity } => {
            out.push(113);
            atom(module, out);
            atom(function, out);
            out.extend([97, *arity]);
        }
        Term::UnknownAtom(_) | Term::Elided => panic!("not on any wire: {term:?}"),
    }
}

fn atom(name: &str, out: &mut Vec<u8>) {
    tagged(118, &(name.len() as u16).to_be_bytes(), out);
    out.extend(name.as_bytes());
}

fn big(negative: bool, magnitude: &[u8], out: &mut Vec<u8>) {
    match u8::try_from(magnitude.len()) {
        Ok(length) => out.extend([110, length]),
        Err(_) => tagged(111, &(magnitude.len() as u32).to_be_bytes(), out),
    }
    out.push(u8::from(negative));
    out.extend(magnitude);
}

fn tagged(tag: u8, field: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    out.extend(field);
}

/// Shorthands for terms in tests.
pub mod build {
    use crate::protocol::erldist::term::Term;

    pub fn atom(name: &str) -> Term {
        Term::Atom(name.into())
    }

    pub fn int(value: i64) -> Term {
        Term::Integer(value)
    }

    pub fn string(text: &str) -> Term {
        Term::String(text.as_bytes().into())
    }

    pub fn binary(bytes: &[u8]) -> Term {
        Term::Binary { bytes: bytes.into(), bits: 8 }
    }

    pub fn tuple(elements: impl Into<Vec<Term>>) -> Term {
        Term::Tuple(elements.into())
    }

    pub fn list(elements: impl Into<Vec<Term>>) -> Term {
        Term::List(elements.into(), None)
    }

    pub fn pid(node: &str, id: u32) -> Term {
        Term::Pid { node: node.into(), id, serial: 0, creation: 1 }
    }

    pub fn reference(node: &str, id: u32) -> Term {
        Term::Reference { node: node.into(), creation: 1, ids: vec![id, 2, 3] }
    }

    pub fn alias(reference: Term) -> Term {
        Term::List(vec![atom("alias")], Some(Box::new(reference)))
    }
}

//! Terms: against what Erlang itself encodes and prints, at their limits, and at random.

use super::encoder::build::{atom, binary, int, list, tuple};
use super::encoder::encode;
use super::unhex;
use crate::protocol::erldist::external::{CachedAtom, MAX_DEPTH, MAX_TERMS, TermError, TermReader};
use crate::protocol::erldist::skip::skip_term;
use crate::protocol::erldist::term::Term;
use proptest::prelude::*;

const CORPUS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/erlang-terms.txt"));

fn read(bytes: &[u8]) -> Result<Term, TermError> {
    TermReader::strict(bytes, &[]).term()
}

#[test]
fn terms_of_erlang_print_as_erlang_prints_them() {
    let mut count = 0;
    for line in CORPUS.lines().filter(|line| !line.starts_with('#')) {
        let (hex, text) = line.split_once('\t').unwrap();
        let bytes = unhex(hex);
        let mut reader = TermReader::strict(&bytes, &[]);
        let term = reader.versioned().unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(term.to_string(), text);
        assert!(reader.rest().is_empty(), "{line}");
        count += 1;
    }
    assert!(count > 250);
}

#[test]
fn terms_of_erlang_cut_anywhere_are_short_and_leniently_partial() {
    for line in CORPUS.lines().filter(|line| !line.starts_with('#')) {
        let bytes = unhex(line.split_once('\t').unwrap().0);
        let bytes = &bytes[1..];
        // Damage inside a compressed term is not told from its end.
        if bytes[0] == 80 {
            continue;
        }
        assert_eq!(skip_term(bytes), Ok(&[][..]), "{line}");
        for end in 0..bytes.len() {
            assert_eq!(read(&bytes[..end]), Err(TermError::Short), "{line} cut at {end}");
            assert_eq!(skip_term(&bytes[..end]), Err(TermError::Short), "{line} cut at {end}");
            let mut lenient = TermReader::lenient(&bytes[..end], &[]);
            assert!(lenient.term().is_ok());
            assert_eq!(lenient.damage(), Some(TermError::Short));
        }
    }
}

#[test]
fn deprecated_tags_are_still_read() {
    // Node atom a@b in its old form.
    let node = "640003614062";
    let cases = [
        (format!("67{node}000000260000000003"), "<a@b.38.0>"),
        (format!("66{node}0000000503"), "#Port<a@b.5>"),
        (format!("59{node}0000000500000003"), "#Port<a@b.5>"),
        (format!("78{node}000000000000000500000003"), "#Port<a@b.5>"),
        (format!("65{node}0000000903"), "#Ref<a@b.9>"),
        (format!("720002{node}030000000100000002"), "#Ref<a@b.2.1>"),
        (format!("75 00000001 67{node}000000260000000003 640001 6d 6105 620000abcd 6107"), "#Fun<m.5.43981>"),
        ("7303 e96131".to_owned(), "éa1"),
        ("640002 e961".to_owned(), "éa"),
        ("7702 c3a9".to_owned(), "é"),
        ("6500".to_owned(), ""),
        ("79 0102030405".to_owned(), "..."),
    ];
    for (hex, text) in cases {
        let bytes = unhex(&hex);
        if text.is_empty() {
            assert_eq!(read(&bytes), Err(TermError::Tag(0)));
            continue;
        }
        assert_eq!(read(&bytes).unwrap().to_string(), text, "{hex}");
        assert_eq!(skip_term(&bytes), Ok(&[][..]), "{hex}");
    }
}

#[test]
fn cached_atoms_are_known_or_unknown_but_never_wrong() {
    let atoms = [CachedAtom::Known("ok".into()), CachedAtom::Unknown(1284)];
    let read = |bytes: &[u8]| TermReader::strict(bytes, &atoms).term();
    assert_eq!(read(&[82, 0]), Ok(atom("ok")));
    assert_eq!(read(&[82, 1]), Ok(Term::UnknownAtom(1284)));
    assert!(read(&[82, 2]).is_err());
    // A pid of an unknown node tells no node.
    let pid = read(&[88, 82, 1, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1]).unwrap();
    assert_eq!((pid.node(), pid.to_string()), (None, "<?.9.0>".to_owned()));
}

#[test]
fn nesting_beyond_the_limit_is_elided_and_what_follows_is_read() {
    let mut bytes = [108, 0, 0, 0, 1].repeat(100_000);
    bytes.push(106);
    bytes.extend([106; 100_000]);
    let mut reader = TermReader::strict(&bytes, &[]);
    let mut term = &reader.term().unwrap();
    assert!(reader.rest().is_empty());
    let mut depth = 0;
    while let Term::List(elements, _) = term {
        term = &elements[0];
        depth += 1;
    }
    assert_eq!((depth, term), (MAX_DEPTH, &Term::Elided));
}

#[test]
fn terms_beyond_the_limit_are_elided_and_what_follows_is_read() {
    let count = MAX_TERMS as u32 + 1000;
    let mut bytes = [&[108][..], &count.to_be_bytes()].concat();
    bytes.extend([97, 1].repeat(count as usize));
    bytes.push(106);
    bytes.extend([97, 7]);
    let mut reader = TermReader::strict(&bytes, &[]);
    let Ok(Term::List(elements, None)) = reader.term() else { panic!("no list") };
    assert_eq!(elements.len(), MAX_TERMS);
    assert_eq!(elements.last(), Some(&Term::Elided));
    assert_eq!(reader.rest(), [97, 7]);
}

#[test]
fn lengths_that_the_bytes_do_not_cover_are_errors() {
    for tag in [105, 108, 109, 111, 116, 112, 117, 77] {
        let mut bytes = vec![tag, 0xff, 0xff, 0xff, 0xff];
        bytes.extend([8; 20]);
        assert!(read(&bytes).is_err(), "tag {tag}");
        assert!(skip_term(&bytes).is_err(), "tag {tag}");
    }
}

#[test]
fn a_compressed_term_may_not_grow_without_bounds() {
    use std::io::Write;
    let zeros = vec![0; 64 << 20];
    let mut inner = [&[109][..], &(zeros.len() as u32).to_be_bytes()].concat();
    inner.extend(zeros);
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&inner).unwrap();
    let mut bytes = vec![131, 80];
    bytes.extend((inner.len() as u32).to_be_bytes());
    bytes.extend(encoder.finish().unwrap());
    assert_eq!(TermReader::strict(&bytes, &[]).versioned(), Ok(Term::Elided));
}

#[test]
fn text_is_cut_after_so_many_characters() {
    let term = tuple([atom("ok"), binary("zażółć".as_bytes())]);
    assert_eq!(term.to_text(100), "{ok,<<\"zażółć\"/utf8>>}");
    assert_eq!(term.to_text(9), "{ok,<<\"za...");
    assert_eq!(term.to_text(0), "...");
    assert_eq!(term.to_text(term.to_string().chars().count()), term.to_string());
}

#[test]
fn abridged_terms_keep_their_beginning() {
    let term = tuple([atom("ok"), binary(&[1; 100]), list([int(1), int(2), int(3)])]);
    assert_eq!(term.abridged(1000, 100), term);
    assert_eq!(term.abridged(50, 100).to_string(), "{ok,...,[1,2,3]}");
    assert_eq!(term.abridged(1000, 5).to_string(), "{ok,<<1,1,1".to_owned() + &",1".repeat(97) + ">>,[1,...]}");
}

#[test]
fn text_of_iolists() {
    let term = list([binary(b"a"), list([int(98), int(0x17c)]), Term::String(b"c".as_slice().into())]);
    assert_eq!(term.text().as_deref(), Some("abżc"));
    assert_eq!(binary(&[0xe9]).text().as_deref(), Some("é"));
    assert_eq!(atom("a").text(), None);
}

/// Any term in the form in which the decoder gives it.
fn any_term() -> impl Strategy<Value = Term> {
    let name = "[a-zA-Z@ż ]{0,12}".prop_map(Box::<str>::from);
    let leaf = prop_oneof![
        name.clone().prop_map(Term::Atom),
        any::<i64>().prop_map(Term::Integer),
        (any::<bool>(), proptest::collection::vec(any::<u8>(), 9..40)).prop_map(|(negative, mut magnitude)| {
            magnitude.push(1);
            Term::BigInteger { negative, magnitude: magnitude.into() }
        }),
        any::<f64>().prop_filter("NaN is not itself", |value| !value.is_nan()).prop_map(Term::Float),
        (proptest::collection::vec(any::<u8>(), 1..20), 1..=8u8)
            .prop_map(|(bytes, bits)| Term::Binary { bytes: bytes.into(), bits }),
        proptest::collection::vec(any::<u8>(), 1..20).prop_map(|bytes| Term::String(bytes.into())),
        (name.clone(), any::<[u32; 3]>()).prop_map(|(node, [id, serial, creation])| Term::Pid {
            node,
            id,
            serial,
            creation
        }),
        (name.clone(), any::<u64>(), any::<u32>()).prop_map(|(node, id, creation)| Term::Port { node, id, creation }),
        (name.clone(), any::<u32>(), proptest::collection::vec(any::<u32>(), 1..6))
            .prop_map(|(node, creation, ids)| Term::Reference { node, creation, ids }),
        (name.clone(), name.clone(), any::<u8>()).prop_map(|(module, function, arity)| Term::Export {
            module,
            function,
            arity
        }),
    ];
    leaf.prop_recursive(4, 64, 6, move |inner| {
        let many = proptest::collection::vec(inner.clone(), 0..6);
        prop_oneof![
            many.clone().prop_map(Term::Tuple),
            many.clone().prop_map(|elements| Term::List(elements, None)),
            (proptest::collection::vec(inner.clone(), 1..4), "[a-z]{1,5}")
                .prop_map(|(elements, tail)| Term::List(elements, Some(Box::new(Term::Atom(tail.into()))))),
            proptest::collection::vec((inner.clone(), inner), 0..4).prop_map(Term::Map),
            (name.clone(), any::<u8>(), any::<u32>(), any::<u32>(), many).prop_map(
                |(module, arity, index, uniq, free)| Term::Fun { module, arity, index, uniq: u64::from(uniq), free }
            ),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(term in any_term()) {
        let bytes = encode(&term);
        prop_assert_eq!(read(&bytes), Ok(term));
        prop_assert_eq!(skip_term(&bytes), Ok(&[][..]));
    }

    #[test]
    fn arbitrary_bytes_are_read_walked_over_and_printed(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let strict = TermReader::strict(&bytes, &[]).term();
        // Who can be read can be walked over, to the same place.
        if strict.is_ok() {
            prop_assert!(skip_term(&bytes).is_ok());
        }
        let term = TermReader::lenient(&bytes, &[]).term();
        prop_assert!(term.unwrap().to_text(100).chars().count() <= 103);
    }

    #[test]
    fn damaged_terms_are_read_as_far_as_they_go(term in any_term(), at in any::<prop::sample::Index>(), byte: u8) {
        let mut bytes = encode(&term);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = TermReader::strict(&bytes, &[]).term();
        prop_assert!(TermReader::lenient(&bytes, &[]).term().is_ok());
    }
}

//! Pickles written down instruction by instruction.

use super::*;

fn parse(bytes: &[u8]) -> Result<Pickle<'_>, PickleError> {
    Pickle::parse(bytes)
}

fn reason(bytes: &[u8]) -> String {
    parse(bytes).expect_err("must be refused").reason
}

/// What Python's `pickle.dumps` writes of
/// `{'a': [1, -2, 70000, 2**40, None, True], 'b': (0.5,), 'c': OrderedDict(x=Namespace(lr=0.001))}` with protocol 2.
const SAMPLE: &[u8] =
    b"\x80\x02}q\x00(X\x01\x00\x00\x00aq\x01]q\x02(K\x01J\xfe\xff\xff\xffJp\x11\x01\x00\x8a\x06\x00\x00\x00\x00\x00\x01N\x88e\
    X\x01\x00\x00\x00bq\x03G?\xe0\x00\x00\x00\x00\x00\x00\x85q\x04X\x01\x00\x00\x00cq\x05ccollections\nOrderedDict\nq\x06)Rq\x07\
    X\x01\x00\x00\x00xq\x08cargparse\nNamespace\nq\x09)\x81q\x0a}q\x0bX\x02\x00\x00\x00lrq\x0cG?PbM\xd2\xf1\xa9\xfcsbsu.";

#[test]
fn values_of_all_kinds_are_read() {
    let pickle = parse(SAMPLE).unwrap();
    assert_eq!(pickle.len(), SAMPLE.len());
    let root = pickle.root();
    let numbers: Vec<_> = root.get("a").unwrap().list().unwrap().collect();
    let ints: Vec<_> = numbers.iter().filter_map(|n| n.int()).collect();
    assert_eq!(ints, [1, -2, 70_000, 1 << 40]);
    assert!(numbers[4].is_none() && numbers[5].bool() == Some(true));
    assert_eq!(root.get("b").unwrap().tuple().unwrap().next().unwrap().number(), Some(0.5));
    let namespace = root.get("c").unwrap().get("x").unwrap();
    assert_eq!(namespace.object().unwrap().class_name().as_deref(), Some("argparse.Namespace"));
    assert_eq!(namespace.get("lr").unwrap().number(), Some(0.001));
    assert!(root.get("d").is_none() && root.get("b").unwrap().get("x").is_none());
}

#[test]
fn later_changes_are_seen_wherever_a_value_is_used() {
    // x = []; {'first': x, 'second': x}, and only then x.append(5)
    let bytes = b"\x80\x02]q\x00}(X\x05\x00\x00\x00firsth\x00X\x06\x00\x00\x00secondh\x00uh\x00K\x05a0q\x0100h\x01.";
    let pickle = parse(bytes).unwrap();
    for key in ["first", "second"] {
        assert_eq!(pickle.root().get(key).unwrap().list().unwrap().next().unwrap().int(), Some(5), "{key}");
    }
    let last = parse(b"\x80\x02}(X\x01\x00\x00\x00aK\x01X\x01\x00\x00\x00aK\x02u.").unwrap();
    assert_eq!(last.root().get("a").unwrap().int(), Some(2), "the last entry of a key counts");
}

#[test]
fn containers_of_protocol_1_are_read() {
    let pickle = parse(b"\x80\x02(U\x01a(K\x01K\x02lU\x01b(dd.").unwrap();
    let list: Vec<_> = pickle.root().get("a").unwrap().list().unwrap().map(|item| item.int()).collect();
    assert_eq!(list, [Some(1), Some(2)]);
    assert_eq!(pickle.root().get("b").unwrap().entries().unwrap().len(), 0);
    assert!(reason(b"\x80\x02(K\x01d.").contains("a key without a value"));
    assert!(reason(b"\x80\x02K\x01l.").contains("mark"));
}

#[test]
fn later_protocols_are_read() {
    let bytes = b"\x80\x04\x95\x20\x00\x00\x00\x00\x00\x00\x00\x8c\x08argparse\x94\x8c\x09Namespace\x94\x93\x94)\x81\x94}\x94\x8c\x01n\x94K\x03sb.";
    assert_eq!(parse(bytes).unwrap().root().get("n").unwrap().int(), Some(3));
}

#[test]
fn numbers_keep_their_sign_and_size() {
    for (bytes, expected) in
        [(&b"\x8a\x00"[..], 0), (b"\x8a\x01\xff", -1), (b"\x8a\x02\xff\x00", 255), (b"\x8b\x01\x00\x00\x00\x80", -128)]
    {
        let bytes = [b"\x80\x02", bytes, b"."].concat();
        assert_eq!(parse(&bytes).unwrap().root().int(), Some(expected));
    }
    let pickle = parse(b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.").unwrap();
    assert_eq!((pickle.root().int(), pickle.root().long().map(<[u8]>::len)), (None, Some(10)));
}

#[test]
fn calls_and_references_are_kept_not_made() {
    let pickle = parse(b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85RX\x01\x00\x00\x00sQ\x86.").unwrap();
    let object = pickle.objects().next().unwrap();
    assert_eq!((object.class_name().as_deref(), object.offset()), (Some("os.system"), 21));
    assert_eq!(object.arguments().tuple().unwrap().next().unwrap().text(), Some("ls"));
    assert_eq!(pickle.persistent_ids().next().unwrap().text(), Some("s"));
}

#[test]
fn every_cut_is_an_error_with_a_position() {
    for len in 0..SAMPLE.len() {
        let error = parse(&SAMPLE[..len]).unwrap_err();
        assert!(error.offset <= len, "{error}");
    }
    assert!(reason(&[SAMPLE, b"N"].concat()).contains("1 bytes are left over"));
    let two = [SAMPLE, SAMPLE].concat();
    assert_eq!(Pickle::parse_first(&two).unwrap().len(), SAMPLE.len());
}

#[test]
fn no_changed_byte_makes_it_panic() {
    for at in 0..SAMPLE.len() {
        for value in 0..=255 {
            let mut bad = SAMPLE.to_vec();
            bad[at] = value;
            let _ = parse(&bad);
        }
    }
}

#[test]
fn nonsense_is_refused() {
    for (bytes, expected) in [
        (&b""[..], "protocol 2 to 5"),
        (b"(dp0\n.", "protocol 2 to 5"),
        (b"\x80\x01N.", "protocol 1"),
        (b"\x80\x02(ios\nsystem\n.", "0x69"),
        (b"\x80\x02N(.", "missing on the stack"),
        (b"\x80\x02NN.", "left over"),
        (b"\x80\x02h\x05.", "not remembered"),
        (b"\x80\x02}(Nu.", "a key without a value"),
        (b"\x80\x02t.", "a mark is missing"),
        (b"\x80\x02NNa.", "not a list"),
        (b"\x80\x02]NNs.", "not a dictionary"),
        (b"\x80\x02NNb.", "not an object"),
        (b"\x80\x02NN\x93.", "not a string"),
        (b"\x80\x02c\xff\n\xff\n.", "not text"),
        (b"\x80\x02N(0.", "missing on the stack"),
    ] {
        assert!(reason(bytes).contains(expected), "{}", reason(bytes));
    }
}

#[test]
fn bombs_are_defused() {
    let deep = [&b"\x80\x02N"[..], &[0x85; 1_000_000], b"."].concat();
    assert!(reason(&deep).contains("deep"));
    let wide = [&b"\x80\x02("[..], &[b'N'; 2 * MAX_VALUES], b"t."].concat();
    assert!(reason(&wide).contains("values"));
    let marks = [&b"\x80\x02"[..], &[b'('; 2 * MAX_VALUES], b"."].concat();
    assert!(reason(&marks).contains("values"));
    assert!(reason(b"\x80\x02T\xff\xff\xff\x7fabc").contains("3 are left"));
    assert!(reason(b"\x80\x02\x8e\xff\xff\xff\xff\xff\xff\xff\xffabc").contains("3 are left"));
    assert!(reason(b"\x80\x02Nr\xff\xff\xff\xff.").contains("number 4294967295"));
    let name = [&b"\x80\x02c"[..], &[b'a'; 1000], b"\nb\n."].concat();
    assert!(reason(&name).contains("without an end"));
    // Each level holds the one below twice: 2^90 leaves, but 90 nodes.
    let doubled = [&b"\x80\x02N"[..], &b"2\x86".repeat(90), b"."].concat();
    assert!(parse(&doubled).is_ok());
}

#[test]
fn values_that_contain_themselves_have_an_end() {
    let pickle = parse(b"\x80\x02]q\x00h\x00ah\x00a.").unwrap();
    assert_eq!(pickle.root().list().unwrap().next().unwrap().list().unwrap().len(), 2);
    // An object whose attributes are itself.
    let pickle = parse(b"\x80\x02ca\nb\n)\x81q\x00h\x00b.").unwrap();
    assert!(pickle.root().get("x").is_none());
}

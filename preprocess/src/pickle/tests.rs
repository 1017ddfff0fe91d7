//! Pickles written down instruction by instruction.

use super::*;

/// A batch as Python 2 wrote it: `{'labels': [3, 9], 'data': array, 'batch_label': 'b'}`, two rows of three bytes.
fn batch() -> Vec<u8> {
    let parts: [&[u8]; 12] = [
        b"\x80\x02}q\x01(U\x06labelsq\x02]q\x03(K\x03K\x09e",
        b"U\x04dataq\x04cnumpy.core.multiarray\n_reconstruct\nq\x05",
        b"cnumpy\nndarray\nq\x06K\x00\x85U\x01b\x87Rq\x07",
        b"(K\x01K\x02K\x03\x86",
        b"cnumpy\ndtype\nq\x08U\x02u1K\x00K\x01\x87Rq\x09",
        b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb",
        b"\x89",
        b"T\x06\x00\x00\x00\x01\x02\x03\x04\x05\x06",
        b"tb",
        b"U\x0bbatch_labelq\x0aU\x01bq\x0bu",
        b"U\x05extrah\x0bs",
        b".",
    ];
    parts.concat()
}

#[test]
fn a_batch_is_read() {
    let bytes = batch();
    let value = parse(&bytes).unwrap();
    assert_eq!(value.get("labels"), Some(&Value::List(vec![Value::Int(3), Value::Int(9)])));
    assert_eq!(value.get("data"), Some(&Value::Array { shape: vec![2, 3], data: &[1, 2, 3, 4, 5, 6] }));
    assert_eq!(value.get("batch_label"), Some(&Value::Bytes(b"b")));
    assert_eq!(value.get("extra"), Some(&Value::Bytes(b"b")), "a remembered string");
    assert_eq!(value.get("nothing"), None);
}

#[test]
fn every_cut_is_an_error_with_a_position() {
    let bytes = batch();
    for len in 0..bytes.len() {
        let error = parse(&bytes[..len]).unwrap_err();
        assert!(error.offset <= len, "{error}");
    }
    assert!(parse(&[&bytes[..], b"N"].concat()).is_err(), "bytes after the end");
}

#[test]
fn no_changed_byte_makes_it_panic() {
    let bytes = batch();
    for at in 0..bytes.len() {
        for value in 0..=255 {
            let mut bad = bytes.clone();
            bad[at] = value;
            let _ = parse(&bad);
        }
    }
}

#[test]
fn functions_are_refused_and_named() {
    let error = parse(b"\x80\x02cos\nsystem\nU\x04true\x85R.").unwrap_err();
    assert_eq!(error.offset, 20);
    assert!(error.reason.contains("os.system") && error.reason.contains("nothing was executed"), "{error}");
    for pickle in [
        &b"\x80\x02cnumpy\nload\nU\x01x\x85R."[..],
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncos\nsystem\n\x85R.",
        b"\x80\x02cnumpy\ndtype\nU\x02O8\x85R.",
        b"\x80\x02cos\nsystem\nN\x81.",
        b"\x80\x02(ios\nsystem\n.",
    ] {
        assert!(parse(pickle).is_err());
    }
}

#[test]
fn other_protocols_are_refused() {
    assert!(parse(b"(dp0\n.").unwrap_err().reason.contains("protocol 2"));
    assert!(parse(b"\x80\x04N.").unwrap_err().reason.contains("protocol 4"));
    assert!(parse(b"").is_err());
}

#[test]
fn arrays_must_be_rows_of_bytes_of_the_stated_shape() {
    let whole = batch();
    let replaced = |from: &[u8], to: &[u8]| {
        let at = whole.windows(from.len()).position(|w| w == from).unwrap();
        [&whole[..at], to, &whole[at + from.len()..]].concat()
    };
    for (from, to, reason) in [
        (&b"K\x02K\x03\x86"[..], &b"K\x02K\x04\x86"[..], "6 bytes"),
        (b"K\x02K\x03\x86", b"J\xff\xff\xff\xffK\x03\x86", "shape"),
        (b"K\x02K\x03\x86", b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86", "shape"),
        (b"\x89T", b"\x88T", "column by column"),
        (b"U\x02u1", b"U\x02f4", "unsigned bytes"),
    ] {
        let bytes = replaced(from, to);
        let error = parse(&bytes).unwrap_err();
        assert!(error.reason.contains(reason), "{error}");
    }
}

#[test]
fn bombs_are_defused() {
    let deep = [&b"\x80\x02N"[..], &[0x85; 1000], b"."].concat();
    assert!(parse(&deep).unwrap_err().reason.contains("deep"));
    let wide = [&b"\x80\x02("[..], &[b'N'; 2_000_000], b"t."].concat();
    assert!(parse(&wide).unwrap_err().reason.contains("values"));
    let huge_string = b"\x80\x02T\xff\xff\xff\x7fabc";
    assert!(parse(huge_string).unwrap_err().reason.contains("3 are left"));
    let huge_memo = b"\x80\x02Nr\xff\xff\xff\xff.";
    assert!(parse(huge_memo).is_err());
    // Lists that contain themselves, or the same list again and again, cannot be built.
    assert!(parse(b"\x80\x02]q\x00h\x00a.").unwrap_err().reason.contains("twice"));
    assert!(parse(b"\x80\x02)q\x00h\x00.").unwrap_err().reason.contains("twice"));
}

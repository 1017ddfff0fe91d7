//! Random pickles of batches, in the text of protocol 0 and in binary: outlines say where long strings are, and no bytes make
//! the reader panic.

use preprocess::formats::numpy_pickle::{self, Data};
use preprocess::formats::pickle_outline::Outline;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::RngSeed;

/// The same cases in every run, unless proptest's environment variables say otherwise.
fn config(cases: u32) -> ProptestConfig {
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(19);
    }
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    config
}

/// A batch `{'labels': [...], 'data': array}` as Python writes it with protocol 2, of rows with `width` bytes.
fn binary(labels: &[u8], width: usize, pixels: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x80\x02}q\x01(U\x06labelsq\x02]q\x03(".to_vec();
    labels.iter().for_each(|&label| bytes.extend([b'K', label]));
    bytes.extend(
        b"eU\x04dataq\x04cnumpy.core.multiarray\n_reconstruct\nq\x05cnumpy\nndarray\nq\x06K\x00\x85U\x01b\x87Rq\x07(K\x01",
    );
    for dim in [labels.len(), width] {
        bytes.extend([b'M'].into_iter().chain((dim as u16).to_le_bytes()));
    }
    bytes.extend(
        b"\x86cnumpy\ndtype\nq\x08U\x02u1K\x00K\x01\x87Rq\x09(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T",
    );
    bytes.extend((pixels.len() as u32).to_le_bytes());
    bytes.extend(pixels);
    bytes.extend(b"tbu.");
    bytes
}

/// The same in the text of protocol 0.
fn text(labels: &[u8], width: usize, pixels: &[u8]) -> Vec<u8> {
    let labels_text: String = labels.iter().map(|label| format!("I{label}\na")).collect();
    let mut bytes = format!("(dp1\nS'labels'\np2\n(lp3\n{labels_text}sS'data'\np4\n").into_bytes();
    bytes.extend(b"cnumpy.core.multiarray\n_reconstruct\np5\n(cnumpy\nndarray\np6\n(I0\ntS'b'\ntRp7\n(I1\n");
    bytes.extend(format!("(I{}\nI{width}\nt", labels.len()).bytes());
    bytes.extend(b"cnumpy\ndtype\np8\n(S'u1'\nI0\nI1\ntRp9\n(I3\nS'|'\nNNNI-1\nI-1\nI0\ntbI00\nS'");
    for &byte in pixels {
        match byte {
            b'\n' => bytes.extend(b"\\n"),
            b'\\' => bytes.extend(b"\\\\"),
            b'\'' => bytes.extend(b"\\'"),
            b' '..=b'~' => bytes.push(byte),
            _ => bytes.extend(format!("\\x{byte:02x}").bytes()),
        }
    }
    bytes.extend(b"'\ntbs.");
    bytes
}

fn batch() -> impl Strategy<Value = (Vec<u8>, usize, Vec<u8>)> {
    (1usize..6, 1usize..40).prop_flat_map(|(n, width)| {
        let labels = prop::collection::vec(0u8..10, n);
        (labels, Just(width), prop::collection::vec(any::<u8>(), n * width))
    })
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn batches_of_both_kinds_are_read((labels, width, pixels) in batch()) {
        for bytes in [binary(&labels, width, &pixels), text(&labels, width, &pixels)] {
            let outline = Outline::read(&mut &bytes[..]).expect("a pickle");
            let batch = numpy_pickle::parse(&outline, "").expect("a batch");
            let read: Vec<_> = numpy_pickle::labels(batch.root(), "labels").expect("labels").iter().map(|item| item.int()).collect();
            prop_assert_eq!(read, labels.iter().map(|&label| Some(i64::from(label))).collect::<Vec<_>>());
            let array = numpy_pickle::byte_array(numpy_pickle::entry(batch.root(), "data").expect("data")).expect("an array");
            prop_assert_eq!(array.shape, [labels.len(), width]);
            match array.data {
                Data::Here(data) => prop_assert_eq!(data, &pixels[..]),
                Data::At { start, len } => prop_assert_eq!(&bytes[start as usize..][..len as usize], &pixels[..]),
            }
        }
    }

    /// A changed or cut batch gives an error or data; arrays have as many bytes as their shape says.
    #[test]
    fn changed_batches_are_errors_or_data((labels, width, pixels) in batch(), is_text: bool, at: Index, byte: u8, cut: bool) {
        let mut bytes = if is_text { text(&labels, width, &pixels) } else { binary(&labels, width, &pixels) };
        let at = at.index(bytes.len());
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] = byte;
        }
        let Ok(outline) = Outline::read(&mut &bytes[..]) else { return Ok(()) };
        let Ok(batch) = numpy_pickle::parse(&outline, "") else { return Ok(()) };
        if let Some(Ok(array)) = batch.root().get("data").map(numpy_pickle::byte_array) {
            let len = match array.data {
                Data::Here(data) => data.len(),
                Data::At { start, len } => {
                    prop_assert!(start + len <= bytes.len() as u64);
                    len as usize
                }
            };
            prop_assert_eq!(len, array.shape.iter().product::<usize>());
        }
    }

    #[test]
    fn any_bytes_are_data_or_an_error(start in prop::sample::select(&b"\x80(}]c"[..]), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let bytes = [&[start], &bytes[..]].concat();
        if let Ok(outline) = Outline::read(&mut &bytes[..]) {
            let _ = numpy_pickle::parse(&outline, "");
        }
    }
}

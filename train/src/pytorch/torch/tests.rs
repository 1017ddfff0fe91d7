//! Files made by PyTorch (`tests/fixtures/make_tensors.py`), and what becomes of them when they are damaged.

use super::*;

const FILES: [&[u8]; 2] =
    [include_bytes!("../../../tests/fixtures/tensors.pth"), include_bytes!("../../../tests/fixtures/tensors_legacy.pth")];

fn parse(bytes: &[u8]) -> TorchFile<'_> {
    TorchFile::parse(bytes).unwrap()
}

fn reason(bytes: &[u8]) -> String {
    format!("{:#}", TorchFile::parse(bytes).err().expect("must be refused"))
}

/// Reads all that there is, as far as it goes.
fn read_all(bytes: &[u8]) {
    let Ok(file) = TorchFile::parse(bytes) else { return };
    for (_, item) in file.root().entries().into_iter().flatten() {
        if let Ok(tensor) = file.tensor(item) {
            let _ = (tensor.floats(), tensor.ints());
        }
    }
}

#[test]
fn tensors_of_all_kinds_are_read() {
    for bytes in FILES {
        let file = parse(bytes);
        let tensor = |name: &str| file.tensor(file.root().get(name).unwrap());
        let floats = |name: &str| tensor(name).unwrap().floats().unwrap();
        let base: Vec<f32> = (0..24).map(|i| i as f32 / 4.0).collect();
        assert_eq!((tensor("f32").unwrap().shape(), floats("f32")), (&[2, 3, 4][..], base.clone()));
        let transposed: Vec<f32> = (0..24).map(|i| base[i / 6 + 4 * (i / 2 % 3) + 12 * (i % 2)]).collect();
        assert_eq!((tensor("transposed").unwrap().shape(), floats("transposed")), (&[4, 3, 2][..], transposed));
        assert_eq!(floats("column"), [0.25, 1.25, 2.25, 3.25, 4.25, 5.25]);
        assert_eq!(floats("later"), [5.0, 5.25, 5.5, 5.75]);
        for name in ["f64", "f16", "bf16"] {
            assert_eq!(floats(name), [1.0, -0.5], "{name}");
        }
        let ints = |name: &str| tensor(name).unwrap().ints().unwrap();
        assert_eq!(ints("i64"), [1, -2, 1 << 40]);
        assert_eq!((ints("i32"), ints("u8"), ints("bool")), (vec![1, -2], vec![1, 255], vec![1, 0]));
        assert_eq!((tensor("scalar").unwrap().shape().len(), floats("scalar")), (0, vec![7.0]));
        assert_eq!((tensor("empty").unwrap().shape(), floats("empty")), (&[0, 3][..], vec![]));
        assert_eq!(floats("parameter"), [3.0]);
        let module = file.root().get("module").unwrap();
        let weight = module.get("_parameters").unwrap().get("weight").unwrap();
        assert_eq!(file.tensor(weight).unwrap().floats().unwrap(), [1.5, -2.0]);
        assert!(tensor("i64").unwrap().floats().is_err() && tensor("f32").unwrap().ints().is_err());
    }
}

#[test]
fn nothing_grows_beyond_the_file() {
    for bytes in FILES {
        let file = parse(bytes);
        let error = file.tensor(file.root().get("expanded").unwrap()).err().unwrap();
        assert!(error.to_string().contains("[1000, 1000]"), "{error}");
        assert!(file.tensor(file.root().get("args").unwrap()).is_err());
    }
}

#[test]
fn every_cut_is_an_error() {
    for bytes in FILES {
        for len in 0..bytes.len() {
            assert!(TorchFile::parse(&bytes[..len]).is_err(), "{len} of {} bytes", bytes.len());
        }
    }
}

#[test]
fn no_changed_byte_makes_it_panic() {
    for bytes in FILES {
        for at in 0..bytes.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut bad = bytes.to_vec();
                bad[at] ^= change;
                read_all(&bad);
            }
        }
    }
}

#[test]
fn changed_numbers_are_noticed_where_there_is_a_checksum() {
    let bytes = FILES[0];
    // The storage of `f32`: 0, ¼, ½, …
    let start: Vec<u8> = [0.0f32, 0.25, 0.5].iter().flat_map(|value| value.to_le_bytes()).collect();
    let at = bytes.windows(start.len()).position(|window| window == start).unwrap();
    let mut bad = bytes.to_vec();
    bad[at + 4] ^= 1;
    let file = parse(&bad);
    let error = file.tensor(file.root().get("f32").unwrap()).unwrap().floats().unwrap_err().to_string();
    assert!(error.contains("CRC-32") && error.contains(&at.to_string()), "{error}");
    assert!(file.tensor(file.root().get("f64").unwrap()).unwrap().floats().is_ok());
}

#[test]
fn other_files_are_refused() {
    for (bytes, expected) in [
        (&b""[..], "empty"),
        (b"\x89PNG\r\n\x1a\n", "another kind of file"),
        (b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "data.pkl"),
        (b"PKsomething", "lacks its end"),
        (b"\x80\x02}.", "not one of torch.save"),
        (b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xea\x03.", "version"),
    ] {
        let reason = reason(bytes);
        assert!(reason.contains(expected), "{reason}");
    }
}

/// A file in the older format with one storage, `data`, that is referred to by `reference`.
fn stream(reference: &[u8], data: &[u8], count: u64) -> Vec<u8> {
    let magic = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}.";
    [magic, reference, b"\x80\x02]X\x01\0\0\0ka.", &count.to_le_bytes(), data].concat()
}

/// The pickle of `{'t': tensor}` with these numbers as offset, shape and stride, on a storage of `len` floats.
fn tensor_pickle(len: u64, offset: u64, shape: u64, stride: u64) -> Vec<u8> {
    let number = |n: u64| [&b"\x8a\x08"[..], &n.to_le_bytes()].concat();
    [
        b"\x80\x02}X\x01\0\0\0tctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0kX\x03\0\0\0cpu",
        &number(len)[..],
        b"tQ",
        &number(offset),
        &number(shape),
        b"\x85",
        &number(stride),
        b"\x85\x89NtRs.",
    ]
    .concat()
}

#[test]
fn references_to_nowhere_are_refused() {
    let whole = stream(&tensor_pickle(2, 0, 2, 1), &[0; 8], 2);
    let file = parse(&whole);
    assert_eq!(file.tensor(file.root().get("t").unwrap()).unwrap().floats().unwrap(), [0.0, 0.0]);
    let huge = i64::MAX as u64;
    for (offset, shape, stride) in
        [(1, 2, 1), (2, 1, 1), (0, 3, 1), (0, 2, 2), (huge, 1, 1), (0, huge, 1), (0, 2, huge), (0, huge, 0), (0, 1 << 62, 4)]
    {
        let bytes = stream(&tensor_pickle(2, offset, shape, stride), &[0; 8], 2);
        let file = parse(&bytes);
        assert!(file.tensor(file.root().get("t").unwrap()).is_err(), "{offset} {shape} {stride}");
    }
    // A stride that is never taken may be anything.
    let bytes = stream(&tensor_pickle(2, 1, 1, huge), &[0; 8], 2);
    let file = parse(&bytes);
    assert_eq!(file.tensor(file.root().get("t").unwrap()).unwrap().floats().unwrap(), [0.0]);
    for (len, count, expected) in
        [(3, 2, "its references say 3"), (huge, huge, "more than memory"), (1 << 40, 1 << 40, "cut short")]
    {
        let reason = reason(&stream(&tensor_pickle(len, 0, 1, 1), &[0; 8], count));
        assert!(reason.contains(expected), "{reason}");
    }
    let unknown = stream(b"\x80\x02}.", &[0; 8], 2);
    assert!(reason(&unknown).contains("nothing in the file says what storage `k` holds"));
}

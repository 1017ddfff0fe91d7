//! Well-formed files with random names, numbers and contents, many of them at a limit: they reach the code after the first
//! checks of a reader.

use crate::changes::Random;
use preprocess::formats::example_proto::Example;
use preprocess::formats::tfrecord;
use prost::Message;

/// One of some things.
fn one<T: Copy>(of: &[T], random: &mut Random) -> T {
    of[random.below(of.len())]
}

fn bytes(n: usize, random: &mut Random) -> Vec<u8> {
    (0..n).map(|_| random.below(256) as u8).collect()
}

/// An array: mostly bytes of rank 4 in C order, as many as its header says.
pub fn npy(random: &mut Random) -> Vec<u8> {
    let rank = if random.below(8) == 0 { random.below(7) } else { 4 };
    let mut dims: Vec<u64> = (0..rank).map(|_| one(&[1, 1, 2, 2, 3, 4, 5, 8, 0], random)).collect();
    if random.below(8) == 0 && rank > 0 {
        dims[random.below(rank)] = one(&[u64::from(u32::MAX), 1 << 31, 1 << 62, u64::MAX, u64::MAX / 2], random);
    }
    let descr = if random.below(8) == 0 { one(&["<u1", "|b1", "|i1", "<f4", ">u2", "|O", "|S3"], random) } else { "|u1" };
    let order = if random.below(8) == 0 { "True" } else { "False" };
    let shape: String = dims.iter().map(|dim| format!("{dim}, ")).collect();
    let mut fields =
        [format!("'descr': '{descr}'"), format!("'fortran_order': {order}"), format!("'shape': ({})", shape.trim_end())];
    fields.rotate_left(random.below(3));
    let mut header = format!("{{{}, }}", fields.join(", "));
    header.push_str(&" ".repeat(random.below(64)));
    header.push('\n');
    let version = one(&[1, 2, 3], random);
    let length = (header.len() as u32).to_le_bytes();
    let length = if version == 1 { &length[..2] } else { &length };
    let values = dims.iter().try_fold(1u64, |n, &dim| n.checked_mul(dim)).filter(|n| *n < 4096).unwrap_or(64);
    [b"\x93NUMPY", &[version, 0][..], length, header.as_bytes(), &bytes(values as usize, random)].concat()
}

/// A few records of images with labels and attributes.
pub fn records(random: &mut Random) -> Vec<u8> {
    let mut file = Vec::new();
    for _ in 0..random.below(4) {
        let number = |random: &mut Random| one(&[0, 1, 2, 3, 4, -1, 127, -128, 1 << 40, i64::MIN, i64::MAX], random);
        let names = ["shape", "label", "attr"].map(|name| (name, random.below(5)));
        let ints = names.map(|(name, n)| (name, (0..n).map(|_| number(random)).collect::<Vec<_>>()));
        let n = random.below(64);
        let example = Example::new(ints, ("data", bytes(n, random)));
        tfrecord::write(&example.encode_to_vec(), &mut file).expect("memory can be written to");
    }
    file
}

/// A few members, some with names that are long or leave the folder, some of other kinds than files.
pub fn tar(random: &mut Random) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for i in 0..random.below(6) {
        let ordinary = format!("folder/{i}.png");
        let long = "x/".repeat(random.below(140)) + "y";
        let name = match random.below(12) {
            0 => one(&["../up", "/root", "a/../../b", ".", "", "a//b", "\u{fc}.png"], random),
            1 | 2 => &long,
            _ => &ordinary,
        };
        let mut header = if random.below(2) == 0 { tar::Header::new_gnu() } else { tar::Header::new_ustar() };
        let n = one(&[0, 1, 11, 511, 512, 513], random);
        header.set_size(n as u64);
        header.set_mode(0o644);
        if random.below(8) == 0 {
            header.set_entry_type(tar::EntryType::new(one(b"012567xgLKSV", random)));
        }
        let contents = bytes(n, random);
        if name.len() > 100 {
            // A member with the name comes before; in the other format there may be no room.
            let _ = archive.append_data(&mut header, name, contents.as_slice());
            continue;
        }
        // Not `set_path`, which refuses some of them.
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        archive.append(&header, contents.as_slice()).expect("memory can be written to");
    }
    archive.into_inner().expect("memory can be written to")
}

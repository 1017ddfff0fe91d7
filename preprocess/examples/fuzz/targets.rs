//! The readers, their valid inputs, and how checksums are made right.

use crate::changes::Random;
use crate::fresh;
use datasets::shards::codec::Codec;
use datasets::shards::format;
use datasets::shards::synthetic;
use datasets::{CodecKind, DatasetError, ImageDataset, ImageShape, Manifest, Split};
use preprocess::formats::pickle_outline::Outline;
use preprocess::formats::{
    example_proto::Example, mat, npy, numpy_pickle, packed::Packed, picture, tar_index, tfrecord, zip_file,
};
use safetensors::SafeTensors;
use std::io::{self, Cursor};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A reader of files.
pub struct Target {
    /// Files to begin with, at least one of them valid.
    pub seeds: Vec<Vec<u8>>,
    /// Makes up another file of the format; `None`: there are only the seeds.
    pub fresh: Option<Fresh>,
    /// Pieces of the format.
    pub tokens: &'static [&'static [u8]],
    /// Makes checksums right.
    pub mend: fn(&mut Vec<u8>),
    /// Reads a file whose checksums were mended or not; returns a number that tells contents apart.
    pub read: Read,
}

type Fresh = Box<dyn Fn(&mut Random) -> Vec<u8>>;

type Read = Box<dyn Fn(&[u8], bool) -> Result<usize, String>>;

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

fn fixture(name: &str) -> io::Result<Vec<u8>> {
    std::fs::read(Path::new("preprocess/tests/fixtures").join(name))
}

fn told(error: anyhow::Error) -> String {
    format!("{error:#}")
}

/// The target of a name.
pub fn target(name: &str) -> Fallible<Target> {
    match name {
        "npy" => Ok(Target {
            seeds: ["v1.npy", "v2.npy", "v3.npy", "fortran.npy"].map(fixture).into_iter().collect::<io::Result<_>>()?,
            fresh: Some(Box::new(fresh::npy)),
            tokens: &[
                b"'shape'",
                b"'descr'",
                b"'fortran_order'",
                b"True",
                b"False",
                b"(",
                b")",
                b"()",
                b",",
                b"{",
                b"}",
                b"|u1",
                b"'",
                b"\"",
                b"\\",
                b"\n",
                b"9999999999999999999999",
                b"18446744073709551615",
                b"-1",
                b"0",
                b"1e9",
                b"None",
                b"[(",
                b"\xff",
                b"u'",
                b"\x93NUMPY",
            ],
            mend: |bytes| mend_npy(bytes),
            read: Box::new(|bytes, _| {
                let header = npy::header(&mut &bytes[..], bytes.len() as u64);
                header.map(|(dims, offset)| dims[0] + offset as usize).map_err(told)
            }),
        }),
        "records" => records(),
        "tar" => Ok(Target {
            seeds: ["gnu.tar", "python.tar", "long_names.tar", "long_names_pax.tar"]
                .map(fixture)
                .into_iter()
                .collect::<io::Result<_>>()?,
            fresh: Some(Box::new(fresh::tar)),
            tokens: &[
                b"ustar\x0000",
                b"ustar  \0",
                b"00000000000\0",
                b"77777777777\0",
                b"\x80\0\0\0\0\0\0\x7f\xff\xff\xff\xff",
                b"\xff\xff\xff\xff",
                b"L",
                b"K",
                b"x",
                b"g",
                b"5",
                b"2",
                b"S",
                b"../",
                b"/",
                b"30 path=a\n",
                b"20 size=99999999999\n",
                b"GNU.sparse.size=1\n",
                b"\0\0\0\0",
            ],
            mend: mend_tar,
            read: Box::new(|bytes, _| {
                tar_index::index(Cursor::new(bytes), bytes.len() as u64).map(|members| members.len()).map_err(told)
            }),
        }),
        "mat" => Ok(Target {
            seeds: ["train_32x32.mat", "test_32x32.mat"].map(fixture).into_iter().collect::<io::Result<_>>()?,
            fresh: None,
            tokens: &[b"\x0e\0\0\0", b"\x0f\0\0\0", b"\x01\0\x04\0", b"\x02\0\0\0", b"\x09\0\0\0", b"MI"],
            mend: |_| (),
            read: Box::new(|bytes, _| mat::read(&Packed::memory("mat", bytes.to_vec())).map(|arrays| arrays.len()).map_err(told)),
        }),
        "pickle" => Ok(Target {
            seeds: vec![
                b"\x80\x02}q\x01(U\x06labelsq\x02]q\x03(K\x03K\x09eU\x04dataq\x04cnumpy.core.multiarray\n_reconstruct\nq\x05\
                  cnumpy\nndarray\nq\x06K\x00\x85U\x01b\x87Rq\x07(K\x01K\x02K\x03\x86cnumpy\ndtype\nq\x08U\x02u1K\x00K\x01\x87Rq\x09\
                  (K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T\x06\x00\x00\x00\x01\x02\x03\x04\x05\x06tbu."
                    .to_vec(),
                b"(dp0\nS'labels'\np1\n(lp2\nI1\naL-2L\nasS'data'\np3\nS'\\x00\\\\\\n'\np4\nsVb\\u20ac\np5\nF0.5\ns.".to_vec(),
            ],
            fresh: None,
            tokens: &[b"U", b"T\xff\xff\xff\x7f", b"\x8e", b"(l", b"(d", b"S'", b"V\\U00110000\n", b"I99999999999999999999\n", b"p1\n", b"g1\n"],
            mend: |_| (),
            read: Box::new(|bytes, _| {
                let outline = Outline::read(&mut &bytes[..]).map_err(told)?;
                let pickle = numpy_pickle::parse(&outline, "").map_err(|e| e.to_string())?;
                let data = pickle.root().get("data").map(numpy_pickle::byte_array);
                Ok(data.map_or(0, |array| array.map_or(1, |array| array.shape.len())))
            }),
        }),
        "zip" => Ok(Target {
            seeds: vec![{
                let mut file = b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0".to_vec();
                file.extend(crc32fast::hash(b"hello").to_le_bytes());
                file.extend(b"\x05\0\0\0\x05\0\0\0\x05\0\0\0a.npyhelloPK\x01\x02 and so on");
                file
            }],
            fresh: None,
            tokens: &[b"PK\x03\x04", b"PK\x01\x02", b"\xff\xff\xff\xff", b"\x01\0\x10\0", b"\x08\0"],
            mend: |_| (),
            read: Box::new(|bytes, _| {
                let members = zip_file::members_of_packed(&Packed::memory("zip", bytes.to_vec())).map_err(told)?;
                let lengths = members.iter().map(|member| member.contents.count_from(0, 1 << 20).map_err(told));
                Ok(lengths.sum::<Result<u64, _>>()? as usize)
            }),
        }),
        "png" => {
            let archive = fixture("gnu.tar")?;
            let members = tar_index::index(Cursor::new(&archive), archive.len() as u64)?;
            let contents = |m: &tar_index::Member| archive[m.offset as usize..][..m.len as usize].to_vec();
            Ok(Target {
                seeds: members.iter().map(contents).collect(),
                fresh: None,
                tokens: &[b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"eXIf", b"iCCP", b"acTL"],
                mend: |_| (),
                read: Box::new(|bytes, _| picture::decode_exact(bytes, 4).map(|pixels| pixels.len()).map_err(told)),
            })
        }
        "shard" => shard(),
        other => Err(format!("unknown target {other}").into()),
    }
}

/// The length of the header becomes the number of bytes up to a line's end.
fn mend_npy(bytes: &mut [u8]) {
    let wide = bytes.get(6).is_some_and(|&version| version > 1);
    let start = if wide { 12 } else { 10 };
    let Some(end) = bytes.get(start..).and_then(|rest| rest.iter().position(|&b| b == b'\n')) else { return };
    let len = (end as u32 + 1).to_le_bytes();
    bytes[8..start].copy_from_slice(&len[..start - 8]);
}

/// Bytes as a file.
struct Memory<'a>(&'a [u8]);

impl FileExt for Memory<'_> {
    fn read_at(&self, out: &mut [u8], at: u64) -> io::Result<usize> {
        let rest = usize::try_from(at).ok().and_then(|at| self.0.get(at..)).unwrap_or_default();
        let n = rest.len().min(out.len());
        out[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
        Err(io::Error::other("read only"))
    }
}

fn records() -> Fallible<Target> {
    let archive = fixture("celeba-tfr.tar")?;
    let members = tar_index::index(Cursor::new(&archive), archive.len() as u64)?;
    let contents = |m: &tar_index::Member| archive[m.offset as usize..][..m.len as usize].to_vec();
    Ok(Target {
        seeds: members[..9].iter().map(contents).collect(),
        fresh: Some(Box::new(fresh::records)),
        tokens: &[
            b"\x0a\x05shape\x12",
            b"\x0a\x04data\x12",
            b"\x0a\x05label\x12",
            b"\x0a\x04attr\x12",
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\x80\x80\x80\x80\x10",
            b"\x1a\x02\x0a\x00",
            b"\x12\x02\x0a\x00",
            b"\x0b",
            b"\x0c",
            b"\x0d",
            b"\x09",
            b"\x07",
        ],
        mend: mend_records,
        read: Box::new(|bytes, _| {
            let mut contents = 0usize;
            for record in tfrecord::index(&Memory(bytes), 0, bytes.len() as u64).map_err(told)? {
                let framed = &bytes[record.offset as usize..][..record.len as usize + 4];
                let example = Example::read(tfrecord::payload(framed).map_err(told)?.to_vec().into()).map_err(told)?;
                let lists = ["shape", "label", "attr"].map(|name| example.ints(name).map(<[i64]>::len));
                for list in lists {
                    contents = contents.wrapping_mul(31).wrapping_add(list.map_err(told)?);
                }
                contents = contents.wrapping_mul(31).wrapping_add(example.bytes("data").map_err(told)?.len());
            }
            Ok(contents)
        }),
    })
}

/// Frames whose lengths fit get right checksums; from the first that does not fit, the rest becomes one record.
fn mend_records(bytes: &mut Vec<u8>) {
    let mut at = 0;
    while bytes.len() - at >= tfrecord::FRAME as usize {
        let room = bytes.len() - at - tfrecord::FRAME as usize;
        let announced = u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        let len = usize::try_from(announced).map_or(room, |len| len.min(room));
        let head = (len as u64).to_le_bytes();
        bytes[at..at + 8].copy_from_slice(&head);
        bytes[at + 8..at + 12].copy_from_slice(&tfrecord::mask(crc32c::crc32c(&head)).to_le_bytes());
        let end = at + 12 + len;
        let sum = tfrecord::mask(crc32c::crc32c(&bytes[at + 12..end]));
        bytes[end..end + 4].copy_from_slice(&sum.to_le_bytes());
        at = end + 4;
    }
    bytes.truncate(at);
}

/// Blocks that look like headers get right checksums, and the end its mark.
fn mend_tar(bytes: &mut Vec<u8>) {
    for header in bytes.chunks_exact_mut(512).filter(|block| block[257..].starts_with(b"ustar")) {
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|&b| u32::from(b)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    bytes.resize(bytes.len().next_multiple_of(512), 0);
}

/// Two shards with their manifests, one for each codec. Unless checksums were mended, a changed shard must be refused or
/// give the original images.
fn shard() -> Fallible<Target> {
    let mut seeds = Vec::new();
    let mut manifests = Vec::new();
    for codec in CodecKind::ALL {
        let temp = tempfile::tempdir()?;
        synthetic::write_dataset(temp.path(), Split::Train, SHAPE, 256, 7, codec)?;
        seeds.push(std::fs::read(temp.path().join(format::shard_name(Split::Train, 0, 1)))?);
        manifests.push(Manifest::read(temp.path(), Split::Train)?);
    }
    let images: Vec<_> = (0..7).map(|i| synthetic::image(SHAPE, 256, i)).collect();
    let read = move |bytes: &[u8], mended: bool| {
        let raw = bytes.windows(14).any(|w| w == b"\"codec\":\"raw\",");
        let mut manifest = manifests[usize::from(raw)].clone();
        if mended {
            let entry = &mut manifest.shards[0];
            entry.bytes = bytes.len() as u64;
            let index = bytes.get(..entry.index_bytes as usize).unwrap_or(bytes);
            entry.index_crc32c = crc32c::crc32c(index);
        }
        let told = |e: DatasetError| e.to_string();
        let dataset = ImageDataset::from_memory(manifest, vec![bytes.to_vec()]).map_err(told)?;
        let mut intact = 0;
        for (i, image) in images.iter().enumerate() {
            let read = dataset.image(i).map_err(told)?;
            assert!(mended || (read == *image && dataset.label(i) == Some(synthetic::label(i))), "image {i} is wrong");
            intact += usize::from(read == *image);
        }
        Ok(intact)
    };
    let whole = seeds.clone();
    let behind_header = move |random: &mut Random| {
        let mut bytes = whole[random.below(whole.len())].clone();
        let start = SafeTensors::read_metadata(&bytes).map_or(0, |(len, _)| 8 + len);
        for _ in 0..=random.below(4) {
            let at = start + random.below(bytes.len() - start);
            bytes[at] = random.below(256) as u8;
        }
        bytes
    };
    Ok(Target {
        seeds,
        fresh: Some(Box::new(behind_header)),
        tokens: &[
            b"\"data_offsets\":[",
            b"\"shape\":[",
            b"\"dtype\":\"",
            b"\"U8\"",
            b"\"U64\"",
            b"\"offsets\"",
            b"\"crc32c\"",
            b"\"labels\"",
            b"\"data\"",
            b"18446744073709551615",
            b"-1",
            b"0",
            b"{",
            b"}",
            b"[",
            b"]",
            b",",
            b"\"",
            b"\\u0000",
            b"9223372036854775807",
        ],
        mend: |bytes| mend_shard(bytes),
        read: Box::new(read),
    })
}

const SHAPE: ImageShape = ImageShape { channels: 3, height: 4, width: 5 };

/// Images that can be decoded get right checksums; that of the index is made right by the reader.
fn mend_shard(bytes: &mut [u8]) {
    for (i, crc) in checksums(bytes).into_iter().flatten() {
        bytes[i].copy_from_slice(&crc.to_le_bytes());
    }
}

/// Where the checksums of the images that can be decoded are, and what they should be; `None` without an index.
fn checksums(bytes: &[u8]) -> Option<Vec<(Range<usize>, u32)>> {
    let (len, header) = SafeTensors::read_metadata(bytes).ok()?;
    let range = |name| {
        let (start, end) = header.info(name)?.data_offsets;
        (8 + len + end <= bytes.len()).then_some(8 + len + start..8 + len + end)
    };
    let images: Vec<Vec<u8>> = match range(format::IMAGES) {
        Some(images) => bytes[images].chunks_exact(SHAPE.len()).map(<[u8]>::to_vec).collect(),
        None => {
            let (data, offsets) = (&bytes[range(format::DATA)?], &bytes[range(format::OFFSETS)?]);
            let offsets: Vec<usize> = offsets.as_chunks().0.iter().map(|&o| u64::from_le_bytes(o) as usize).collect();
            let mut codec = Codec::new(CodecKind::MedZstd1, SHAPE).ok()?;
            let mut image = vec![0; SHAPE.len()];
            let decoded = |pair: &[usize]| codec.decode(data.get(pair[0]..pair[1])?, &mut image).ok().map(|()| image.clone());
            offsets.windows(2).map_while(decoded).collect()
        }
    };
    let stored = range(format::CRC32C)?;
    let places = stored.clone().step_by(4).map(|at| at..at + 4).take_while(move |place| place.end <= stored.end);
    Some(places.zip(images).map(|(place, image)| (place, crc32c::crc32c(&image))).collect())
}

//! The digits in `data/digits` are whole and as their README says.

use datasets::{ImageDataset, ImageShape, Split};
use std::path::Path;

#[test]
fn the_digits_of_this_project_are_whole() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/digits");
    for (split, count) in [(Split::Train, 1498), (Split::Test, 299)] {
        let dataset = ImageDataset::open(&dir, split).unwrap();
        assert_eq!((dataset.len(), dataset.levels(), dataset.name()), (count, 17, "digits"));
        assert_eq!(dataset.shape(), ImageShape { channels: 1, height: 8, width: 8 });
        dataset.verify_shard(0).unwrap();
        let mut max = 0;
        for i in 0..count {
            max = max.max(dataset.image(i).unwrap().into_iter().max().unwrap());
            assert!(dataset.label(i).unwrap() <= 9);
        }
        assert_eq!(max, 16);
        assert!(dataset.manifest().provenance.licence.contains("CC BY 4.0"));
    }
    // The sixth image of the source, a 5, is the first test image; the first, a 0, the first training image.
    let first = |split| ImageDataset::open(&dir, split).unwrap();
    assert_eq!((first(Split::Test).label(0), first(Split::Train).label(0)), (Some(5), Some(0)));
    assert_eq!(first(Split::Train).image(0).unwrap()[..8], [0, 0, 5, 13, 9, 1, 0, 0]);
}

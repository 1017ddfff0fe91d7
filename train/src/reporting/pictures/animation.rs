//! The pictures of a run, one after the other, as an animated GIF.

use anyhow::{Context, Result, bail, ensure};
use datasets::io::output::{self, Existing};
use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, Frame, RgbaImage};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long the last picture stays, in times of the others.
const LAST: u32 = 4;

/// The pictures of a run's directory in the order in which they were drawn: `start`, then by number, then `end`.
///
/// # Errors
/// If there are none.
pub fn frames_of(run: &Path) -> Result<Vec<PathBuf>> {
    let dir = run.join("images");
    let entries =
        std::fs::read_dir(&dir).with_context(|| format!("cannot list {}; is this the directory of a run?", dir.display()))?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<PathBuf>>>();
    let mut frames: Vec<(u64, PathBuf)> = paths
        .with_context(|| format!("cannot list {}", dir.display()))?
        .into_iter()
        .filter_map(|path| Some((place(&path)?, path)))
        .collect();
    frames.sort();
    if frames.is_empty() {
        bail!(
            "{} holds no pictures of training; run.sample_every_epochs and run.sample_every_steps decide when they are drawn",
            dir.display()
        );
    }
    Ok(frames.into_iter().map(|(_, path)| path).collect())
}

/// Where a picture belongs in time; `None` for other files.
fn place(path: &Path) -> Option<u64> {
    let stem = path.file_name()?.to_str()?.strip_suffix(".png")?;
    match stem {
        "start" => Some(0),
        "end" => Some(u64::MAX),
        _ => stem.trim_start_matches(|c: char| c.is_ascii_lowercase()).parse().ok(),
    }
}

/// Writes an animated GIF that repeats for ever, as [`output::write`] does; tells how many pictures are done.
///
/// # Errors
/// If a picture cannot be read, has another size than the first, or the file cannot be written.
pub fn write(path: &Path, existing: Existing, frames: &[PathBuf], each: Duration, told: impl Fn(usize)) -> Result<()> {
    output::write(path, existing, |out| {
        let mut encoder = GifEncoder::new_with_speed(out, 10);
        encoder.set_repeat(Repeat::Infinite)?;
        let mut size = None;
        for (index, frame) in frames.iter().enumerate() {
            let picture: RgbaImage = image::open(frame).with_context(|| format!("cannot read {}", frame.display()))?.to_rgba8();
            let first = *size.get_or_insert(picture.dimensions());
            ensure!(picture.dimensions() == first, "{} is not of the size of the pictures before it", frame.display());
            let shown = if index + 1 == frames.len() { each * LAST } else { each };
            encoder.encode_frame(Frame::from_parts(picture, 0, 0, Delay::from_saturating_duration(shown)))?;
            told(index + 1);
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{AnimationDecoder, Rgb, RgbImage, codecs::gif::GifDecoder};
    use std::io::BufReader;

    #[test]
    fn frames_come_in_the_order_of_training() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let images = dir.path().join("images");
        std::fs::create_dir(&images)?;
        let shades = [("end", 40), ("epoch00010", 30), ("start", 0), ("epoch00009", 20), ("notes", 99)];
        for (name, shade) in shades {
            RgbImage::from_pixel(6, 4, Rgb([shade; 3])).save(images.join(format!("{name}.png")))?;
        }
        let frames = frames_of(dir.path())?;
        let path = dir.path().join("training.gif");
        write(&path, Existing::Keep, &frames, Duration::from_millis(250), |_| {})?;
        let decoder = GifDecoder::new(BufReader::new(std::fs::File::open(&path)?))?;
        let frames = decoder.into_frames().collect_frames()?;
        let shades: Vec<u8> = frames.iter().map(|frame| frame.buffer().get_pixel(3, 2)[0]).collect();
        assert_eq!(shades, [0, 20, 30, 40]);
        let delays: Vec<Duration> = frames.iter().map(|frame| frame.delay().into()).collect();
        assert_eq!(delays, [250, 250, 250, 1000].map(Duration::from_millis));
        Ok(())
    }

    #[test]
    fn pictures_of_another_size_are_an_error() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let paths = [(2, "a.png"), (3, "b.png")].map(|(width, name)| (width, dir.path().join(name)));
        for (width, path) in &paths {
            RgbImage::new(*width, 2).save(path)?;
        }
        let out = dir.path().join("out.gif");
        let error = write(&out, Existing::Keep, &paths.map(|(_, path)| path), Duration::from_millis(10), |_| {})
            .expect_err("sizes differ");
        assert!(error.to_string().contains("b.png is not of the size") && !out.exists(), "{error}");
        assert!(frames_of(dir.path()).is_err());
        Ok(())
    }
}

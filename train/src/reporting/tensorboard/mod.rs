//! Event files that TensorBoard shows: `tensorboard --logdir experiments/runs`.

mod event;

use anyhow::{Context, Result};
use datasets::io::record;
use event::{Event, Histogram, Image, Measured, SessionLog, SessionStatus, Summary, Value, What};
use prost::Message;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// What the names of event files begin with.
pub const PREFIX: &str = "events.out.tfevents.";

/// An event file; every start of the program makes a new one.
pub struct EventFile {
    path: PathBuf,
    file: File,
}

impl EventFile {
    /// A new file in a directory. What earlier files there say of steps after `step` is void.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn create(dir: &Path, step: u64) -> Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let path = dir.join(format!("{PREFIX}{:010}.{:09}", now.as_secs(), now.subsec_nanos()));
        let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        let mut events = Self { path, file };
        events.write(0, What::FileVersion("brain.Event:2".into()))?;
        events.write(step + 1, What::SessionLog(SessionLog { status: SessionStatus::Start.into() }))?;
        Ok(events)
    }

    /// The file's name.
    pub fn name(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Numbers by name.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn scalars(&mut self, step: u64, scalars: &[(&str, f64)]) -> Result<()> {
        let value = |&(tag, number): &(&str, f64)| Value { tag: tag.into(), measured: Some(Measured::Scalar(number as f32)) };
        self.write(step, What::Summary(Summary { values: scalars.iter().map(value).collect() }))
    }

    /// The distribution of some numbers; nothing if there are none.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn histogram(&mut self, step: u64, tag: &str, numbers: &[f64]) -> Result<()> {
        match Histogram::of(numbers) {
            Some(histogram) => self.value(step, tag, Measured::Histogram(histogram)),
            None => Ok(()),
        }
    }

    /// A picture from a PNG file in colour.
    ///
    /// # Errors
    /// If the picture cannot be read or the file not be written.
    pub fn picture(&mut self, step: u64, tag: &str, path: &Path) -> Result<()> {
        let read = || -> Result<_> { Ok((image::image_dimensions(path)?, std::fs::read(path)?)) };
        let ((width, height), encoded) = read().with_context(|| format!("cannot read {}", path.display()))?;
        let image = Image { height: height as i32, width: width as i32, colorspace: 3, encoded };
        self.value(step, tag, Measured::Image(image))
    }

    fn value(&mut self, step: u64, tag: &str, measured: Measured) -> Result<()> {
        self.write(step, What::Summary(Summary { values: vec![Value { tag: tag.into(), measured: Some(measured) }] }))
    }

    fn write(&mut self, step: u64, what: What) -> Result<()> {
        let wall_time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let event = Event { wall_time, step: step as i64, what: Some(what) };
        let record = record::frame(&event.encode_to_vec());
        self.file.write_all(&record).with_context(|| format!("cannot write {}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The events of a file, whose framing must be right.
    fn read(mut bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(length) = bytes.first_chunk() {
            let payload = &bytes[12..12 + u64::from_le_bytes(*length) as usize];
            let framed = record::frame(payload);
            assert_eq!(framed, bytes[..framed.len()]);
            events.push(Event::decode(payload).expect("an event"));
            bytes = &bytes[framed.len()..];
        }
        events
    }

    #[test]
    fn files_begin_with_their_version_and_hold_what_was_written() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let mut file = EventFile::create(dir.path(), 41)?;
        file.scalars(42, &[("a", 1.5), ("b", -2.0)])?;
        file.histogram(42, "h", &[1.0, 2.0, 2.0])?;
        file.histogram(42, "nothing", &[])?;
        let png = dir.path().join("x.png");
        image::RgbImage::new(3, 2).save(&png)?;
        file.picture(43, "p", &png)?;
        let events = read(&std::fs::read(&file.path)?);
        assert_eq!(events.len(), 5);
        assert_eq!(events[0].what, Some(What::FileVersion("brain.Event:2".into())));
        assert_eq!((events[1].step, &events[1].what), (42, &Some(What::SessionLog(SessionLog { status: 1 }))));
        let values = |event: &Event| match &event.what {
            Some(What::Summary(summary)) => summary.values.clone(),
            other => panic!("{other:?} is no summary"),
        };
        assert_eq!(values(&events[2])[1], Value { tag: "b".into(), measured: Some(Measured::Scalar(-2.0)) });
        let Some(Measured::Histogram(histogram)) = &values(&events[3])[0].measured else { panic!("no histogram") };
        assert_eq!((histogram.num, histogram.sum, histogram.max), (3.0, 5.0, 2.0));
        let Some(Measured::Image(image)) = &values(&events[4])[0].measured else { panic!("no picture") };
        assert_eq!((events[4].step, image.width, image.height, &image.encoded[1..4]), (43, 3, 2, &b"PNG"[..]));
        Ok(())
    }
}

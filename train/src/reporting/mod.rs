//! What a run shows: the console, JSON lines, TensorBoard, HTML, pictures.

pub mod history;
pub mod html;
pub mod journal;
pub mod metrics;
pub mod path_text;
pub mod pictures;
pub mod progress;
pub mod tensorboard;

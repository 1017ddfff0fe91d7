//! Trains, evaluates and samples Residual Flows: what the programs `train` and `bench` share.
//!
//! | module | idea |
//! | --- | --- |
//! | [`config`] | one TOML file per experiment: strict, with every default in one place |
//! | [`step`] | one optimiser step, without input and output; with [`objective`] and [`classification`], [`optimizer`], [`schedule`] and [`ema`] |
//! | [`fit`] | the training loop, with [`position`] and [`stop`] |
//! | [`footprint`] | how much memory a configuration takes |
//! | [`fault`], [`watch`], [`layers`] | numbers that go wrong, and where |
//! | [`data`], [`data_kind`], [`loss_unit`] | images and points, and the units of their likelihoods |
//! | [`device`] | the CPU, or a graphics card |
//! | [`evaluate`] | bits per dimension, or nats, of a test set |
//! | [`parallel`] | several processes that work together |
//! | [`score`] | log-densities of samples, whatever the others are |
//! | [`points`] | files of points; densities on the plane: exact, integrated, drawn |
//! | [`estimators`] | bias, variance and cost of log-determinants |
//! | [`showcase`], [`animation`] | what pictures show |
//! | [`research`] | the research code's checkpoints |
//! | [`array_model`], [`arrays`] | a model on numpy's arrays |
//! | [`state`], [`checkpoint`], [`retention`], [`resume`] | what a run needs to go on, on disk and back |
//! | [`run_dir`], [`path_text`] | what a run leaves on disk, and paths in JSON |
//! | [`journal`], [`summary`], [`metrics`], [`session`], [`progress`], [`picture`], [`tensorboard`] | what a run shows |
//! | [`history`], [`plot`], [`curve`], [`report`] | what it measured, drawn |
//! | [`stopwatch`] | where its time went |
//! | [`memory`] | the allocator, and what happens when there is no memory left |
//! | [`noise`] | which random stream is used for what |

pub mod animation;
pub mod array_model;
pub mod arrays;
pub mod checkpoint;
pub mod classification;
pub mod config;
pub mod curve;
pub mod data;
pub mod data_kind;
pub mod device;
pub mod ema;
pub mod estimators;
pub mod evaluate;
pub mod fault;
pub mod fit;
pub mod footprint;
pub mod history;
pub mod journal;
pub mod layers;
pub mod loss_unit;
pub mod memory;
pub mod metrics;
pub mod noise;
pub mod objective;
pub mod optimizer;
pub mod parallel;
pub mod path_text;
pub mod picture;
pub mod plot;
pub mod points;
pub mod position;
pub mod progress;
pub mod report;
pub mod research;
pub mod resume;
pub mod retention;
pub mod run_dir;
pub mod schedule;
pub mod score;
pub mod session;
pub mod showcase;
pub mod state;
pub mod step;
pub mod stop;
pub mod stopwatch;
pub mod summary;
pub mod system;
pub mod tensorboard;
pub mod watch;

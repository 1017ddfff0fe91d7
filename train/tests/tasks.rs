//! Classification and hybrid models from end to end.

use crate::common::{Workshop, number, repository};
use datasets::io::output::Existing;
use datasets::{ImageDataset, Split};
use train::scoring::arrays::{self, Array};

const CLASSES: [&str; 2] = ["model.classes=10", "model.classifier_channels=16"];

fn train(workshop: &Workshop, settings: &[&str]) -> serde_json::Value {
    workshop.train("run", &[&CLASSES, settings].concat())
}

#[test]
fn a_hybrid_model_learns_densities_and_classes() {
    let workshop = Workshop::new();
    let settings = ["task.kind=hybrid", "task.scale_dim=true", "run.max_steps=138", "run.epochs=3", "optim.annealing_steps=20"];
    let summary = train(&workshop, &settings);
    let records = workshop.lines("run/metrics.jsonl");
    let of = |key: &str| records.iter().filter_map(|record| record[key].as_f64()).collect::<Vec<f64>>();
    for key in ["bits_per_dim", "cross_entropy"] {
        let values = of(key);
        let (first, last) = (values[0], values[values.len() - 1]);
        assert!(last < first - 0.15, "{key}: {first} -> {last}");
    }
    let accuracies = of("test_accuracy");
    assert!(accuracies.len() == 3 && accuracies[2] > 0.3, "ten classes, recognised: {accuracies:?}");
    assert!(of("test_cross_entropy")[2] < 10f64.ln());

    let evaluated = workshop.json(&["evaluate", "run/checkpoints/last.safetensors", "--json"]);
    assert_eq!(number(&evaluated, "bits_per_dim"), number(&summary, "test_bits_per_dim"));
    assert_eq!(number(&evaluated, "test_accuracy"), accuracies[2]);
    assert!(number(&evaluated, "test_accuracy_standard_error") > 0.0);

    // The same images as arrays, in the middle of their pixels' bins.
    let test = ImageDataset::open(&repository().join("data/digits"), Split::Test).unwrap();
    let pixels = (0..test.len()).flat_map(|i| test.image(i).unwrap());
    let values = pixels.map(|pixel| (f32::from(pixel) + 0.5) / test.levels() as f32).collect();
    arrays::write(&workshop.path("x.npy"), Existing::Keep, Array { shape: vec![test.len(), 1, 8, 8], values }).unwrap();
    let labels: Vec<i64> = (0..test.len()).map(|i| test.label(i).unwrap().into()).collect();
    let labels = ndarray::Array1::from_vec(labels);
    ndarray_npy::write_npy(workshop.path("y.npy"), &labels).unwrap();
    let judge = ["log-prob", "run/checkpoints/last.safetensors", "--input", "x.npy", "--output", "p.npy", "--force", "--labels"];
    let judged = workshop.json(&[&judge[..], &["y.npy", "--json"]].concat());
    assert!((number(&judged, "accuracy") - accuracies[2]).abs() < 0.1, "{judged} for {accuracies:?}");
    assert!((number(&judged, "cross_entropy") - of("test_cross_entropy")[2]).abs() < 0.2, "{judged}");
    ndarray_npy::write_npy(workshop.path("few.npy"), &labels.slice(ndarray::s![..3])).unwrap();
    let message = workshop.error(&[&judge[..], &["few.npy"]].concat());
    assert!(message.contains("few.npy") && message.contains("3 labels"), "{message}");
}

#[test]
fn a_classifier_is_judged_by_its_cross_entropy() {
    let workshop = Workshop::new();
    let summary = train(&workshop, &["task.kind=classification", "run.max_steps=92", "run.epochs=2"]);
    let records = workshop.lines("run/metrics.jsonl");
    let last = records.iter().rfind(|record| !record["test_cross_entropy"].is_null()).expect("an evaluation");
    assert_eq!(number(last, "test_cross_entropy"), number(&summary, "test_cross_entropy"));
    assert!(number(last, "test_accuracy") > 0.3 && last["test_bits_per_dim"].is_null(), "{last}");
    for line in workshop.read("run/metrics.jsonl").lines() {
        assert!(line.matches("cross_entropy\":").count() <= 1, "no key twice: {line}");
    }
}

#[test]
fn tasks_that_do_not_fit_are_refused() {
    let workshop = Workshop::new();
    let message = |settings: &[&str]| {
        let sets = settings.iter().flat_map(|setting| ["--set", setting]);
        workshop.error_of_run(&["--config", "tiny.toml"].into_iter().chain(sets).collect::<Vec<_>>())
    };
    let no_classes = message(&["task.kind=hybrid"]);
    assert!(no_classes.contains("model.classes") && no_classes.contains("at least 2"), "{no_classes}");
    let too_few = message(&["task.kind=hybrid", "model.classes=5"]);
    assert!(too_few.contains("model.classes") && too_few.contains("5 classes"), "{too_few}");
    let scaled = message(&["task.scale_dim=true"]);
    assert!(scaled.contains("task.scale_dim") && scaled.contains("hybrid"), "{scaled}");
}

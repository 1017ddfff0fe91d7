//! Classification and hybrid models from end to end.

mod common;

use common::{Workshop, number};

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
}

#[test]
fn a_classifier_is_judged_by_its_cross_entropy() {
    let workshop = Workshop::new();
    let summary = train(&workshop, &["task.kind=classification", "run.max_steps=92", "run.epochs=2"]);
    let records = workshop.lines("run/metrics.jsonl");
    let last = records.iter().rfind(|record| !record["test_cross_entropy"].is_null()).expect("an evaluation");
    assert_eq!(number(last, "test_cross_entropy"), number(&summary, "test_cross_entropy"));
    assert!(number(last, "test_accuracy") > 0.3 && last["test_bits_per_dim"].is_null(), "{last}");
}

#[test]
fn tasks_that_do_not_fit_are_refused() {
    let workshop = Workshop::new();
    let message = |settings: &[&str]| {
        let sets = settings.iter().flat_map(|setting| ["--set", setting]);
        workshop.error(&["--config", "tiny.toml"].into_iter().chain(sets).collect::<Vec<_>>())
    };
    let no_classes = message(&["task.kind=hybrid"]);
    assert!(no_classes.contains("model.classes") && no_classes.contains("at least 2"), "{no_classes}");
    let too_few = message(&["task.kind=hybrid", "model.classes=5"]);
    assert!(too_few.contains("model.classes") && too_few.contains("5 classes"), "{too_few}");
    let scaled = message(&["task.scale_dim=true"]);
    assert!(scaled.contains("task.scale_dim") && scaled.contains("hybrid"), "{scaled}");
}

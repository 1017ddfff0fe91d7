//! The examples, as they stand, with few steps.

#[allow(dead_code)]
#[path = "../../examples/digits.rs"]
mod digits;
#[allow(dead_code)]
#[path = "../../examples/save_load.rs"]
mod save_load;
#[allow(dead_code)]
#[path = "../../examples/two_moons.rs"]
mod two_moons;

#[test]
fn two_moons_are_learned_saved_and_loaded() {
    two_moons::run(2).unwrap();
}

#[test]
fn digits_are_learned_from_shards() {
    digits::run(Some(3)).unwrap();
}

#[test]
fn a_model_is_saved_and_loaded() {
    save_load::run(None).unwrap();
}

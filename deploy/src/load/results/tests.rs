//! Results of runs that were made up, against their schema and their rules.

use serde_json::Value;

use super::fixture::results;
use super::fixture::results_of_objects;

#[test]
fn the_results_are_as_their_schema_says() {
    let schema: Value = serde_json::from_str(include_str!("../../../load.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let of_kms = serde_json::to_value(results(&["throttled<1%"])).unwrap();
    let of_objects = serde_json::to_value(results_of_objects()).unwrap();
    for json in [&of_kms, &of_objects] {
        let errors = validator.iter_errors(json).map(|it| it.to_string());
        let errors: Vec<_> = errors.collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
    let mut wrong = of_objects;
    wrong["comparisons"][0]["results"]["bucket_keys"] = "many".into();
    assert!(!validator.is_valid(&wrong));
    let mut wrong = of_kms;
    wrong["summary"]["served"] = "many".into();
    assert!(!validator.is_valid(&wrong));
}

#[test]
fn a_second_in_which_the_generator_was_late_is_left_out_of_what_was_served_of_the_quota() {
    let results = results(&["served>=99% of quota"]);
    assert!(results.thresholds.first().unwrap().ok, "{results:?}");
    assert_eq!(results.generator.late_seconds, 1);
    assert!(!results.generator.valid, "one second in three is late");
}

#[test]
fn a_threshold_is_judged_by_its_figure() {
    let results = results(&[
        "throttled<44%",
        "throttled<45%",
        "served>=30",
        "amplification<=1.2",
        "given_up<=14",
    ]);
    let ok: Vec<_> = results.thresholds.iter().map(|it| it.ok).collect();
    assert_eq!(ok, [false, true, true, true, false]);
}

#[test]
fn a_minute_shows_less_than_its_worst_second() {
    let results = results(&[]);
    let quota = results.quotas.first().unwrap();
    assert_eq!(quota.peak_second, 18);
    assert_eq!(quota.first_throttled_s, Some(0));
    assert!(
        (quota.minute_percent - 4.0).abs() < 1e-9,
        "24 of 600 passed"
    );
}

#[test]
fn calls_of_an_object_are_those_that_the_kms_served_by_the_objects_that_were() {
    let results = results_of_objects();
    let per_object = |results: &super::Results| {
        let costs = results.objects.first().unwrap();
        (costs.operation.clone(), costs.kms_calls_per_object)
    };
    assert_eq!(per_object(&results), ("PutObject".to_owned(), Some(1.0)));
    let compared = &results.comparisons.first().unwrap().results;
    assert_eq!(per_object(compared), ("PutObject".to_owned(), Some(0.1)));
    assert_eq!(compared.bucket_keys.as_ref().unwrap().saved_calls, 9);
}

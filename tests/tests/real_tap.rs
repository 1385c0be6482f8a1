//! A real tap's output, with all that such output has: a `$schema`, metadata columns, states.

use serde_json::json;
use target_tests::case::Case;
use target_tests::tap;

#[tokio::test]
async fn its_records_arrive_in_both_encodings() {
    let singer = tap::jsonl(&json!({
        "path": "tests/demo/planets.jsonl",
        "stream_name": "planets",
        "primary_keys": ["name"],
        "emit_state_every": 4,
    }));
    for case in [Case::new(), Case::on_oldest()] {
        for msgpack in [false, true] {
            let case = case.again().set("msgpack", msgpack);
            let outcome = case.load(&singer).success();
            let bookmark = &outcome.states().pop().expect("it printed states")["bookmarks"];
            assert!(
                bookmark["planets"]["replication_key_value"].is_string(),
                "{bookmark}"
            );
            let contents = case.bucket().await.contents().await;
            assert_eq!(contents.len(), 8);
            assert_eq!(contents["planets.Saturn"]["moons"], 146);
            assert_eq!(
                contents["planets.Earth"]["radius_km"].as_f64(),
                Some(6371.0)
            );
            assert_eq!(contents["planets.Mars"]["gas"], json!(["carbon dioxide"]));
        }
    }
}

use std::sync::Mutex;

use super::*;
use crate::value::Tape;

const RECORD: &str = r#"{"id":7,"name":"Ada Lovelace","amount":123456789012345678901234567890.10,
    "big":123456789012345678901234567890,"small":1e-400,"price":19.99,"nothing":null,
    "tags":["b","a"],"address":{"city":"Zürich"},"class":"first"}"#;

/// The value as JSON, or what is wrong.
fn eval(expression: &str) -> Result<String, String> {
    let record = Tape::parsed(RECORD);
    let config = Tape::parsed(r#"{"seed":"s3cr3t"}"#);
    let faker = Mutex::new(Faker::new(&FakeSettings::default()));
    let names = Names {
        record: record.root(),
        config: config.root(),
        this: None,
        stream: "users",
        original: Some("people"),
    };
    let scope = Scope::new(names, &faker);
    let parsed = Expression::parse(expression).map_err(|error| error.to_string())?;
    let value = parsed.eval(&scope).map_err(|error| error.to_string())?;
    let mut tape = Tape::new();
    value.write(&mut tape)?;
    Ok(tape.root().expect("a value").to_json())
}

#[test]
fn temporary() {
    let table = std::fs::read_to_string("/tmp/sdk/expected.tsv").unwrap();
    let text = std::fs::read_to_string("/work/wt/maps/tests/stream_maps/expressions.txt").unwrap();
    let rec = text.lines().find_map(|l| l.strip_prefix("# {")).unwrap();
    let record = Tape::parsed(&format!("{{{rec}"));
    let config = Tape::parsed(r#"{"hash_seed":"01AW","some_date_string":"2024-10-10T10:10:10Z"}"#);
    let faker = Mutex::new(Faker::new(&FakeSettings::default()));
    let mut bad = 0;
    for line in table.lines() {
        let (e, want) = line.split_once('\t').unwrap();
        let names = Names { record: record.root(), config: config.root(), this: record.root().unwrap().get("name"), stream: "s", original: Some("s") };
        let scope = Scope::new(names, &faker);
        let got = Expression::parse(e).map_err(|e| e.to_string()).and_then(|p| p.eval(&scope).map_err(|e| e.to_string())).and_then(|v| { let mut t = Tape::new(); v.write(&mut t)?; Ok(t.root().unwrap().to_json()) });
        let got = got.unwrap_or_else(|e| format!("ERROR {e}"));
        let same = match (serde_json::from_str::<serde_json::Value>(&got), serde_json::from_str::<serde_json::Value>(want)) { (Ok(a), Ok(b)) => a == b, _ => false };
        if !same { bad += 1; println!("{e}\n    sdk  {want}\n    ours {got}"); }
    }
    println!("{bad} differ");
}

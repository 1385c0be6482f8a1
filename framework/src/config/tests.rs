//! The whole way: sources, merging, checking, and the structs that come out.

use std::path::PathBuf;

use insta::assert_snapshot;

use super::*;

/// A sink with one setting of each kind. It does not bear the settings of others.
#[derive(Debug, PartialEq, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("dependentRequired" = { "user": ["password"] }))]
struct SinkSettings {
    /// Who connects.
    user: Option<String>,
    /// The password of `user`.
    #[schemars(length(min = 3))]
    password: Option<Secret>,
    /// Where to.
    #[schemars(length(min = 1))]
    bucket: String,
    /// Labels.
    #[serde(default)]
    tags: Vec<String>,
    /// Mode.
    mode: Option<OnInvalidRecord>,
    /// Port.
    #[schemars(extend("fallbackVariables" = ["OLD_PORT", "COMMON_PORT"]))]
    port: Option<std::num::NonZeroU16>,
    /// Where invalid records go.
    dead_letter_table: Option<String>,
}

const TARGET: Section = Section::of::<TargetSettings>("Target");
const SINK: Section = Section::of::<SinkSettings>("Sample sink");

/// Files in a folder of their own, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let name = format!("singer-target-config-{test}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let file = self.0.join(name);
        std::fs::write(&file, text).expect("written");
        file.to_str().expect("Unicode").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What a sink would do that heeds variables which are not the target's own.
fn find_elsewhere(given: &Given<'_>) -> Result<Vec<FilledIn>, Vec<Problem>> {
    if given.get("port").is_some() {
        return Ok(Vec::new());
    }
    let Some((variable, text)) = given.fallback("port") else {
        return Ok(Vec::new());
    };
    match text.parse::<i64>() {
        Ok(port) => Ok(vec![FilledIn::new("port", port, variable)]),
        Err(_) => Err(vec![Problem::new(
            "port",
            format!("{variable} is no number"),
        )]),
    }
}

fn load_with(files: &[String], variables: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    let schema = SettingsSchema::new(&[TARGET, SINK])
        .expect("no duplicates")
        .with_rule(dead_letter_rule(Some("dead_letter_table")));
    let environment = variables.iter().copied().collect();
    Settings::load(
        "target-x",
        &Sources::new(files, environment),
        &schema,
        find_elsewhere,
    )
}

/// The problems of a JSON configuration, without the folder's changing name.
fn problems(test: &str, json: &str) -> String {
    let folder = Folder::new(test);
    let file = folder.file("config.json", json);
    let error = load_with(&[file], &[]).expect_err("must be refused");
    let folder = folder.0.display().to_string();
    error.to_string().replace(&format!("{folder}/"), "")
}

#[test]
fn defaults_need_nothing_but_the_required() {
    let settings = load_with(&[], &[("TARGET_X_BUCKET", "b")]).expect("valid");
    let target: TargetSettings = settings.section().expect("a section");
    assert_eq!(target, TargetSettings::default());
    let sink: SinkSettings = settings.section().expect("a section");
    assert_eq!(
        (sink.bucket.as_str(), sink.user, sink.tags.len()),
        ("b", None, 0)
    );
}

#[test]
fn what_a_sink_finds_elsewhere_counts_where_nothing_is_given() {
    let port = |variables: &[(&str, &str)]| {
        let bucket = ("TARGET_X_BUCKET", "b");
        let variables: Vec<_> = variables.iter().copied().chain([bucket]).collect();
        let settings = load_with(&[], &variables)?;
        let sink: SinkSettings = settings.section()?;
        let origin = settings.origins().get("port").cloned();
        Ok(sink
            .port
            .map(|port| (port.get(), origin.unwrap_or_default())))
    };
    let of = |port, origin: &str| Ok(Some((port, origin.to_owned())));
    let common = ("COMMON_PORT", "2");
    assert_eq!(port(&[]), Ok(None));
    assert_eq!(port(&[common]), of(2, "COMMON_PORT"));
    assert_eq!(port(&[common, ("OLD_PORT", "3")]), of(3, "OLD_PORT"));
    assert_eq!(
        port(&[common, ("TARGET_X_PORT", "4")]),
        of(4, "TARGET_X_PORT")
    );
    let told = |value| {
        let error: ConfigError = port(&[("COMMON_PORT", value)]).expect_err("wrong");
        error.to_string()
    };
    assert_eq!(told("x"), "port: COMMON_PORT is no number");
    assert_eq!(
        told("70000"),
        "port: 70000 is too large; allowed: a whole number from 1 to 65535 (set by COMMON_PORT)"
    );
}

#[test]
fn later_sources_win_and_null_means_not_set() {
    let folder = Folder::new("precedence");
    let first = folder.file(
        "1.json",
        r#"{"bucket": "first", "user": "ann", "batch_size_rows": 1, "tags": ["a"], "mode": null}"#,
    );
    let second = folder.file(
        "2.yaml",
        "bucket: second\nuser: null\npassword: no\nmode: skip\n",
    );
    let third = folder.file(
        "3.toml",
        "batch_size_rows = 3\nbatch_wait_limit_seconds = 0.5\n",
    );
    let variables = [
        ("TARGET_X_BATCH_SIZE_ROWS", "4"),
        ("TARGET_X_BUCKET", ""),
        ("BUCKET", "z"),
    ];
    let files = [first, "ENV".to_owned(), second, third];
    let settings = load_with(&files, &variables)
        .err()
        .map(|error| error.to_string());
    // `no` is a string of two characters in YAML: nothing makes a boolean of a password.
    assert!(settings.is_some_and(|text| text.starts_with("password: the value is too short")));

    let again = folder.file("4.json", r#"{"password": "hunter2"}"#);
    let settings = load_with(&[&files[..], &[again]].concat(), &variables).expect("valid");
    let sink: SinkSettings = settings.section().expect("a section");
    assert_eq!(
        (sink.bucket.as_str(), sink.user, sink.mode),
        ("second", None, Some(OnInvalidRecord::Skip))
    );
    assert_eq!(sink.tags, ["a"]);
    assert_eq!(sink.password.expect("a password").expose(), "hunter2");
    let target: TargetSettings = settings.section().expect("a section");
    assert_eq!(
        (target.batch_size_rows, target.batch_wait_limit_seconds),
        (4, 0.5)
    );
}

#[test]
fn environment_variables_have_the_settings_type() {
    let variables = [
        ("TARGET_X_BUCKET", "7"),
        ("TARGET_X_TAGS", "a, b"),
        ("TARGET_X_VALIDATE_RECORDS", "no"),
        ("TARGET_X_STATE_INTERVAL_SECONDS", "0"),
        ("TARGET_X_MAX_LINE_BYTES", "2048"),
        ("TARGET_X_MODE", "dead_letter"),
    ];
    let settings = load_with(&[], &variables).expect("valid");
    let sink: SinkSettings = settings.section().expect("a section");
    assert_eq!(
        (sink.bucket.as_str(), sink.tags),
        ("7", vec!["a".into(), "b".into()])
    );
    let target: TargetSettings = settings.section().expect("a section");
    assert!(!target.validate_records);
    assert_eq!(
        (target.max_line_bytes, target.state_interval_seconds),
        (2048, 0.0)
    );

    let wrong = [
        ("TARGET_X_BUCKET", "b"),
        ("TARGET_X_BATCH_SIZE_ROWS", "many"),
        ("TARGET_X_HARD_DELETE", "true"),
    ];
    assert_snapshot!(load_with(&[], &wrong).expect_err("refused"), @r#"
    hard_delete: is not supported yet by this version, and ignoring it would change the data; remove it (set by TARGET_X_HARD_DELETE)
    batch_size_rows: "many" is a string; allowed: a whole number from 1 to 100000 (set by TARGET_X_BATCH_SIZE_ROWS)
    "#);
}

#[test]
fn all_problems_are_told_at_once() {
    let text = problems(
        "problems",
        r#"{
            "validate_records": "false", "on_invalid_record": "ignore", "batch_size_rows": 0,
            "batch_size_bytes": 1.5, "max_line_bytes": true, "tags": ["a", 2], "bucket": "",
            "state_interval_seconds": -1, "batch_sizes_rows": 1, "colour": "hunter2",
            "hard_delete": true, "batch_config": {}, "load_method": "overwrite"
        }"#,
    );
    assert_snapshot!(text, @r#"
    batch_sizes_rows: is not a setting; did you mean batch_size_rows? (set by config.json)
    colour: is not a setting; `about` lists them all (set by config.json)
    hard_delete: is not supported yet by this version, and ignoring it would change the data; remove it (set by config.json)
    load_method: is not supported yet by this version, and ignoring it would change the data; remove it or use append-only or upsert (set by config.json)
    validate_records: "false" is a string; allowed: true or false (set by config.json)
    on_invalid_record: "ignore" is none of the choices; allowed: one of fail, skip, dead_letter (set by config.json)
    batch_size_rows: 0 is too small; allowed: a whole number from 1 to 100000 (set by config.json)
    batch_size_bytes: 1.5 is a number with a fraction; allowed: a whole number from 1 to 1073741824 (set by config.json)
    max_line_bytes: true is a boolean; allowed: a whole number from 1024 to 1073741824 (set by config.json)
    tags: at /1, 2 is a number; allowed: a list of strings (set by config.json)
    bucket: "" is too short; allowed: a string that is not empty (set by config.json)
    state_interval_seconds: -1 is too small; allowed: a number from 0 to 86400 (set by config.json)
    "#);
}

#[test]
fn missing_settings_say_why_they_are_needed() {
    let text = problems(
        "missing",
        r#"{"on_invalid_record": "dead_letter", "user": "ann"}"#,
    );
    assert_snapshot!(text, @r"
    bucket: is not set but is required; allowed: a string that is not empty
    password: is not set but is required when user is set; allowed: a string of at least 3 characters
    dead_letter_file: is not set but is required when on_invalid_record is dead_letter, or dead_letter_table; allowed: the path of a file
    ");
}

#[test]
fn dead_letters_have_one_place() {
    let with =
        |place: &str| format!(r#"{{"bucket": "b", "on_invalid_record": "dead_letter", {place}}}"#);
    let both = problems(
        "places",
        &with(r#""dead_letter_file": "f", "dead_letter_table": "t""#),
    );
    assert_snapshot!(both, @"dead_letter_file: is set, and so is dead_letter_table; only one of them can be used when on_invalid_record is dead_letter (set by config.json)");
    let folder = Folder::new("place");
    for place in [r#""dead_letter_file": "f""#, r#""dead_letter_table": "t""#] {
        let file = folder.file("config.json", &with(place));
        assert!(load_with(&[file], &[]).is_ok(), "{place}");
    }
}

#[test]
fn a_secret_is_never_shown() {
    for json in [
        r#"{"bucket": "b", "password": 31337}"#,
        r#"{"bucket": "b", "password": ["31337"]}"#,
        r#"{"bucket": "b", "pasword": "31337"}"#,
        r#"{"bucket": "b", "password": "31337", "mode": "nats://me:31337@host"}"#,
        r#"{"bucket": "b", "password": "31337" "#,
    ] {
        let text = problems("secret", json);
        assert!(!text.contains("31337"), "{text}");
    }
    let variables = [("TARGET_X_BUCKET", "b"), ("TARGET_X_PASSWORD", "31337")];
    let settings = load_with(&[], &variables).expect("valid");
    let sink: SinkSettings = settings.section().expect("a section");
    let environment: Environment = variables.into_iter().collect();
    let debug = format!("{settings:?} {sink:?} {environment:?}");
    assert!(
        debug.contains("password") && !debug.contains("31337"),
        "{debug}"
    );
}

#[test]
fn files_that_cannot_be_read_are_all_named() {
    let folder = Folder::new("files");
    let files = [
        folder.0.join("none.json").display().to_string(),
        folder.file("a.json", r#"{"password": hunter2}"#),
        folder.file("b.yaml", "bucket: b\npassword: [hunter2"),
        folder.file("c.toml", "bucket = 'b'\npassword = hunter2\n"),
        folder.file("d.json", r#"["hunter2"]"#),
    ];
    let text = load_with(&files, &[]).expect_err("refused").to_string();
    let text = text.replace(&format!("{}/", folder.0.display()), "");
    assert_snapshot!(text, @r"
    none.json: cannot be read: No such file or directory (os error 2)
    a.json: is not valid JSON: expected value at line 1 column 14
    b.yaml: is not valid YAML at line 2 column 11
    c.toml: is not valid TOML at line 2
    d.json: is not an object of settings
    ");
}

#[test]
fn whole_numbers_may_be_written_as_json_allows() {
    let folder = Folder::new("whole");
    let text = r#"{"bucket": "b", "batch_size_rows": 1e3, "batch_size_bytes": 2000.0}"#;
    let settings = load_with(&[folder.file("a.json", text)], &[]).expect("valid");
    let target: TargetSettings = settings.section().expect("a section");
    assert_eq!(
        (target.batch_size_rows, target.batch_size_bytes),
        (1000, 2000)
    );
}

#[test]
fn what_only_the_struct_can_refuse_names_the_setting() {
    // 70000 fits the schema (a number of at least 1), but not the struct.
    let variables = [("TARGET_X_BUCKET", "b"), ("TARGET_X_PORT", "70000")];
    let error = load_with(&[], &variables)
        .and_then(|settings| settings.section::<SinkSettings>())
        .expect_err("refused");
    assert_eq!(error.problems[0].setting, "port");
}

#[test]
fn two_sections_cannot_share_a_name() {
    #[derive(JsonSchema)]
    #[allow(dead_code, reason = "only its schema is used")]
    struct Other {
        bucket: String,
    }
    let error =
        SettingsSchema::new(&[SINK, Section::of::<Other>("Other sink")]).expect_err("refused");
    assert_snapshot!(error, @"bucket: is declared by both Sample sink and Other sink; rename one of them");
}

#[test]
fn no_setting_is_both_ours_and_foreign() {
    let schema = SettingsSchema::new(&[TARGET]).expect("no duplicates");
    for (name, _) in compat::SDK_SETTINGS {
        assert!(schema.get(name).is_none(), "{name}");
    }
}

#[test]
fn schemas_are_plain() {
    let schema = SettingsSchema::new(&[TARGET, SINK]).expect("no duplicates");
    let shown = |name: &str| schema.get(name).expect("a setting").schema().to_string();
    assert_snapshot!(shown("mode"), @r#"{"description":"Mode.","type":"string","enum":["fail","skip","dead_letter"],"enumDescriptions":["End the run with an error. What came before is loaded, and no state past it is written.","Leave it out, count it and log it. The record is lost to the destination.","Keep it in the dead letter with the reason, and go on."]}"#);
    assert_snapshot!(shown("password"), @r#"{"type":"string","secret":true,"writeOnly":true,"description":"The password of `user`.","minLength":3}"#);
    assert_snapshot!(shown("batch_size_rows"), @r#"{"type":"integer","default":1000,"minimum":1,"description":"Write a batch when it holds this many records.","maximum":100000}"#);
    assert_snapshot!(shown("dead_letter_file"), @r#"{"type":"string","description":"The file that invalid records are appended to, as JSON lines with the reason, when `on_invalid_record` is `dead_letter`.\n\nIt holds the records as they came, so protect it as you protect the data.","examples":["dead-letter.jsonl"],"format":"file-path"}"#);
}

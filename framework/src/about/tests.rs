//! Each format, of a small sample.

use insta::assert_snapshot;

use super::{About, Format, PluginInfo, TargetInfo};
use crate::config::{OnInvalidRecord, Secret, Section, SettingsSchema};
use crate::manifest::BatchFiles;

/// Settings of a sample.
///
/// It writes nowhere.
#[derive(schemars::JsonSchema)]
#[allow(dead_code, reason = "only its schema is used")]
struct Sample {
    /// Where to write. A bucket
    /// is created if need be.
    ///
    /// Names: letters | digits.
    #[schemars(length(min = 1))]
    bucket: String,
    /// The password.
    password: Option<Secret>,
    /// Where the server is.
    #[serde(default = "nearby")]
    #[schemars(extend("fallbackVariables" = ["HOST"]))]
    host: String,
    /// What to do.
    #[serde(default = "skip")]
    mode: OnInvalidRecord,
    /// How long to wait.
    #[serde(default = "half")]
    #[schemars(range(min = 0))]
    wait_seconds: f64,
    /// A key.
    #[schemars(extend("format" = "file-path", "examples" = ["key.pem"]))]
    tls_key: Option<String>,
    /// Labels.
    #[serde(default)]
    tags: Vec<String>,
}

fn nearby() -> String {
    "localhost".to_owned()
}

fn skip() -> OnInvalidRecord {
    OnInvalidRecord::Skip
}

fn half() -> f64 {
    0.5
}

fn render(format: Format) -> String {
    let schema =
        SettingsSchema::new(&[Section::of::<Sample>("Sample sink")]).expect("no duplicates");
    let about = About {
        target: TargetInfo {
            name: "target-x",
            version: "1.2.3",
            description: "Loads \"everything\": nowhere",
        },
        schema: &schema,
        capabilities: vec!["about", "validate-records"],
        batch: BatchFiles {
            formats: vec!["jsonl"],
            compressions: vec!["none"],
            stores: vec!["file"],
        },
        plugins: vec![
            PluginInfo {
                kind: "sink",
                name: "sample",
                description: "Drops records",
            },
            PluginInfo {
                kind: "encoder",
                name: "json",
                description: "Writes JSON",
            },
        ],
    };
    about.render(format)
}

#[test]
fn text() {
    assert_snapshot!(render(Format::Text), @r#"
    target-x 1.2.3
    Loads "everything": nowhere

    Capabilities
      about, validate-records

    Plugins
      sink     sample  Drops records
      encoder  json    Writes JSON

    Settings: Sample sink

      bucket (required)
          a string that is not empty; TARGET_X_BUCKET
          Where to write. A bucket is created if need be.
          Names: letters | digits.

      password
          a string, secret; TARGET_X_PASSWORD
          The password.

      host = "localhost"
          a string; TARGET_X_HOST, else HOST
          Where the server is.

      mode = "skip"
          one of fail, skip, dead_letter; TARGET_X_MODE
          What to do.
          - fail: End the run with an error. What came before is loaded, and no state past
            it is written.
          - skip: Leave it out, count it and log it. The record is lost to the destination.
          - dead_letter: Keep it in the dead letter with the reason, and go on.

      wait_seconds = 0.5
          a number, 0 or more; TARGET_X_WAIT_SECONDS
          How long to wait.

      tls_key
          the path of a file; TARGET_X_TLS_KEY
          A key.

      tags = []
          a list of strings; TARGET_X_TAGS
          Labels.
    "#);
}

#[test]
fn json() {
    assert_snapshot!(render(Format::Json), @r#"
    {
      "name": "target-x",
      "description": "Loads \"everything\": nowhere",
      "version": "1.2.3",
      "sdk_version": "0.1.0",
      "supported_python_versions": null,
      "capabilities": [
        "about",
        "validate-records"
      ],
      "batch": {
        "formats": [
          "jsonl"
        ],
        "compressions": [
          "none"
        ],
        "stores": [
          "file"
        ]
      },
      "settings": {
        "type": "object",
        "properties": {
          "bucket": {
            "type": "string",
            "description": "Where to write. A bucket is created if need be.\n\nNames: letters | digits.",
            "minLength": 1
          },
          "password": {
            "type": "string",
            "secret": true,
            "writeOnly": true,
            "description": "The password."
          },
          "host": {
            "type": "string",
            "description": "Where the server is.",
            "default": "localhost",
            "fallbackVariables": [
              "HOST"
            ]
          },
          "mode": {
            "default": "skip",
            "description": "What to do.",
            "type": "string",
            "enum": [
              "fail",
              "skip",
              "dead_letter"
            ],
            "enumDescriptions": [
              "End the run with an error. What came before is loaded, and no state past it is written.",
              "Leave it out, count it and log it. The record is lost to the destination.",
              "Keep it in the dead letter with the reason, and go on."
            ]
          },
          "wait_seconds": {
            "type": "number",
            "default": 0.5,
            "description": "How long to wait.",
            "minimum": 0
          },
          "tls_key": {
            "type": "string",
            "description": "A key.",
            "format": "file-path",
            "examples": [
              "key.pem"
            ]
          },
          "tags": {
            "type": "array",
            "items": {
              "type": "string"
            },
            "description": "Labels.",
            "default": []
          }
        },
        "required": [
          "bucket"
        ]
      },
      "plugins": [
        {
          "kind": "sink",
          "name": "sample",
          "description": "Drops records"
        },
        {
          "kind": "encoder",
          "name": "json",
          "description": "Writes JSON"
        }
      ]
    }
    "#);
}

#[test]
fn markdown() {
    assert_snapshot!(render(Format::Markdown), @r#"
    # Settings of target-x

    <!-- Made by `target-x about --format markdown` from the doc comments of the settings. Do not edit. -->

    Loads "everything": nowhere

    A setting is given in a configuration file (`--config FILE`; JSON, or YAML or TOML by its extension; of several files the later wins), or in its environment variable, which wins over the files. Variables are also read from `.env` in the working directory. A null, and an empty variable, mean "not set". A list or an object in a variable is written as JSON; a list of simple values may also be separated by commas.

    Capabilities: `about`, `validate-records`.

    | Plugin | Name | |
    |---|---|---|
    | sink | `sample` | Drops records |
    | encoder | `json` | Writes JSON |

    ## Sample sink

    Settings of a sample.

    It writes nowhere.

    | Setting | Default | |
    |---|---|---|
    | [`bucket`](#bucket) | required | Where to write. |
    | [`password`](#password) | not set | The password. |
    | [`host`](#host) | `"localhost"` | Where the server is. |
    | [`mode`](#mode) | `"skip"` | What to do. |
    | [`wait_seconds`](#wait_seconds) | `0.5` | How long to wait. |
    | [`tls_key`](#tls_key) | not set | A key. |
    | [`tags`](#tags) | `[]` | Labels. |

    ### `bucket`

    Where to write. A bucket is created if need be.

    Names: letters | digits.

    - Allowed: a string that is not empty
    - Required
    - Environment: `TARGET_X_BUCKET`

    ### `password`

    The password.

    - Allowed: a string
    - Default: not set
    - Environment: `TARGET_X_PASSWORD`
    - Secret: never shown in logs or messages

    ### `host`

    Where the server is.

    - Allowed: a string
    - Default: `"localhost"`
    - Environment: `TARGET_X_HOST`
    - If it is not set: `HOST`

    ### `mode`

    What to do.

    | Value | Meaning |
    |---|---|
    | `fail` | End the run with an error. What came before is loaded, and no state past it is written. |
    | `skip` | Leave it out, count it and log it. The record is lost to the destination. |
    | `dead_letter` | Keep it in the dead letter with the reason, and go on. |

    - Default: `"skip"`
    - Environment: `TARGET_X_MODE`

    ### `wait_seconds`

    How long to wait.

    - Allowed: a number, 0 or more
    - Default: `0.5`
    - Environment: `TARGET_X_WAIT_SECONDS`

    ### `tls_key`

    A key.

    - Allowed: the path of a file
    - Default: not set
    - Example: `"key.pem"`
    - Environment: `TARGET_X_TLS_KEY`

    ### `tags`

    Labels.

    - Allowed: a list of strings
    - Default: `[]`
    - Environment: `TARGET_X_TAGS`
    "#);
}

#[test]
fn meltano() {
    assert_snapshot!(render(Format::Meltano), @r#"
    # Made by `target-x about --format meltano`. Install it in a Meltano project with
    #   meltano add --plugin-type loader --from-ref THIS_FILE target-x
    name: "target-x"
    namespace: "target_x"
    variant: "default"
    label: "X"
    description: "Loads \"everything\": nowhere"
    pip_url: "target-x==1.2.3"
    executable: "target-x"
    capabilities:
    - "about"
    - "validate-records"
    settings_group_validation:
    - ["bucket"]
    settings:
    - name: "bucket"
      label: "Bucket"
      kind: "string"
      description: "Where to write. A bucket is created if need be.\n\nNames: letters | digits."
    - name: "password"
      label: "Password"
      kind: "string"
      description: "The password."
      sensitive: true
    - name: "host"
      label: "Host"
      kind: "string"
      description: "Where the server is."
      placeholder: "localhost"
    - name: "mode"
      label: "Mode"
      kind: "options"
      description: "What to do."
      value: "skip"
      options:
      - label: "Fail"
        value: "fail"
      - label: "Skip"
        value: "skip"
      - label: "Dead Letter"
        value: "dead_letter"
    - name: "wait_seconds"
      label: "Wait Seconds"
      kind: "string"
      description: "How long to wait."
      value: 0.5
    - name: "tls_key"
      label: "TLS Key"
      kind: "file"
      description: "A key."
    - name: "tags"
      label: "Tags"
      kind: "array"
      description: "Labels."
      value: []
    "#);
}

/// What is written as JSON scalars is YAML, and holds every setting.
#[test]
fn meltano_is_yaml() {
    let text = render(Format::Meltano);
    let definition: serde_json::Value = serde_saphyr::from_str(&text).expect("YAML");
    assert_eq!(definition["description"], "Loads \"everything\": nowhere");
    assert_eq!(definition["settings"].as_array().map(Vec::len), Some(7));
    assert_eq!(definition["settings"][0]["name"], "bucket");
}

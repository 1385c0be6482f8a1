//! The shape of the Meltano SDK's `--about --format=json`, and the plugins.

use serde_json::{Value, json};

use super::About;

pub(super) fn render(about: &About<'_>) -> String {
    let plugins: Vec<Value> = about
        .plugins
        .iter()
        .map(|plugin| {
            json!({
                "kind": plugin.kind,
                "name": plugin.name,
                "description": plugin.description,
            })
        })
        .collect();
    let document = json!({
        "name": about.target.name,
        "description": about.target.description,
        "version": about.target.version,
        // The SDK is what a target is built on: here, this framework.
        "sdk_version": env!("CARGO_PKG_VERSION"),
        "supported_python_versions": null,
        "capabilities": about.capabilities,
        "batch": {
            "formats": about.batch.formats,
            "compressions": about.batch.compressions,
            "stores": about.batch.stores,
        },
        "settings": about.schema.document(),
        "plugins": plugins,
    });
    format!("{document:#}\n")
}

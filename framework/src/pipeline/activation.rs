//! ACTIVATE_VERSION: a barrier, and then the sink deletes what is older.

use std::sync::Arc;

use super::Pipeline;
use crate::activation::Activation;
use crate::message::ActivateVersion;
use crate::run_error::RunError;
use crate::sink::SinkError;

impl Pipeline {
    /// Lets the sink delete what is of an older version, once all records before are settled.
    pub(super) async fn take_activation(
        &mut self,
        number: u64,
        message: ActivateVersion<'_>,
    ) -> Result<(), RunError> {
        let ActivateVersion { stream, version } = message;
        let Some(input) = self.intake.inputs.get(stream) else {
            let problem = format!("an ACTIVATE_VERSION of stream '{stream}' before its SCHEMA");
            return Err(RunError::input(number, problem));
        };
        let routes = Arc::clone(&input.routes);
        for route in routes.iter() {
            self.activate(number, stream, &route.stream, version)
                .await?;
        }
        Ok(())
    }

    /// The same for one of the streams that the stream `input` becomes.
    async fn activate(
        &mut self,
        number: u64,
        input: &str,
        stream: &str,
        version: i64,
    ) -> Result<(), RunError> {
        let Some(source) = self.intake.streams.get(stream) else {
            return Ok(());
        };
        let known = Arc::clone(&source.stream);
        let ignored = |why: &str| {
            tracing::warn!("line {number}: stream '{stream}': ACTIVATE_VERSION ignored: {why}");
            Ok(())
        };
        let settings = &self.versions;
        if !settings.process_activate_version_messages {
            return ignored("process_activate_version_messages is off");
        }
        if !self.delivery.activates_versions() {
            return ignored("this target cannot tell older versions of a record");
        }
        if self.is_merged(stream) {
            return ignored("several streams of the input become this one");
        }
        let activation = Activation::new(
            version,
            settings.hard_delete,
            settings.max_delete_fraction,
            crate::metadata::now(),
        );
        self.settle_input(input).await?;
        if self.summary.lost(&known) {
            // What was not loaded has not got the new version, although it is still in its table.
            return ignored(
                "records of the stream could not be loaded, so what is missing may not be deleted",
            );
        }
        self.sync_dead_letter().await?;
        self.collect_state();
        self.emitter.print_due()?;
        let activated = self
            .delivery
            .activate_version(&known, &activation)
            .await
            .map_err(|error| match error {
                SinkError::Permanent(why) => {
                    RunError::input(number, format!("stream '{stream}': {why}"))
                }
                other => other.into(),
            })?;
        self.summary.swept(&known, activated.deleted);
        tracing::info!(
            stream,
            version,
            deleted = activated.deleted,
            "activated a version"
        );
        Ok(())
    }
}

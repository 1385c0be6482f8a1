//! The rows of a Parquet file as lines of JSON.
//!
//! Moments become RFC 3339 texts, binary data hexadecimal ones, and a null is written as `null`.

use std::io::Error;
use std::ops::Range;
use std::sync::Arc;

use arrow_json::writer::{LineDelimited, WriterBuilder};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, Stream, StreamExt, TryFutureExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ParquetRecordBatchStreamBuilder;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use crate::error::BoxError;

/// Rows that are converted at once.
const ROWS: usize = 1_000;

/// Opens the file. Pieces of the stream hold whole lines.
pub(super) async fn rows(
    store: Arc<dyn ObjectStore>,
    path: Path,
) -> std::result::Result<impl Stream<Item = std::io::Result<Bytes>> + Send + 'static, BoxError> {
    let size = store.head(&path).await?.size;
    let builder = ParquetRecordBatchStreamBuilder::new(Stored { store, path, size }).await?;
    let batches = builder.with_batch_size(ROWS).build()?;
    Ok(batches.map(|batch| {
        let mut writer = WriterBuilder::new()
            .with_explicit_nulls(true)
            .build::<_, LineDelimited>(Vec::new());
        writer
            .write(&batch.map_err(Error::other)?)
            .and_then(|()| writer.finish())
            .map_err(Error::other)?;
        Ok(writer.into_inner().into())
    }))
}

/// A file that is read piece by piece.
struct Stored {
    store: Arc<dyn ObjectStore>,
    path: Path,
    size: u64,
}

impl AsyncFileReader for Stored {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        self.store
            .get_range(&self.path, range)
            .map_err(failed)
            .boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        async move {
            let pieces = self.store.get_ranges(&self.path, &ranges).await;
            pieces.map_err(failed)
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            let size = self.size;
            let reader = ParquetMetaDataReader::new().with_arrow_reader_options(options);
            Ok(Arc::new(reader.load_and_finish(self, size).await?))
        }
        .boxed()
    }
}

fn failed(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

//! One test in several ways: other servers, other modes, other write paths.

use std::panic::resume_unwind;

use tokio::runtime::Builder;

/// Runs the test in all ways at once, each on a thread of its own: faults take time, most of which
/// is waiting.
///
/// # Panics
/// If it fails in one of them.
pub fn at_once<W: Send>(ways: impl IntoIterator<Item = W>, test: impl AsyncFn(W) + Send + Sync) {
    let test = &test;
    std::thread::scope(|scope| {
        let runs: Vec<_> = ways
            .into_iter()
            .map(|way| {
                scope.spawn(move || {
                    let runtime = Builder::new_current_thread().enable_all().build();
                    runtime.expect("a runtime starts").block_on(test(way));
                })
            })
            .collect();
        for run in runs {
            if let Err(failure) = run.join() {
                resume_unwind(failure);
            }
        }
    });
}

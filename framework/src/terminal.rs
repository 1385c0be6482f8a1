//! Standard error as a terminal: below the log a line that says how the run goes, and a table when
//! it is done. In a pipe there is neither.

use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};

use crate::metrics::{Counts, Summary};
use crate::table::{row, table};

/// How often the line is drawn anew.
const EVERY: Duration = Duration::from_millis(200);
/// What the rate is an average of.
const RATE_OF: Duration = Duration::from_secs(3);

/// Whether there may be a line at all.
static ENLIVENED: OnceLock<()> = OnceLock::new();
/// The line, while there is one.
static LINE: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// From now on, runs may have a line: standard error is a terminal and the log is for people.
pub(crate) fn enliven() {
    let _ = ENLIVENED.set(());
}

/// Whether a line is shown.
pub(crate) fn is_live() -> bool {
    line().is_some()
}

fn line() -> MutexGuard<'static, Option<ProgressBar>> {
    LINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes to a terminal above the line, if there is one.
pub(crate) struct Above<W>(pub(crate) W);

impl<W: Write + IsTerminal> Write for Above<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Held while it is written, so that no other thread draws the line meanwhile.
        match &*line() {
            Some(bar) if self.0.is_terminal() => bar.suspend(|| self.0.write(bytes)),
            _ => self.0.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The line of a run, drawn by a thread of its own: a terminal may be slow.
pub(crate) struct LiveLine {
    summary: Summary,
    end: mpsc::Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl LiveLine {
    /// Shows the line, where that is possible.
    pub(crate) fn start(summary: &Summary) -> Option<Self> {
        ENLIVENED.get()?;
        let style = ProgressStyle::with_template("{spinner} {wide_msg}").ok()?;
        let bar = ProgressBar::new_spinner().with_style(style);
        // Such as a terminal that cannot move its cursor.
        if bar.is_hidden() {
            return None;
        }
        *line() = Some(bar.clone());
        let (end, ended) = mpsc::channel();
        let counted = summary.clone();
        let thread = std::thread::Builder::new()
            .name("progress".to_owned())
            .spawn(move || {
                let mut rate = Rate::default();
                while ended.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                    let text = text(&counted, &mut rate);
                    if line().is_some() {
                        bar.set_message(text);
                        bar.tick();
                    }
                }
            });
        Some(Self {
            summary: summary.clone(),
            end,
            thread: thread.ok(),
        })
    }

    /// Shows the table of the whole run in its place.
    pub(crate) fn finish(self) {
        let summary = self.summary.clone();
        drop(self);
        // Nobody is left to tell if this fails.
        let _ = io::stderr().write_all(totals(&summary).as_bytes());
    }
}

impl Drop for LiveLine {
    fn drop(&mut self) {
        if let Some(bar) = line().take() {
            bar.finish_and_clear();
        }
        let _ = self.end.send(());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Records a second, of late.
#[derive(Default)]
struct Rate(Vec<(Instant, u64)>);

impl Rate {
    fn note(&mut self, now: Instant, records: u64) -> u64 {
        self.0.push((now, records));
        let recent = |(at, _): &(Instant, u64)| now.duration_since(*at) <= RATE_OF;
        self.0.retain(recent);
        let (since, before) = self.0.first().copied().unwrap_or((now, records));
        let seconds = now.duration_since(since).as_secs_f64();
        if seconds == 0.0 {
            return 0;
        }
        // A rate is no more exact than this.
        ((records - before) as f64 / seconds).round() as u64
    }
}

fn text(summary: &Summary, rate: &mut Rate) -> String {
    let counts = summary.counts();
    let sum = |of: fn(&Counts) -> u64| counts.values().map(of).sum::<u64>();
    let loaded = sum(Counts::loaded);
    let state = match summary.state_age() {
        Some(age) => format!("{:.0} s old", age.as_secs_f64()),
        None => "none yet".to_owned(),
    };
    format!(
        "{} records  {}/s  {}  in flight {}  state {state}",
        HumanCount(loaded),
        HumanCount(rate.note(Instant::now(), loaded)),
        HumanBytes(sum(|counts| counts.bytes)),
        HumanCount(sum(Counts::in_flight)),
    )
}

/// What the run did with each stream.
fn totals(summary: &Summary) -> String {
    let headings = [
        "stream",
        "read",
        "written",
        "unchanged",
        "conflicting",
        "deleted",
        "filtered",
        "rejected",
        "retries",
    ];
    let mut rows = vec![headings.map(str::to_owned)];
    let mut read = 0;
    for (stream, counts) in summary.counts() {
        read += counts.read;
        rows.push(row([
            &stream,
            &counts.read,
            &counts.written,
            &counts.unchanged,
            &counts.conflicting,
            &(counts.deleted + counts.swept),
            &counts.filtered,
            &counts.rejected,
            &counts.retries,
        ]));
    }
    let seconds = summary.seconds();
    let rate = HumanCount((read as f64 / seconds.max(0.001)).round() as u64);
    let read = HumanCount(read);
    format!(
        "{}{read} records in {seconds:.1} s, {rate}/s\n",
        table(&rows)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let start = Instant::now();
        let mut rate = Rate::default();
        let mut at = |seconds, records| rate.note(start + Duration::from_secs(seconds), records);
        assert_eq!(at(0, 0), 0);
        assert_eq!(at(1, 100), 100);
        assert_eq!(at(2, 1_100), 550);
        // The first one is forgotten.
        assert_eq!(at(4, 1_100), 333);
        assert_eq!(at(9, 1_100), 0);
    }
}

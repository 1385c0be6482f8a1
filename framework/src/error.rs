//! Errors of any author: one type that they fit in, and one text that tells all of it.

use std::error::Error;

/// Any error, from any crate.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// An error's text with its causes behind it. Some crates repeat a cause in the text of the error,
/// others leave it out: it is said once.
pub(crate) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    for cause in std::iter::successors(error.source(), |error| (*error).source()) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Failure {
        #[error("cannot connect")]
        Silent(#[source] io::Error),
        #[error("cannot connect: {0}")]
        Telling(#[source] io::Error),
    }

    #[test]
    fn each_cause_is_told_once() {
        let cause = || io::Error::other("no route to host");
        for failure in [Failure::Silent(cause()), Failure::Telling(cause())] {
            assert_eq!(with_causes(&failure), "cannot connect: no route to host");
        }
        assert_eq!(with_causes(&cause()), "no route to host");
    }
}

//! The connection that a batch is written over.
//!
//! The driver reconnects by itself, but never resends: all that was under way when the connection
//! was lost will get no answer. A batch therefore belongs to one connection and fails with it, at
//! once, instead of waiting for acks that cannot come.

use std::time::Duration;

use tokio::sync::watch;

use super::super::connect::Link;
use super::super::error::Failure;

/// Watches for the end of the connection that was up when it was made.
#[derive(Clone)]
pub(in super::super) struct Lifeline {
    link: watch::Receiver<Link>,
    losses: u64,
    denials: u64,
}

impl Lifeline {
    /// Waits until the connection is up, but not longer than `patience`.
    pub(in super::super) async fn grasp(
        link: &watch::Receiver<Link>,
        patience: Duration,
    ) -> Result<Self, Failure> {
        let mut link = link.clone();
        let up = link.wait_for(|link| link.connected || link.refused.is_some());
        let found = match tokio::time::timeout(patience, up).await {
            Ok(Ok(link)) => link.clone(),
            Ok(Err(_)) => return Err(closed()),
            Err(_) => return Err(Failure::Transient("not connected to the server".to_owned())),
        };
        match found.refused {
            Some(why) => Err(refused(&why)),
            None => Ok(Self {
                link,
                losses: found.losses,
                denials: found.denials,
            }),
        }
    }

    /// Which of the connections of this run it is.
    pub(super) fn connection(&self) -> u64 {
        self.losses
    }

    /// Waits for the end of the connection, or for the server to deny something, and says which.
    pub(super) async fn lost(&mut self) -> Failure {
        loop {
            if let Some(failure) = self.failure() {
                return failure;
            }
            if self.link.changed().await.is_err() {
                return closed();
            }
        }
    }

    /// Does `work` as long as the connection lasts.
    pub(in super::super) async fn bind<T>(
        &mut self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            biased;
            done = work => done,
            lost = self.lost() => Err(lost),
        }
    }

    fn failure(&mut self) -> Option<Failure> {
        let link = self.link.borrow_and_update();
        if let Some(why) = &link.refused {
            return Some(refused(why));
        }
        if link.denials != self.denials {
            let what = link.denied.as_deref().unwrap_or("a subject");
            return Some(Failure::Denied(format!(
                "the server does not allow it: {what}; the user needs this permission"
            )));
        }
        (link.losses != self.losses)
            .then(|| Failure::Transient("the connection to the server was lost".to_owned()))
    }
}

fn refused(why: &str) -> Failure {
    Failure::Denied(format!(
        "the server does not let us in again: {why}; check the credentials"
    ))
}

fn closed() -> Failure {
    Failure::Transient("the connection is closed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_loss_ends_the_lifelines_of_its_connection_only() {
        let (sender, link) = watch::channel(Link::default());
        let mut first = Lifeline::grasp(&link, Duration::ZERO)
            .await
            .expect("connected");
        sender.send_modify(|link| link.losses += 1);
        assert!(matches!(first.lost().await, Failure::Transient(_)));
        let mut second = Lifeline::grasp(&link, Duration::ZERO)
            .await
            .expect("connected");
        assert_eq!(second.bind(async { Ok(1) }).await, Ok(1));
        assert_ne!(first.connection(), second.connection());
        sender.send_modify(|link| link.denials += 1);
        let work = std::future::pending::<Result<(), _>>();
        assert!(matches!(second.bind(work).await, Err(Failure::Denied(_))));
    }

    #[tokio::test]
    async fn without_a_connection_there_is_none() {
        let (sender, link) = watch::channel(Link::default());
        sender.send_modify(|link| link.connected = false);
        let result = Lifeline::grasp(&link, Duration::from_millis(1)).await;
        assert!(matches!(result, Err(Failure::Transient(_))));
        sender.send_modify(|link| link.refused = Some("gone".to_owned()));
        let result = Lifeline::grasp(&link, Duration::from_secs(60)).await;
        assert!(matches!(result, Err(Failure::Denied(_))));
    }
}

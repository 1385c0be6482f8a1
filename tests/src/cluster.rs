//! A cluster of three real servers on loopback, with JetStream on all of them.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::nats_server::NatsServer;

/// Elections take seconds, on a busy machine many.
const PATIENCE: Duration = Duration::from_secs(60);
const SIZE: usize = 3;

/// Three servers, which are killed when this is dropped.
#[derive(Debug)]
pub struct Cluster {
    /// The servers; the first is named `n0`.
    pub servers: Vec<NatsServer>,
}

impl Cluster {
    /// Starts the cluster and waits until JetStream has a leader.
    ///
    /// # Panics
    /// If it does not come up.
    pub async fn start() -> Self {
        Self::of_version(crate::server_binary::NEWEST).await
    }

    /// A cluster of this version; see [`start`](Self::start).
    ///
    /// # Panics
    /// If it does not come up.
    pub async fn of_version(version: &str) -> Self {
        let routes = free_ports();
        let urls = routes.map(|port| format!("nats://127.0.0.1:{port}"));
        let servers = (0..SIZE)
            .map(|number| {
                NatsServer::builder()
                    .version(version)
                    .config(&format!(
                        "server_name: n{number}\ncluster {{ name: c, listen: \"127.0.0.1:{}\", \
                         routes: [{}] }}",
                        routes[number],
                        urls.join(", ")
                    ))
                    .start()
            })
            .collect();
        let cluster = Self { servers };
        // Three replicas can be placed only when all servers are known.
        cluster
            .ask_until(
                "STREAM.CREATE.ready",
                || json!({"name": "ready", "subjects": ["ready"], "num_replicas": SIZE}),
                |answer| answer["config"].is_object(),
            )
            .await;
        cluster
            .ask_until(
                "STREAM.DELETE.ready",
                || json!({}),
                |answer| answer["success"] == true,
            )
            .await;
        cluster
    }

    /// The servers' URLs, for the setting `url`.
    #[must_use]
    pub fn urls(&self) -> Value {
        self.servers.iter().map(NatsServer::url).collect()
    }

    /// Which server leads the bucket's stream.
    ///
    /// # Panics
    /// If there is no leader in time.
    pub async fn leader(&self, bucket: &str) -> usize {
        let info = self
            .ask_until(
                &format!("STREAM.INFO.KV_{bucket}"),
                || json!({}),
                |answer| answer["cluster"]["leader"].is_string(),
            )
            .await;
        number(info["cluster"]["leader"].as_str().expect("it is a string"))
    }

    /// A server that does not lead the bucket's stream.
    ///
    /// # Panics
    /// If there is no leader in time.
    pub async fn follower(&self, bucket: &str) -> usize {
        (self.leader(bucket).await + 1) % SIZE
    }

    /// Makes another server the leader of the bucket's stream.
    ///
    /// # Panics
    /// If nobody answers in time.
    pub async fn step_down(&self, bucket: &str) {
        self.ask_until(
            &format!("STREAM.LEADER.STEPDOWN.KV_{bucket}"),
            || json!({}),
            |answer| answer["success"] == true,
        )
        .await;
    }

    /// Makes this server the leader of the bucket's stream.
    ///
    /// # Panics
    /// If it is not in time.
    pub async fn lead(&self, bucket: &str, server: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.leader(bucket).await != server {
            assert!(
                Instant::now() < deadline,
                "n{server} does not lead {bucket}"
            );
            self.ask_until(
                &format!("STREAM.LEADER.STEPDOWN.KV_{bucket}"),
                || json!({"placement": {"preferred": format!("n{server}")}}),
                |answer| answer["success"] == true,
            )
            .await;
        }
    }

    /// Waits until all replicas of the bucket's stream are up to date.
    ///
    /// # Panics
    /// If they are not in time.
    pub async fn is_in_sync(&self, bucket: &str) {
        self.ask_until(
            &format!("STREAM.INFO.KV_{bucket}"),
            || json!({}),
            |answer| {
                answer["cluster"]["replicas"]
                    .as_array()
                    .is_some_and(|replicas| {
                        replicas.len() == SIZE - 1
                            && replicas.iter().all(|replica| replica["current"] == true)
                    })
            },
        )
        .await;
    }

    /// Asks the JetStream API of whichever server answers, until the answer is as it should be.
    async fn ask_until(
        &self,
        subject: &str,
        body: impl Fn() -> Value,
        good: impl Fn(&Value) -> bool,
    ) -> Value {
        let deadline = Instant::now() + PATIENCE;
        let mut last = Value::Null;
        while Instant::now() < deadline {
            for server in &self.servers {
                if let Some(answer) = ask(server, subject, &body()).await {
                    if good(&answer) {
                        return answer;
                    }
                    last = answer;
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{subject}: the last answer was {last}")
    }
}

/// One request to the JetStream API through this server, if it answers.
async fn ask(server: &NatsServer, subject: &str, body: &Value) -> Option<Value> {
    let attempt = async {
        let client = async_nats::connect(server.url()).await.ok()?;
        let subject = format!("$JS.API.{subject}");
        let answer = client
            .request(subject, body.to_string().into())
            .await
            .ok()?;
        serde_json::from_slice(&answer.payload).ok()
    };
    tokio::time::timeout(Duration::from_secs(5), attempt)
        .await
        .ok()?
}

/// The number in a server's name.
fn number(name: &str) -> usize {
    name.trim_start_matches('n').parse().expect("we named it")
}

/// Ports for the routes between the servers. Below those that systems give to clients, so that
/// none is taken by somebody's outgoing connection in the meantime.
fn free_ports() -> [u16; SIZE] {
    let mut held: Vec<TcpListener> = Vec::new();
    while held.len() < SIZE {
        held.extend(TcpListener::bind(("127.0.0.1", fastrand::u16(20_000..32_000))).ok());
    }
    std::array::from_fn(|at| held[at].local_addr().expect("it is bound").port())
}

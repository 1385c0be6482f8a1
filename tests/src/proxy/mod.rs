//! A TCP proxy between a client and a server, which does to them what networks do.
//!
//! It knows the NATS protocol: a [rule](Proxy::rule) looks at each message and says what becomes of
//! it. So acknowledgements alone can be dropped, one write held back past its retry, or a
//! connection reset in the middle of a message. It runs on a thread of its own, so that a test may
//! block.

mod frame;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

pub use frame::{Frame, From};

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is delivered.
    Pass,
    /// It is lost, and nobody knows.
    Drop,
    /// It is delivered after a while, and so is all behind it.
    Delay(Duration),
    /// It waits, with all behind it, until there is another rule; that decides about it again.
    Hold,
    /// Half of it is delivered, then both ends are told that the connection is reset.
    Reset,
}

type Rule = Box<dyn FnMut(&Frame) -> Fate + Send>;

/// A running proxy.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

struct Shared {
    rule: Mutex<Rule>,
    /// Counts the rules.
    rules: watch::Sender<u64>,
    /// For each open connection a way to end it.
    connections: Mutex<HashMap<usize, mpsc::UnboundedSender<Order>>>,
    /// Whether new connections are taken.
    open: watch::Sender<bool>,
    stop: watch::Sender<bool>,
}

/// What a test does to one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Both ends see its end.
    Cut,
    /// The client sees its end; what is held for the server can still be delivered.
    HangUp,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Proxy {
    /// A proxy to a server's URL, such as `nats://127.0.0.1:4222`, that lets everything pass.
    ///
    /// # Panics
    /// If there is no free port.
    #[must_use]
    pub fn to(url: &str) -> Self {
        let server = url
            .rsplit('/')
            .next()
            .and_then(|address| address.parse().ok())
            .expect("an address follows the scheme");
        let shared = Arc::new(Shared {
            rule: Mutex::new(Box::new(|_| Fate::Pass)),
            rules: watch::Sender::new(0),
            connections: Mutex::default(),
            open: watch::Sender::new(true),
            stop: watch::Sender::new(false),
        });
        let (sender, address) = std::sync::mpsc::channel();
        let inner = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime starts");
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                let _ = sender.send(listener.local_addr().expect("it is bound"));
                let mut stop = inner.stop.subscribe();
                tokio::select! {
                    () = serve(listener, server, &inner) => {}
                    _ = stop.wait_for(|stop| *stop) => {}
                }
            });
        });
        Self {
            address: address.recv().expect("it listens"),
            shared,
            thread: Some(thread),
        }
    }

    /// Where clients connect.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// From now on `rule` decides about every message, and about those that wait.
    pub fn rule(&self, rule: impl FnMut(&Frame) -> Fate + Send + 'static) {
        *lock(&self.shared.rule) = Box::new(rule);
        self.shared.rules.send_modify(|rules| *rules += 1);
    }

    /// Everything passes again.
    pub fn pass(&self) {
        self.rule(|_| Fate::Pass);
    }

    /// Nothing passes, in either direction, and nobody is told. [`pass`](Self::pass) ends it, and
    /// what was sent meanwhile arrives.
    pub fn black_hole(&self) {
        self.rule(|_| Fate::Hold);
    }

    /// Ends all connections.
    pub fn cut(&self) {
        self.order(Order::Cut);
    }

    /// Ends all connections for the client, who believes that the server went away. What is held
    /// for the server stays on its way.
    pub fn hang_up(&self) {
        self.order(Order::HangUp);
    }

    /// Takes no new connections, or takes them again.
    pub fn refuse(&self, refuse: bool) {
        self.shared.open.send_replace(!refuse);
    }

    /// How many connections there are now.
    #[must_use]
    pub fn connections(&self) -> usize {
        lock(&self.shared.connections).len()
    }

    fn order(&self, order: Order) {
        for connection in lock(&self.shared.connections).values() {
            let _ = connection.send(order);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(listener: TcpListener, server: SocketAddr, shared: &Arc<Shared>) {
    let mut open = shared.open.subscribe();
    for number in 0.. {
        let Ok((client, _)) = listener.accept().await else {
            return;
        };
        if !*open.borrow_and_update() {
            continue;
        }
        let Ok(upstream) = TcpStream::connect(server).await else {
            continue;
        };
        let (sender, orders) = mpsc::unbounded_channel();
        lock(&shared.connections).insert(number, sender);
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            connect(number, client, upstream, orders, &shared).await;
            lock(&shared.connections).remove(&number);
        });
    }
}

/// How one direction ended.
#[derive(PartialEq, Eq)]
enum End {
    /// The sender closed it.
    Closed,
    Reset,
}

async fn connect(
    number: usize,
    client: TcpStream,
    upstream: TcpStream,
    mut orders: mpsc::UnboundedReceiver<Order>,
    shared: &Arc<Shared>,
) {
    let _ = client.set_nodelay(true);
    let _ = upstream.set_nodelay(true);
    let (from_client, mut to_client) = client.into_split();
    let (from_server, mut to_server) = upstream.into_split();
    let up = pump(number, From::Client, from_client, &mut to_server, shared);
    let down = pump(number, From::Server, from_server, &mut to_client, shared);
    tokio::pin!(up);
    // `down` owns the way to the client while it runs.
    let ended = {
        tokio::pin!(down);
        tokio::select! {
            end = &mut up => Some(end),
            end = &mut down => Some(end),
            order = orders.recv() => match order {
                Some(Order::HangUp) => None,
                Some(Order::Cut) | None => Some(End::Closed),
            },
        }
    };
    match ended {
        Some(End::Reset) => {
            // With nothing left to linger for, closing the socket resets it.
            let _ = to_client.as_ref().set_zero_linger();
            drop(to_client);
        }
        Some(End::Closed) => {
            let _ = to_client.shutdown().await;
        }
        None => {
            let _ = to_client.shutdown().await;
            // What the client had sent goes on its way when the rule allows.
            tokio::select! {
                _ = up => {}
                _ = async { while orders.recv().await == Some(Order::HangUp) {} } => {}
            }
        }
    }
}

/// Carries one direction, message by message.
async fn pump(
    connection: usize,
    from: From,
    mut source: OwnedReadHalf,
    sink: &mut OwnedWriteHalf,
    shared: &Shared,
) -> End {
    let mut buffer = Vec::new();
    loop {
        while let Some(frame) = Frame::take(connection, from, &mut buffer) {
            let sent = match decide(&frame, shared).await {
                Fate::Drop => Ok(()),
                Fate::Reset => {
                    let _ = sink.write_all(&frame.bytes[..frame.bytes.len() / 2]).await;
                    return End::Reset;
                }
                Fate::Delay(time) => {
                    tokio::time::sleep(time).await;
                    sink.write_all(&frame.bytes).await
                }
                Fate::Pass | Fate::Hold => sink.write_all(&frame.bytes).await,
            };
            if sent.is_err() {
                return End::Closed;
            }
        }
        match source.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return End::Closed,
            Ok(_) => {}
        }
    }
}

/// Asks the rule, and the next one as long as the message is to wait.
async fn decide(frame: &Frame, shared: &Shared) -> Fate {
    let mut rules = shared.rules.subscribe();
    loop {
        rules.borrow_and_update();
        let fate = (lock(&shared.rule))(frame);
        if fate != Fate::Hold || rules.changed().await.is_err() {
            return fate;
        }
    }
}

//! The support code keeps its word: servers start, survive and are never left behind.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use target_tests::bucket::Bucket;
use target_tests::nats_server::NatsServer;
use target_tests::server_binary::OLDEST;

#[tokio::test]
async fn a_killed_server_comes_back_on_its_port_with_its_data() {
    let mut server = NatsServer::start();
    let url = server.url();
    let bucket = Bucket::create(&url, "b", 1).await;
    bucket.put("k", "1").await;
    for end in [NatsServer::kill, NatsServer::stop] {
        end(&mut server);
        assert!(!listens(&url));
        server.restart();
        assert_eq!(server.url(), url);
        let bucket = Bucket::open(&url, "b").await;
        assert_eq!(bucket.text("k").await, "1");
    }
}

#[tokio::test]
async fn the_oldest_server_runs_too() {
    let server = NatsServer::builder().version(OLDEST).start();
    let client = async_nats::connect(server.url()).await.expect("it listens");
    assert_eq!(client.server_info().version, OLDEST);
}

/// Not a test of its own: the process that the next test starts and kills.
#[test]
#[ignore = "started by the test below"]
fn serves_until_killed() {
    let server = NatsServer::start();
    // As in a static, which is never dropped.
    let server = Box::leak(Box::new(server));
    #[allow(
        clippy::print_stdout,
        reason = "the parent process reads the address here"
    )]
    {
        println!("URL={}", server.url());
    }
    std::thread::sleep(Duration::from_secs(60));
}

#[test]
fn a_server_dies_with_its_test_process() {
    let program = std::env::current_exe().expect("the system knows our path");
    let mut child = Command::new(program)
        .args(["--ignored", "--nocapture", "serves_until_killed"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it is a program");
    let stdout = child.stdout.take().expect("it is piped");
    let url = BufReader::new(stdout)
        .lines()
        .map_while(Result::ok)
        .find_map(|line| Some(line.split_once("URL=")?.1.to_owned()))
        .expect("it prints its server's address");
    assert!(listens(&url));
    child.kill().expect("it is our child");
    child.wait().expect("it is our child");
    let deadline = Instant::now() + Duration::from_secs(10);
    while listens(&url) {
        assert!(Instant::now() < deadline, "the server at {url} still runs");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn listens(url: &str) -> bool {
    TcpStream::connect(url.trim_start_matches("nats://")).is_ok()
}

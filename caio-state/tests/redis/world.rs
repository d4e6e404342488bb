//! A server, plain writers beside us, and a network that fails.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicUsize, Ordering};
use std::time::Duration;

use caio_state::conformance::RedisServer;
use caio_state::{Access, Guard, Key, RedisOptions, RedisStore, Txn, TxnId, Write};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(crate) fn key(name: &str) -> Key {
    Key::new(&[name])
}

pub(crate) fn put(name: &str, value: &str) -> Write {
    Write::Put {
        key: key(name),
        value: value.as_bytes().to_vec(),
        expires_in: None,
    }
}

pub(crate) fn add(name: &str) -> Write {
    Write::Add {
        counter: key(name),
        amount: 1,
        expires_in: None,
    }
}

pub(crate) fn txn(id: &str, guards: Vec<Guard>, writes: Vec<Write>) -> Txn {
    Txn {
        id: TxnId(id.to_owned()),
        guards,
        writes,
    }
}

pub(crate) fn open(options: RedisOptions) -> RedisStore {
    RedisStore::open(options, Access::ReadWrite).unwrap()
}

/// Long enough for a busy machine: what is asked here is never how long it takes.
const PATIENT: Duration = Duration::from_secs(20);

/// A server, and what the Python system would use to talk to it.
pub(crate) struct World {
    pub(crate) server: RedisServer,
    pub(crate) folder: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// A server with more arguments.
    pub(crate) fn with(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = RedisServer::start(folder.path(), arguments).unwrap();
        Self { server, folder }
    }

    pub(crate) fn options(&self, prefix: &str) -> RedisOptions {
        let mut options = self.server.options(prefix);
        options.timeout = PATIENT;
        options
    }

    pub(crate) fn store(&self) -> RedisStore {
        open(self.options("caio-test"))
    }

    pub(crate) async fn plain<T: redis::FromRedisValue>(&self, parts: &[&str]) -> T {
        let url = format!("redis://127.0.0.1:{}", self.server.port());
        let client = redis::Client::open(url).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut command = redis::cmd(parts[0]);
        for part in &parts[1..] {
            command.arg(*part);
        }
        command.query_async(&mut connection).await.unwrap()
    }
}

pub(crate) const PASS: u8 = 0;
/// What the client asks reaches the server; the answer does not reach the client.
pub(crate) const DROP_ANSWERS: u8 = 1;
/// Nothing travels, nothing is closed.
pub(crate) const HOLD: u8 = 2;
/// Connections are closed at once.
pub(crate) const CUT: u8 = 3;

/// A proxy between client and server that fails in the ways of networks.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    mode: Arc<AtomicU8>,
    server: Arc<AtomicU16>,
    pub(crate) dropped: Arc<AtomicUsize>,
}

impl Proxy {
    pub(crate) async fn start(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (mode, dropped) = (Arc::new(AtomicU8::new(PASS)), Arc::new(AtomicUsize::new(0)));
        let server = Arc::new(AtomicU16::new(server));
        let (shared, counter) = (Arc::clone(&mode), Arc::clone(&dropped));
        let to = Arc::clone(&server);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(relay(
                    client,
                    to.load(Ordering::SeqCst),
                    Arc::clone(&shared),
                    Arc::clone(&counter),
                ));
            }
        });
        Self {
            port,
            mode,
            server,
            dropped,
        }
    }

    pub(crate) fn set(&self, mode: u8) {
        self.mode.store(mode, Ordering::SeqCst);
    }

    /// New connections lead to another server, as after a fail-over.
    pub(crate) fn lead_to(&self, server: u16) {
        self.server.store(server, Ordering::SeqCst);
    }

    pub(crate) fn store(&self) -> RedisStore {
        self.store_within(PATIENT)
    }

    pub(crate) fn store_within(&self, timeout: Duration) -> RedisStore {
        let url = format!("redis://127.0.0.1:{}?prefix=caio-test", self.port);
        let mut options = RedisOptions::parse(&url, None).unwrap();
        options.timeout = timeout;
        open(options)
    }
}

async fn relay(mut client: TcpStream, server: u16, mode: Arc<AtomicU8>, dropped: Arc<AtomicUsize>) {
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, server))
        .await
        .unwrap();
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(length @ 1..) = read else { return };
                match mode.load(Ordering::SeqCst) {
                    CUT => return,
                    HOLD => {}
                    _ => server.write_all(&asked[..length]).await.unwrap(),
                }
            }
            read = server.read(&mut answered) => {
                let Ok(length @ 1..) = read else { return };
                match mode.load(Ordering::SeqCst) {
                    PASS => client.write_all(&answered[..length]).await.unwrap(),
                    DROP_ANSWERS => {
                        dropped.fetch_add(1, Ordering::SeqCst);
                        return;
                    }
                    CUT => return,
                    _ => {}
                }
            }
        }
    }
}

//! Connections that ask again and again. It costs as little as a client can, since it shares the
//! machine with the server that it measures, and it is the same for every server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub(crate) const CONNECTIONS: usize = 64;

/// How long it went, requests a second, and the 99th percentile of the wait in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) rate: f64,
    pub(crate) slow: f64,
}

/// What one connection sends.
#[derive(Clone)]
pub(crate) enum Requests {
    /// The same, until then.
    Same(Arc<[u8]>, Instant),
    /// Each of them once.
    Each(Arc<[Vec<u8>]>),
}

/// Sends on every connection what belongs to it.
pub(crate) fn load(address: SocketAddr, requests: Vec<Requests>) -> Load {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let begun = Instant::now();
    let waits = runtime.block_on(async {
        let mut all = tokio::task::JoinSet::new();
        for of_one in requests {
            all.spawn(connection(address, of_one));
        }
        all.join_all().await.into_iter().flatten().collect()
    });
    measured(waits, begun.elapsed())
}

/// The figures of these waits.
pub(crate) fn measured(mut waits: Vec<Duration>, elapsed: Duration) -> Load {
    waits.sort_unstable();
    let slow = waits[waits.len() * 99 / 100].as_secs_f64() * 1000.0;
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    let rate = waits.len() as f64 / elapsed.as_secs_f64();
    Load { rate, slow }
}

async fn connection(address: SocketAddr, requests: Requests) -> Vec<Duration> {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut buffer = vec![0; 64 * 1024];
    let mut usual = 0;
    let mut waits = Vec::new();
    for number in 0.. {
        let request: &[u8] = match &requests {
            Requests::Same(request, until) if Instant::now() < *until => request,
            Requests::Each(each) if number < each.len() => &each[number],
            _ => break,
        };
        let begun = Instant::now();
        stream.write_all(request).await.unwrap();
        let mut read = 0;
        loop {
            let more = stream.read(&mut buffer[read..]).await.unwrap();
            assert!(more > 0, "the server closed the connection");
            read += more;
            if is_whole(&buffer[..read], &mut usual) {
                break;
            }
        }
        waits.push(begun.elapsed());
    }
    waits
}

/// Whether the head and the whole body are there; anything but 200 ends the measurement. Answers to
/// one request are of one length, so that mostly that is all there is to look at.
fn is_whole(answer: &[u8], usual: &mut usize) -> bool {
    if answer.len() == *usual && answer.starts_with(b"HTTP/1.1 200 ") {
        return true;
    }
    let text = std::str::from_utf8(answer).unwrap();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    assert!(head.starts_with("HTTP/1.1 200"), "{text}");
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    let length = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let is_whole = body.len() >= length.unwrap().1.parse().unwrap();
    if is_whole {
        *usual = answer.len();
    }
    is_whole
}

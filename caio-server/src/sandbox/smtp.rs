//! A mail server that keeps what it is given: one that is as strict as RFC 5321 asks, in plain text.
//!
//! It answers as a real one does, command by command, within bounds, and fails on request.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::faults::Ending;
use super::wire::operations;
use super::{Sandbox, server};

/// Sessions at once; further ones wait.
const MAX_SESSIONS: usize = 64;
/// Bytes of one command line (a login is longer than the 512 that the standard asks for).
const MAX_LINE: u64 = 2_048;
/// Commands in one session.
const MAX_COMMANDS: usize = 200;
/// Recipients of one message.
const MAX_RECIPIENTS: usize = 100;
/// Bytes of one message.
const MAX_MESSAGE: usize = 1 << 20;
/// Messages that are kept; the oldest go first.
const MAX_KEPT: usize = 1_000;
/// A client that says nothing for so long is gone.
const IDLE: Duration = Duration::from_mins(1);

operations! {
    Connect => "connect",
    Ehlo => "ehlo",
    Auth => "auth",
    Mail => "mail",
    Rcpt => "rcpt",
    Data => "data",
    Message => "message",
}

/// A reply: code and text; of several lines where the text has them.
type Reply = (u16, String);

/// What one session has said so far.
#[derive(Debug, Default)]
struct Envelope {
    greeted: bool,
    from: Option<String>,
    to: Vec<String>,
}

/// Serves for as long as it is polled; its sessions end with it.
pub(crate) async fn serve(listener: TcpListener, sandbox: Arc<Sandbox>) {
    let permits = Arc::new(Semaphore::new(MAX_SESSIONS));
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            accepted = server::next(&listener, &permits) => match accepted {
                Ok((stream, permit)) => {
                    let sandbox = Arc::clone(&sandbox);
                    sessions.spawn(async move {
                        // A client that goes away in the middle is its own affair.
                        let _ = Session::new(stream, sandbox).run().await;
                        drop(permit);
                    });
                }
                // Such as too many open files: it passes.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            },
            Some(_) = sessions.join_next() => {}
        }
    }
}

/// One conversation.
#[derive(Debug)]
struct Session {
    sandbox: Arc<Sandbox>,
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    envelope: Envelope,
}

/// Whether the conversation goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goes {
    On,
    Over,
}

impl Session {
    fn new(stream: TcpStream, sandbox: Arc<Sandbox>) -> Self {
        let (reader, writer) = stream.into_split();
        Self {
            sandbox,
            reader: BufReader::new(reader),
            writer,
            envelope: Envelope::default(),
        }
    }

    async fn run(mut self) -> io::Result<()> {
        let hello = |_: &mut Envelope, _: &Sandbox| (220, "sandbox ESMTP".to_owned());
        if self.perform(Operation::Connect, "", hello).await? == Goes::Over {
            return Ok(());
        }
        for _ in 0..MAX_COMMANDS {
            let Some(line) = self.line().await? else {
                return Ok(());
            };
            if self.command(&line).await? == Goes::Over {
                return Ok(());
            }
        }
        self.say(&(421, "too many commands".to_owned())).await
    }

    async fn command(&mut self, line: &str) -> io::Result<Goes> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim().to_owned();
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" | "HELO" => {
                self.perform(Operation::Ehlo, line, move |envelope, _| {
                    if rest.is_empty() {
                        return (501, "say who you are".to_owned());
                    }
                    *envelope = Envelope {
                        greeted: true,
                        ..Envelope::default()
                    };
                    let size = format!("sandbox\nSIZE {MAX_MESSAGE}\n8BITMIME\nAUTH PLAIN LOGIN");
                    (250, size)
                })
                .await
            }
            "AUTH" => self.login(&rest).await,
            "MAIL" => {
                let mail = move |envelope: &mut Envelope, _: &Sandbox| envelope.mail(&rest);
                self.perform(Operation::Mail, line, mail).await
            }
            "RCPT" => {
                let rcpt = move |envelope: &mut Envelope, _: &Sandbox| envelope.rcpt(&rest);
                self.perform(Operation::Rcpt, line, rcpt).await
            }
            "DATA" => self.data().await,
            "RSET" => {
                self.envelope.from = None;
                self.envelope.to.clear();
                self.goes_on(250, "reset").await
            }
            "NOOP" => self.goes_on(250, "nothing done").await,
            "QUIT" => {
                self.say(&(221, "bye".to_owned())).await?;
                Ok(Goes::Over)
            }
            "STARTTLS" => self.goes_on(502, "there is no TLS on this machine").await,
            _ => self.goes_on(500, "no such command").await,
        }
    }

    /// `PLAIN` and `LOGIN`; any password does, but for `wrong`.
    async fn login(&mut self, rest: &str) -> io::Result<Goes> {
        let (mechanism, first) = rest.split_once(' ').unwrap_or((rest, ""));
        let mut said = first.trim().to_owned();
        let is_login = mechanism.eq_ignore_ascii_case("LOGIN");
        if !is_login && !mechanism.eq_ignore_ascii_case("PLAIN") {
            return self.goes_on(504, "PLAIN or LOGIN").await;
        }
        if said.is_empty() {
            self.say(&(334, "VXNlcm5hbWU6".to_owned())).await?;
            let Some(line) = self.line().await? else {
                return Ok(Goes::Over);
            };
            said = line;
        }
        if is_login {
            self.say(&(334, "UGFzc3dvcmQ6".to_owned())).await?;
            let Some(line) = self.line().await? else {
                return Ok(Goes::Over);
            };
            said = line;
        }
        let secret = STANDARD.decode(said.trim()).unwrap_or_default();
        let password = secret.rsplit(|byte| *byte == 0).next().unwrap_or_default();
        let is_right = !password.is_empty() && password != b"wrong";
        self.perform(Operation::Auth, "AUTH ***", move |_, _| match is_right {
            true => (235, "2.7.0 welcome".to_owned()),
            false => (535, "5.7.8 wrong name or password".to_owned()),
        })
        .await
    }

    async fn data(&mut self) -> io::Result<Goes> {
        let waits = self.envelope.from.is_some() && !self.envelope.to.is_empty();
        let mut ready = false;
        let asked = self
            .perform(Operation::Data, "DATA", |_, _| match waits {
                true => {
                    ready = true;
                    (354, "end with a line that holds one dot".to_owned())
                }
                false => (503, "say MAIL and RCPT first".to_owned()),
            })
            .await?;
        if asked == Goes::Over || !ready {
            return Ok(asked);
        }
        let Some(message) = self.message().await? else {
            return Ok(Goes::Over);
        };
        let request = format!("{} bytes", message.as_ref().map_or(MAX_MESSAGE, Vec::len));
        self.perform(Operation::Message, &request, move |envelope, sandbox| {
            let from = envelope.from.take();
            let to = std::mem::take(&mut envelope.to);
            match message {
                None => (552, "5.3.4 the message is too big".to_owned()),
                Some(message) => {
                    sandbox.keep_mail(&from.unwrap_or_default(), &to, &message);
                    (250, "2.0.0 kept".to_owned())
                }
            }
        })
        .await
    }

    /// The message up to the line with one dot, without the dots that were stuffed; `Some(None)` when
    /// it is too big (it is read to its end all the same), `None` when the client went away.
    async fn message(&mut self) -> io::Result<Option<Option<Vec<u8>>>> {
        let mut message = Vec::new();
        let mut fits = true;
        loop {
            let mut line = Vec::new();
            let limit = (MAX_MESSAGE + 1) as u64;
            let mut bounded = (&mut self.reader).take(limit);
            let read = tokio::time::timeout(IDLE, bounded.read_until(b'\n', &mut line)).await;
            if read.map_err(io::Error::other)?? == 0 || !line.ends_with(b"\n") {
                return Ok(None);
            }
            if line == b".\r\n" {
                return Ok(Some(fits.then_some(message)));
            }
            let text = match line.strip_prefix(b".") {
                Some(unstuffed) => unstuffed,
                None => &line,
            };
            fits &= message.len() + text.len() <= MAX_MESSAGE;
            if fits {
                message.extend_from_slice(text);
            }
        }
    }

    /// Performs a command with the fault that is due, logs it, and answers.
    async fn perform(
        &mut self,
        operation: Operation,
        request: &str,
        own: impl FnOnce(&mut Envelope, &Sandbox) -> Reply,
    ) -> io::Result<Goes> {
        let (hold, reply) = {
            let name = format!("smtp.{}", operation.name());
            let fault = self.sandbox.world().faults.next("smtp", &name);
            let own = || own(&mut self.envelope, &self.sandbox);
            let (kind, hold, reply) = match fault {
                None => (None, Duration::ZERO, Some(own())),
                Some((kind, fault)) => {
                    let answer = fault.effect.then(own);
                    let reply = match fault.ending {
                        Ending::Drop => None,
                        Ending::Replace(instead) => Some((instead.status, instead.body)),
                        Ending::Cut | Ending::Own | Ending::Retype(_) => answer,
                    };
                    (Some(kind), fault.hold, reply)
                }
            };
            let status = reply.as_ref().map(|(code, _)| *code);
            self.sandbox.log_mail(&name, request, kind, status);
            (hold, reply)
        };
        if !hold.is_zero() {
            tokio::time::sleep(hold).await;
        }
        match reply {
            None => Ok(Goes::Over),
            Some(reply) => {
                self.say(&reply).await?;
                // 421 says that the server closes.
                Ok(if reply.0 == 421 { Goes::Over } else { Goes::On })
            }
        }
    }

    async fn goes_on(&mut self, code: u16, text: &str) -> io::Result<Goes> {
        self.say(&(code, text.to_owned())).await?;
        Ok(Goes::On)
    }

    async fn say(&mut self, (code, text): &Reply) -> io::Result<()> {
        let lines: Vec<&str> = text.lines().collect();
        let mut reply = String::new();
        for (at, line) in lines.iter().enumerate() {
            let mark = if at + 1 == lines.len() { ' ' } else { '-' };
            reply.push_str(&format!("{code}{mark}{line}\r\n"));
        }
        if lines.is_empty() {
            reply = format!("{code} \r\n");
        }
        self.writer.write_all(reply.as_bytes()).await
    }

    /// A command line; `None` when the client is gone, or says what is no line.
    async fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        let mut bounded = (&mut self.reader).take(MAX_LINE);
        let read = tokio::time::timeout(IDLE, bounded.read_until(b'\n', &mut line)).await;
        if read.map_err(io::Error::other)?? == 0 {
            return Ok(None);
        }
        if !line.ends_with(b"\r\n") {
            self.say(&(
                500,
                "a line ends with CR LF, and is not that long".to_owned(),
            ))
            .await?;
            return Ok(None);
        }
        Ok(Some(String::from_utf8_lossy(&line).trim_end().to_owned()))
    }
}

impl Envelope {
    fn mail(&mut self, rest: &str) -> Reply {
        if !self.greeted {
            return (503, "say EHLO first".to_owned());
        }
        if self.from.is_some() {
            return (503, "there is a sender already".to_owned());
        }
        match path(rest, "FROM:") {
            Some(from) => {
                self.from = Some(from);
                (250, "2.1.0 sender taken".to_owned())
            }
            None => (501, "5.1.7 expected MAIL FROM:<address>".to_owned()),
        }
    }

    fn rcpt(&mut self, rest: &str) -> Reply {
        if self.from.is_none() {
            return (503, "say MAIL first".to_owned());
        }
        if self.to.len() >= MAX_RECIPIENTS {
            return (452, "4.5.3 too many recipients".to_owned());
        }
        match path(rest, "TO:").filter(|to| to.contains('@')) {
            Some(to) => {
                self.to.push(to);
                (250, "2.1.5 recipient taken".to_owned())
            }
            None => (501, "5.1.3 expected RCPT TO:<address>".to_owned()),
        }
    }
}

/// The address between the signs of `FROM:<…>`; parameters may follow it.
fn path(text: &str, keyword: &str) -> Option<String> {
    let head = text.get(..keyword.len())?;
    let rest = text.get(keyword.len()..)?.trim_start();
    let (path, _) = rest.strip_prefix('<')?.split_once('>')?;
    head.eq_ignore_ascii_case(keyword).then(|| path.to_owned())
}

impl Sandbox {
    fn keep_mail(&self, from: &str, to: &[String], message: &[u8]) {
        let text = String::from_utf8_lossy(message);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let mail = json!({
            "at": self.now(),
            "from": from,
            "to": to,
            "subject": header(head, "subject"),
            "message_id": header(head, "message-id"),
            "body": decoded(body, &header(head, "content-transfer-encoding")),
            "source": text,
        });
        let mut world = self.world();
        let kept = &mut world.notify.mail;
        if kept.len() >= MAX_KEPT {
            kept.remove(0);
        }
        kept.push(mail);
    }

    fn log_mail(&self, operation: &str, request: &str, fault: Option<&str>, status: Option<u16>) {
        let at = self.now();
        let entry = json!({
            "at": at, "provider": "smtp", "operation": operation, "method": "SMTP", "path": request,
            "fault": fault, "status": status,
        });
        self.world().calls.keep(request.len(), entry);
    }
}

/// A header's value, its continuation lines joined.
fn header(head: &str, name: &str) -> String {
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let found = unfolded.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name)
            .then(|| value.trim().to_owned())
    });
    found.unwrap_or_default()
}

/// A body as its reader would see it.
fn decoded(body: &str, encoding: &str) -> String {
    match encoding.to_ascii_lowercase().as_str() {
        "base64" => {
            let packed: String = body.split_whitespace().collect();
            let bytes = STANDARD.decode(packed).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        }
        "quoted-printable" => unquoted(body),
        _ => body.to_owned(),
    }
}

fn unquoted(body: &str) -> String {
    let body = body.replace("=\r\n", "");
    let mut bytes = Vec::with_capacity(body.len());
    let mut rest = body.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = tail
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if *first == b'=' => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What is kept, without the source.
pub(super) fn shown(mail: &Value) -> Value {
    json!({ "at": mail["at"], "to": mail["to"], "subject": mail["subject"], "body": mail["body"] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_for_the_way_is_read_as_it_was_written() {
        assert_eq!(
            decoded("3=E2=80=A6 a=3Db =\r\nc =", "Quoted-Printable"),
            "3… a=b c ="
        );
        assert_eq!(decoded("w7w=\r\n", "base64"), "ü");
        assert_eq!(decoded("plain", ""), "plain");
    }

    #[test]
    fn an_envelope_comes_in_order() {
        let mut envelope = Envelope::default();
        assert_eq!(envelope.mail("FROM:<a@example.com>").0, 503);
        envelope.greeted = true;
        assert_eq!(envelope.rcpt("TO:<b@example.com>").0, 503);
        assert_eq!(envelope.mail("FROM: a@example.com").0, 501);
        assert_eq!(envelope.mail("from:<a@example.com> SIZE=10").0, 250);
        assert_eq!(envelope.mail("FROM:<a@example.com>").0, 503);
        assert_eq!(envelope.rcpt("TO:<nobody>").0, 501);
        for _ in 0..MAX_RECIPIENTS {
            assert_eq!(envelope.rcpt("TO:<b@example.com>").0, 250);
        }
        assert_eq!(envelope.rcpt("TO:<b@example.com>").0, 452);
    }

    #[test]
    fn headers_may_go_over_several_lines() {
        let head = "From: a\r\nSubject: one\r\n two\r\nX: y";
        assert_eq!(header(head, "subject"), "one two");
        assert_eq!(header(head, "missing"), "");
    }
}

//! `rs-seg model fetch` from a server on this machine.

use crate::program::{Run, command};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// What the server does with a request for the file.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Manner {
    /// It sends what is asked for.
    Whole,
    /// It sends so many bytes and hangs up.
    CutAfter(usize),
    /// It knows no ranges.
    NoRanges,
    /// It has no such file.
    Missing,
    /// It asks for a password, whatever is asked for.
    Page,
    /// It does not tell the length, knows no ranges and hangs up after so many bytes.
    Unmeasured(usize),
    /// It sends so many bytes, then nothing for long.
    StallAfter(usize),
}

/// A server of one file, an empty cache, and what was asked of the server.
struct Ground {
    cache: TempDir,
    url: String,
    manner: Arc<Mutex<Manner>>,
    /// The first byte of each request.
    asked: Arc<Mutex<Vec<usize>>>,
}

const LENGTH: usize = 3 << 20;

fn content() -> Vec<u8> {
    (0..LENGTH).map(|i| (i * i % 251) as u8).collect()
}

fn sha256() -> String {
    let out = Command::new("sha256sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut out = out.expect("sha256sum runs");
    out.stdin.take().expect("piped").write_all(&content()).expect("writes");
    let text = out.wait_with_output().expect("ends").stdout;
    String::from_utf8(text).expect("UTF-8")[..64].to_owned()
}

fn serve(mut stream: TcpStream, manner: Manner, asked: &Mutex<Vec<usize>>) {
    let mut start = 0;
    let mut lines = BufReader::new(stream.try_clone().expect("a stream")).lines();
    while let Some(Ok(line)) = lines.next() {
        if line.is_empty() {
            break;
        }
        if let Some(range) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
            start = range.trim_end_matches('-').parse().expect("a range");
        }
    }
    asked.lock().expect("no panic").push(start);
    let body = if manner == Manner::Page { b"<html>password?".to_vec() } else { content() };
    let (head, first) = match manner {
        Manner::Missing => ("404 Not Found\r\nContent-Length: 0".to_owned(), LENGTH),
        Manner::Page => (format!("200 OK\r\nContent-Length: {}", body.len()), 0),
        Manner::Unmeasured(_) if start == 0 => ("200 OK".to_owned(), 0),
        _ if start >= LENGTH => ("416 Range Not Satisfiable\r\nContent-Length: 0".to_owned(), LENGTH),
        _ if start > 0 && manner != Manner::NoRanges => (
            format!(
                "206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes {start}-{}/{LENGTH}",
                LENGTH - start,
                LENGTH - 1
            ),
            start,
        ),
        _ => (format!("200 OK\r\nContent-Length: {LENGTH}"), 0),
    };
    let last = match manner {
        Manner::CutAfter(bytes) | Manner::StallAfter(bytes) | Manner::Unmeasured(bytes) => {
            (first + bytes).min(LENGTH)
        }
        Manner::Page => body.len(),
        _ => LENGTH,
    };
    // A client that hangs up is no fault here.
    let _ = write!(stream, "HTTP/1.1 {head}\r\nConnection: close\r\n\r\n");
    let _ = stream.write_all(&body[first..last]);
    if matches!(manner, Manner::StallAfter(_)) {
        let mut rest = body[last..].chunks(1 << 10);
        while let Some(Ok(())) = rest.next().map(|piece| stream.write_all(piece)) {
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Ground {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/models/NET.pt", listener.local_addr().expect("an address"));
        let manner = Arc::new(Mutex::new(Manner::Whole));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (shared, log) = (Arc::clone(&manner), Arc::clone(&asked));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let manner = *shared.lock().expect("no panic");
                serve(stream.expect("a connection"), manner, &log);
            }
        });
        Self { cache: tempfile::tempdir().expect("a folder"), url, manner, asked }
    }

    fn command(&self, sha256: &str, more: &[&str]) -> Command {
        self.program(&[&["--sha256", sha256], more].concat())
    }

    fn program(&self, more: &[&str]) -> Command {
        let arguments = ["model", "fetch", "clip-rn50", "--url", &self.url];
        let mut command = command(&[&arguments[..], more].concat());
        for proxy in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
            command.env_remove(proxy);
        }
        command.env("RS_SEG_CACHE", self.cache.path());
        command
    }

    fn fetch(&self, manner: Manner, sha256: &str, more: &[&str]) -> Run {
        *self.manner.lock().expect("no panic") = manner;
        let output = self.command(sha256, more).output().expect("the program starts");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    fn file(&self) -> PathBuf {
        self.cache.path().join("NET.pt")
    }

    fn partial(&self) -> PathBuf {
        self.cache.path().join("NET.pt.part")
    }

    fn asked(&self) -> Vec<usize> {
        self.asked.lock().expect("no panic").clone()
    }

    #[track_caller]
    fn assert_done(&self, run: &Run) {
        assert_eq!(run.code, Some(0), "{run:?}");
        assert!(fs::read(self.file()).expect("the file") == content());
        assert!(!self.partial().exists());
    }
}

#[test]
fn a_file_comes_once() {
    let ground = Ground::new();
    let run = ground.fetch(Manner::Whole, &sha256(), &[]);
    ground.assert_done(&run);
    assert_eq!(run.stdout.trim_end(), ground.file().to_str().expect("UTF-8"));
    let again = ground.fetch(Manner::Missing, &sha256(), &["--json"]);
    let json = again.json();
    assert_eq!((json["downloaded"].as_u64(), json["bytes"].as_u64()), (Some(0), Some(LENGTH as u64)));
    assert_eq!((json["sha256"].as_str(), ground.asked()), (Some(sha256().as_str()), vec![0]));

    // Another file of that name is not thrown away unasked.
    fs::write(ground.file(), "something else").expect("writes");
    let refused = ground.fetch(Manner::Whole, &sha256(), &[]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("NET.pt exists") && refused.stderr.contains("--overwrite"),
        "{refused:?}"
    );
    ground.assert_done(&ground.fetch(Manner::Whole, &sha256(), &["--overwrite"]));
}

#[test]
fn a_broken_connection_is_taken_up() {
    let ground = Ground::new();
    let cut = ground.fetch(Manner::CutAfter(1_000_000), &sha256(), &[]);
    assert_eq!(cut.code, Some(1), "{cut:?}");
    assert!(cut.stderr.contains("after 1000000 of 3145728 bytes"), "{cut:?}");
    assert!(cut.stderr.contains("the same command goes on from there"), "{cut:?}");
    assert!(!ground.file().exists() && ground.partial().exists());
    let run = ground.fetch(Manner::Whole, &sha256(), &["--json"]);
    ground.assert_done(&run);
    assert_eq!(ground.asked(), [0, 1_000_000]);
    assert_eq!(run.json()["downloaded"].as_u64(), Some(LENGTH as u64 - 1_000_000));
}

#[test]
fn a_server_without_ranges_begins_anew() {
    let ground = Ground::new();
    fs::write(ground.partial(), &content()[..500]).expect("writes");
    let run = ground.fetch(Manner::NoRanges, &sha256(), &["--json"]);
    ground.assert_done(&run);
    assert_eq!((ground.asked(), run.json()["downloaded"].as_u64()), (vec![500], Some(LENGTH as u64)));
}

#[test]
fn a_partial_file_of_something_else_is_given_up() {
    let ground = Ground::new();
    for left in [700, LENGTH, LENGTH + 9] {
        let _ = fs::remove_file(ground.file());
        fs::write(ground.partial(), vec![7; left]).expect("writes");
        ground.assert_done(&ground.fetch(Manner::Whole, &sha256(), &[]));
    }
    // All of it was there but for its name.
    fs::rename(ground.file(), ground.partial()).expect("renames");
    ground.assert_done(&ground.fetch(Manner::Whole, &sha256(), &[]));
}

#[test]
fn what_came_is_kept_until_something_better_is_there() {
    let ground = Ground::new();
    fs::write(ground.partial(), &content()[..500]).expect("writes");
    let page = ground.fetch(Manner::Page, &sha256(), &[]);
    assert_eq!(page.code, Some(1), "{page:?}");
    assert!(page.stderr.contains("NET.pt.part is kept"), "{page:?}");
    assert!(fs::read(ground.partial()).expect("is kept") == content()[..500]);
    let names = fs::read_dir(ground.cache.path()).expect("a folder").count();
    assert_eq!(names, 1, "nothing else is left");
    let run = ground.fetch(Manner::Whole, &sha256(), &["--json"]);
    ground.assert_done(&run);
    assert_eq!(run.json()["downloaded"].as_u64(), Some(LENGTH as u64 - 500));
}

#[test]
fn a_file_of_untold_length_that_ends_early_is_taken_up() {
    let ground = Ground::new();
    let cut = ground.fetch(Manner::Unmeasured(1000), &sha256(), &[]);
    assert!(cut.code == Some(1) && cut.stderr.contains("it may be cut short after 1000 bytes"), "{cut:?}");
    assert_eq!(fs::read(ground.partial()).expect("is kept").len(), 1000);
    ground.assert_done(&ground.fetch(Manner::Whole, &sha256(), &[]));
    assert_eq!(ground.asked(), [0, 1000]);
}

#[test]
fn a_wrong_checksum_leaves_nothing() {
    let ground = Ground::new();
    let run = ground.fetch(Manner::Whole, &"0".repeat(64), &[]);
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains(&format!("has the sha256 {}, expected 0000", sha256())), "{run:?}");
    assert!(!ground.file().exists() && !ground.partial().exists());
    // Without --sha256 the file must be OpenAI's.
    let output = ground.program(&[]).output().expect("the program starts");
    assert!(String::from_utf8_lossy(&output.stderr).contains("expected afeb0e10f9e5"), "{output:?}");
}

#[test]
fn a_file_that_is_not_there_is_told() {
    let ground = Ground::new();
    let run = ground.fetch(Manner::Missing, &sha256(), &["--out", "/tmp/no-such-folder/net.pt"]);
    assert!(run.stderr.contains("the folder /tmp/no-such-folder does not exist"), "{run:?}");
    let run = ground.fetch(Manner::Missing, &sha256(), &[]);
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("answered 404 Not Found") && run.stderr.contains("--url"), "{run:?}");
    assert!(!ground.file().exists() && !ground.partial().exists(), "no empty file is left");
}

#[test]
fn an_interrupted_download_is_kept() {
    let ground = Ground::new();
    *ground.manner.lock().expect("no panic") = Manner::StallAfter(2 << 20);
    let mut job = ground
        .command(&sha256(), &["--progress", "json"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let stderr = BufReader::new(job.stderr.take().expect("piped"));
    let mut lines = stderr.lines().map(|line| line.expect("UTF-8"));
    assert!(lines.any(|line| line.contains("\"done\":2")), "it ended before it was stopped");
    let killed = Command::new("kill").args(["-INT", &job.id().to_string()]).status().expect("kill runs");
    assert!(killed.success());
    let last = lines.last().expect("an event");
    assert_eq!(job.wait().expect("ends").code(), Some(130), "{last}");
    assert!(last.contains("stopped after") && last.contains("goes on from there"), "{last}");
    let mut left = Vec::new();
    fs::File::open(ground.partial()).expect("a part").read_to_end(&mut left).expect("reads");
    assert!(left.len() >= 2 << 20 && content().starts_with(&left));
    ground.assert_done(&ground.fetch(Manner::Whole, &sha256(), &[]));
    assert_eq!(ground.asked(), [0, left.len()]);
}

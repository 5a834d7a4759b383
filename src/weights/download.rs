//! A file out of the net: taken up where an earlier try ended, and whole or not there.

use crate::checksum::{digits, sha256_of};
use crate::diagnostic::Advice;
use anyhow::Context as _;
use seg_grid::{Observer, Progress};
use sha2::{Digest as _, Sha256};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use ureq::http::{Response, StatusCode, header};
use ureq::{Agent, Body};

/// What is to be downloaded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Download<'a> {
    pub url: &'a str,
    /// The checksum that the file must have.
    pub sha256: &'a str,
    pub out: &'a Path,
}

/// A file that is there and right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fetched {
    /// It was there before.
    Present { bytes: u64 },
    /// It came, as a whole or the rest of it.
    Downloaded { bytes: u64, downloaded: u64 },
}

/// What progress is counted in.
pub(crate) const STAGE: &str = "download (MiB)";

const PIECE: usize = 1 << 16;
const MIB: u64 = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(60);

/// The file, if it is there already and right.
pub(crate) fn look(download: &Download) -> anyhow::Result<Option<Fetched>> {
    if !download.out.is_file() {
        return Ok(None);
    }
    let (bytes, sum) = sha256_of(download.out)?;
    Ok((sum == download.sha256).then_some(Fetched::Present { bytes }))
}

/// Downloads the file to a partial one beside it, which takes its name when its checksum is right.
///
/// A partial file stays when the download is interrupted, and is gone on with the next time. It stays too while a
/// server sends something else from the beginning, which may be a page that asks for a password.
pub(crate) fn download(download: &Download, observer: &dyn Observer) -> anyhow::Result<Fetched> {
    let mut partial = Partial::open(download.out, ".part", Kind::Begun)?;
    let outcome = go_on(&mut partial, download, observer);
    if partial.bytes == 0 && outcome.is_err() {
        // An empty one is of no use to anybody.
        let _ = fs::remove_file(&partial.path);
    }
    let downloaded = outcome?;
    let bytes = partial.bytes;
    Ok(Fetched::Downloaded { bytes, downloaded })
}

/// Receives what a partial file lacks and gives it its name; returns how many bytes came.
fn go_on(partial: &mut Partial, download: &Download, observer: &dyn Observer) -> anyhow::Result<u64> {
    let begun = partial.bytes;
    let mut response = ask(download.url, begun)?;
    if response.status() == StatusCode::RANGE_NOT_SATISFIABLE && begun > 0 {
        // All of it is here, or more than there is.
        if partial.is(download) {
            partial.publish(download.out)?;
            return Ok(0);
        }
        response = ask(download.url, 0)?;
    }
    match response.status() {
        StatusCode::PARTIAL_CONTENT if range_start(&response) == Some(begun) => {}
        // A server that knows no ranges sends all of it.
        StatusCode::OK if begun > 0 => return begin_anew(partial, response, download, observer),
        StatusCode::OK => {}
        StatusCode::PARTIAL_CONTENT => {
            let what = format!("{} answered with another part than was asked for", download.url);
            return Err(Advice::new(what, format!("remove {} and try again", partial.path.display())).into());
        }
        status => return Err(refused(download.url, status)),
    }
    let mut length = partial.receive(response, observer)?;
    let mut downloaded = partial.bytes - begun;
    if begun > 0 && length == Length::Told && !partial.is(download) {
        observer.warning("what an earlier download left does not belong to this file: starting over");
        partial.clear()?;
        let response = ask(download.url, 0)?;
        if response.status() != StatusCode::OK {
            return Err(refused(download.url, response.status()));
        }
        length = partial.receive(response, observer)?;
        downloaded += partial.bytes;
    }
    if partial.is(download) {
        partial.publish(download.out)?;
        return Ok(downloaded);
    }
    let wrong = partial.wrong(download);
    if length == Length::Told {
        partial.remove()?;
        let hint = "try again, or another --url; --sha256 tells the checksum of another file";
        return Err(Advice::new(wrong, hint).into());
    }
    let what = format!(
        "{wrong}; the server did not tell its length, and it may be cut short after {} bytes, which are in {}",
        partial.bytes,
        partial.path.display()
    );
    Err(Advice::new(what, "the same command goes on from there; remove that file if it is another").into())
}

/// Receives a whole file beside a partial one, which stays unless the whole one is right.
fn begin_anew(
    partial: &mut Partial,
    response: Response<Body>,
    download: &Download,
    observer: &dyn Observer,
) -> anyhow::Result<u64> {
    observer.warning("the server sends the file from its beginning: starting over");
    let mut whole = Partial::open(download.out, ".part.whole", Kind::Anew)?;
    let outcome = whole.clear().and_then(|()| whole.receive(response, observer));
    if outcome.is_ok() && whole.is(download) {
        whole.publish(download.out)?;
        partial.remove()?;
        partial.bytes = whole.bytes;
        return Ok(whole.bytes);
    }
    whole.remove()?;
    outcome?;
    let hint = format!("try again, or another --url; {} is kept for it", partial.path.display());
    Err(Advice::new(whole.wrong(download), hint).into())
}

/// Whether a server told how long a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    Told,
    Untold,
}

/// What becomes of a file that is not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The next download goes on with it.
    Begun,
    /// It is removed.
    Anew,
}

/// What came of a file so far.
struct Partial {
    path: PathBuf,
    kind: Kind,
    file: File,
    bytes: u64,
    hasher: Sha256,
}

impl Partial {
    /// What an earlier download left, or an empty file; no other process has it meanwhile.
    fn open(out: &Path, ending: &str, kind: Kind) -> anyhow::Result<Self> {
        let mut name = out.file_name().unwrap_or_default().to_owned();
        name.push(ending);
        let path = out.with_file_name(name);
        let failed = || format!("cannot write {}", path.display());
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).clone();
        let mut file = options.open(&path).with_context(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let what = format!("another rs-seg downloads {}", path.display());
                return Err(Advice::new(what, "wait until it has ended").into());
            }
            // Some file systems have no locks; the checksum is looked at in any case.
            Err(TryLockError::Error(error)) => tracing::debug!(%error, "the partial file is not locked"),
        }
        let mut hasher = Sha256::new();
        let bytes = io::copy(&mut file, &mut hasher).with_context(failed)?;
        Ok(Self { path, kind, file, bytes, hasher })
    }

    fn clear(&mut self) -> anyhow::Result<()> {
        let emptied = self.file.set_len(0).and_then(|()| self.file.seek(SeekFrom::Start(0)));
        emptied.with_context(|| format!("cannot write {}", self.path.display()))?;
        (self.bytes, self.hasher) = (0, Sha256::new());
        Ok(())
    }

    fn remove(&self) -> anyhow::Result<()> {
        fs::remove_file(&self.path).with_context(|| format!("cannot remove {}", self.path.display()))
    }

    fn is(&self, download: &Download) -> bool {
        digits(self.hasher.clone()) == download.sha256
    }

    fn wrong(&self, download: &Download) -> String {
        let found = digits(self.hasher.clone());
        format!("{} has the sha256 {found}, expected {}", download.url, download.sha256)
    }

    /// Adds what a server sends.
    fn receive(&mut self, response: Response<Body>, observer: &dyn Observer) -> anyhow::Result<Length> {
        let first = self.bytes;
        let total = response.body().content_length().map(|rest| first + rest);
        let mut body = response.into_body().into_reader();
        let mut piece = vec![0; PIECE];
        loop {
            if observer.cancelled() {
                return Err(self.unfinished("stopped", total));
            }
            let count = match body.read(&mut piece) {
                Ok(count) => count,
                Err(error) => return Err(self.unfinished(&format!("the connection broke ({error})"), total)),
            };
            if count == 0 {
                break;
            }
            let write = self.file.write_all(&piece[..count]);
            write.with_context(|| format!("cannot write {}", self.path.display()))?;
            self.hasher.update(&piece[..count]);
            self.bytes += count as u64;
            if let Some(total) = total {
                let step = Progress {
                    stage: STAGE,
                    done: if self.bytes < total { self.bytes / MIB } else { total.div_ceil(MIB) },
                    total: total.div_ceil(MIB),
                };
                observer.progress(step);
            }
        }
        match total {
            Some(whole) if self.bytes < whole => Err(self.unfinished("the connection ended", total)),
            Some(_) => Ok(Length::Told),
            None => Ok(Length::Untold),
        }
    }

    fn unfinished(&self, why: &str, total: Option<u64>) -> anyhow::Error {
        let of = total.map_or_else(String::new, |total| format!(" of {total}"));
        let after = format!("{why} after {}{of} bytes", self.bytes);
        match self.kind {
            Kind::Begun => {
                let what = format!("{after}, which are in {}", self.path.display());
                Advice::new(what, "the same command goes on from there").into()
            }
            Kind::Anew => {
                Advice::new(after, "the same command begins anew: the server sends no parts").into()
            }
        }
    }

    fn publish(&self, out: &Path) -> anyhow::Result<()> {
        let published = self.file.sync_all().and_then(|()| fs::rename(&self.path, out));
        published.with_context(|| format!("cannot write {}", out.display()))
    }
}

fn refused(url: &str, status: StatusCode) -> anyhow::Error {
    Advice::new(format!("{url} answered {status}"), "check the address, or give another one with --url")
        .into()
}

fn ask(url: &str, from: u64) -> anyhow::Result<Response<Body>> {
    let agent: Agent = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(PATIENCE))
        .timeout_recv_response(Some(PATIENCE))
        .timeout_per_read(Some(PATIENCE))
        .user_agent(concat!("rs-seg/", env!("CARGO_PKG_VERSION")))
        .build()
        .into();
    let mut request = agent.get(url);
    if from > 0 {
        request = request.header(header::RANGE, format!("bytes={from}-"));
    }
    request.call().map_err(|error| {
        let what = format!("cannot download {url}: {error}");
        Advice::new(what, "check the connection and the address; --url gives another one").into()
    })
}

/// The first byte of a partial answer: `bytes 100-199/200`.
fn range_start(response: &Response<Body>) -> Option<u64> {
    let range = response.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}

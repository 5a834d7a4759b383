//! A file out of the net: taken up where an earlier try ended, and whole or not there.

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
    let mut hasher = Sha256::new();
    let bytes = File::open(download.out)
        .and_then(|mut file| io::copy(&mut file, &mut hasher))
        .with_context(|| format!("cannot read {}", download.out.display()))?;
    Ok((digits(hasher) == download.sha256).then_some(Fetched::Present { bytes }))
}

/// Downloads the file to a partial one beside it, which takes its name when its checksum is right.
///
/// A partial file stays when the download is interrupted, and is gone on with the next time.
pub(crate) fn download(download: &Download, observer: &dyn Observer) -> anyhow::Result<Fetched> {
    let mut partial = Partial::open(download.out)?;
    let begun = partial.bytes;
    let mut downloaded = partial.receive(download, observer)?;
    let mut found = digits(partial.hasher.clone());
    if found != download.sha256 && begun > 0 && downloaded < partial.bytes {
        observer.warning("what an earlier download left does not belong to this file: starting over");
        partial.clear()?;
        downloaded += partial.receive(download, observer)?;
        found = digits(partial.hasher.clone());
    }
    if found != download.sha256 {
        fs::remove_file(&partial.path)
            .with_context(|| format!("cannot remove {}", partial.path.display()))?;
        let what = format!("{} has the sha256 {found}, expected {}", download.url, download.sha256);
        let hint = "try again, or another --url; --sha256 tells the checksum of another file";
        return Err(Advice::new(what, hint).into());
    }
    let bytes = partial.bytes;
    partial.publish(download.out)?;
    Ok(Fetched::Downloaded { bytes, downloaded })
}

/// What came of a file so far.
struct Partial {
    path: PathBuf,
    file: File,
    bytes: u64,
    hasher: Sha256,
}

impl Partial {
    /// What an earlier download left, or an empty file; no other process has it meanwhile.
    fn open(out: &Path) -> anyhow::Result<Self> {
        let mut name = out.file_name().unwrap_or_default().to_owned();
        name.push(".part");
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
        Ok(Self { path, file, bytes, hasher })
    }

    fn clear(&mut self) -> anyhow::Result<()> {
        let emptied = self.file.set_len(0).and_then(|()| self.file.seek(SeekFrom::Start(0)));
        emptied.with_context(|| format!("cannot write {}", self.path.display()))?;
        (self.bytes, self.hasher) = (0, Sha256::new());
        Ok(())
    }

    /// Receives what is missing; returns how many bytes came.
    fn receive(&mut self, download: &Download, observer: &dyn Observer) -> anyhow::Result<u64> {
        let mut response = ask(download.url, self.bytes)?;
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE && self.bytes > 0 {
            // All of it is here, or more than there is.
            if digits(self.hasher.clone()) == download.sha256 {
                return Ok(0);
            }
            self.clear()?;
            response = ask(download.url, 0)?;
        }
        match response.status() {
            StatusCode::PARTIAL_CONTENT if range_start(&response) == Some(self.bytes) => {}
            // A server that knows no ranges sends all of it.
            StatusCode::OK => self.clear()?,
            StatusCode::PARTIAL_CONTENT => {
                let what = format!("{} answered with another part than was asked for", download.url);
                return Err(Advice::new(what, format!("remove {} and try again", self.path.display())).into());
            }
            status => {
                let what = format!("{} answered {status}", download.url);
                return Err(Advice::new(what, "check the address, or give another one with --url").into());
            }
        }
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
        if total.is_some_and(|total| self.bytes < total) {
            return Err(self.unfinished("the connection ended", total));
        }
        Ok(self.bytes - first)
    }

    fn unfinished(&self, why: &str, total: Option<u64>) -> anyhow::Error {
        let of = total.map_or_else(String::new, |total| format!(" of {total}"));
        let what = format!("{why} after {}{of} bytes, which are in {}", self.bytes, self.path.display());
        Advice::new(what, "the same command goes on from there").into()
    }

    fn publish(self, out: &Path) -> anyhow::Result<()> {
        let published = self.file.sync_all().and_then(|()| fs::rename(&self.path, out));
        published.with_context(|| format!("cannot write {}", out.display()))
    }
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

fn digits(hasher: Sha256) -> String {
    format!("{:x}", hasher.finalize())
}

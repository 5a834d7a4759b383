//! Processes that found each other, and what they tell each other.

use std::ffi::{CString, c_int};
use std::net::UdpSocket;
use std::path::Path;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tch::{Device, Kind, Tensor};
use torch_sys::C_tensor;

use super::ffi::{self, RawGroup};
use super::patience::wait_for;
use super::rendezvous::{Rendezvous, Serves};
use crate::error::Error;
use crate::ffi::{OK, last_error};

/// The processes of a training, connected by gloo; CUDA devices by NCCL where the plug-in is.
///
/// All processes make the same calls in the same order. A call whose others do not come fails when a connection is
/// closed, and at the latest after the timeout. After a failure nothing works any more, and the group is left as it is
/// until the process ends: taking it apart would wait for those that are gone.
///
/// # Examples
/// ```no_run
/// use std::time::Duration;
///
/// use seg_torch::distributed::{Group, Reduction, Rendezvous};
/// use tch::Tensor;
///
/// if let Some(meeting) = Rendezvous::from_environment()? {
///     let group = Group::meet(&meeting, Duration::from_secs(60), &|| false)?;
///     let sum = Tensor::from_slice(&[group.rank() as i64]);
///     group.all_reduce(&sum, Reduction::Sum)?;
/// }
/// # Ok::<(), seg_torch::Error>(())
/// ```
#[derive(Debug)]
pub struct Group {
    raw: *mut RawGroup,
    rank: usize,
    world: usize,
    broken: AtomicBool,
}

// SAFETY: c10d's groups and stores lock what they change, and nothing in them belongs to a thread.
unsafe impl Send for Group {}
// SAFETY: as above.
unsafe impl Sync for Group {}

/// What becomes of the numbers of all processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduction {
    /// Their sum.
    Sum,
    /// The largest.
    Max,
    /// The smallest.
    Min,
}

/// The file name of the plug-in, beside libtorch's CUDA part.
const NCCL: &str = "librs_seg_nccl.so";

/// What those that notice the timeout themselves may need to tell so.
const GRACE: Duration = Duration::from_secs(1);

impl Group {
    /// Waits until all processes have come, and connects to each of them, unless the caller wants to stop.
    ///
    /// # Errors
    /// When not all are connected within the timeout, the store cannot be opened or reached, or the caller stops.
    pub fn meet(
        meeting: &Rendezvous,
        timeout: Duration,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Arc<Self>, Error> {
        // What is late tells why itself; one that does not answer at all cannot.
        let late = || {
            meeting
                .failed(format!("no answer within {} s, is process 0 running there?", timeout.as_secs_f64()))
        };
        let own = meeting.clone();
        let work = move || Self::meet_at(&own, timeout);
        wait_for(timeout + GRACE, cancelled, "meeting the other processes", late, work)
    }

    /// The same, for as long as it takes.
    fn meet_at(meeting: &Rendezvous, timeout: Duration) -> Result<Arc<Self>, Error> {
        let failed = |reason| meeting.failed(reason);
        let text = |text: &str| c_text(text).map_err(failed);
        let (host, prefix) = (text(&meeting.host)?, text(&meeting.prefix())?);
        let serves = meeting.store == Serves::First && meeting.rank == 0;
        let mut raw = ptr::null_mut();
        // SAFETY: the texts end in NUL and live during the call, which writes `raw` on success alone.
        let status = unsafe {
            ffi::seg_torch_group_meet(
                host.as_ptr(),
                meeting.port,
                c_int::from(serves),
                meeting.rank as c_int,
                meeting.world as c_int,
                prefix.as_ptr(),
                milliseconds(timeout),
                &raw mut raw,
            )
        };
        match status {
            OK => {}
            ffi::MISSING => {
                return Err(Error::Missing { ranks: last_error(), world: meeting.world, timeout });
            }
            _ => return Err(failed(last_error())),
        }
        let (rank, world) = (meeting.rank, meeting.world);
        let group = Self { raw, rank, world, broken: AtomicBool::new(false) };
        let interface = text(meeting.interface.as_deref().unwrap_or_default())?;
        let address = text(&own_address(&meeting.host, meeting.port).unwrap_or_default())?;
        // SAFETY: the group was made above; the texts end in NUL and live during the call.
        let status = unsafe { ffi::seg_torch_group_connect(group.raw, interface.as_ptr(), address.as_ptr()) };
        group.told(status, "connecting to it")?;
        Ok(Arc::new(group))
    }

    /// Adds NCCL, for tensors on a CUDA device; the CUDA part of libtorch is loaded, `lib` is its folder.
    ///
    /// # Errors
    /// When the plug-in is not there, or NCCL fails.
    pub fn connect_cuda(&self, lib: &Path, device: usize) -> Result<(), Error> {
        let path = lib.join(NCCL);
        let failed = |reason| Error::Nccl { path: path.clone(), reason };
        if !path.is_file() {
            return Err(failed("it is not there".to_owned()));
        }
        let name = CString::new(path.as_os_str().as_encoded_bytes())
            .map_err(|_| failed("its name holds a NUL byte".to_owned()))?;
        // SAFETY: the group lives as long as `self`; the text ends in NUL and lives during the call.
        match unsafe { ffi::seg_torch_group_connect_cuda(self.raw, name.as_ptr(), device as c_int) } {
            OK => Ok(()),
            _ => Err(failed(last_error())),
        }
    }

    /// The number of this process, from 0.
    pub const fn rank(&self) -> usize {
        self.rank
    }

    /// How many processes there are.
    pub const fn world(&self) -> usize {
        self.world
    }

    /// Changes a tensor to the reduction of those of all processes.
    ///
    /// # Errors
    /// When a process was lost.
    pub fn all_reduce(&self, tensor: &Tensor, reduction: Reduction) -> Result<(), Error> {
        let operation = match reduction {
            Reduction::Sum => 0,
            Reduction::Max => 1,
            Reduction::Min => 2,
        };
        // SAFETY: group and tensor outlive the call; tensors are handles whose values may be changed through any.
        let status =
            unsafe { ffi::seg_torch_group_all_reduce(self.raw, tensor.as_ptr().cast_mut(), operation) };
        self.told(status, "adding up")
    }

    /// Changes a tensor to that of one process.
    ///
    /// # Errors
    /// When a process was lost.
    pub fn broadcast(&self, tensor: &Tensor, from: usize) -> Result<(), Error> {
        // SAFETY: as in `all_reduce`.
        let status =
            unsafe { ffi::seg_torch_group_broadcast(self.raw, tensor.as_ptr().cast_mut(), from as c_int) };
        self.told(status, "sending tensors")
    }

    /// The tensors of all processes, of one shape, in the order of ranks: (...) to (world, ...).
    ///
    /// # Errors
    /// When a process was lost.
    pub fn all_gather(&self, tensor: &Tensor) -> Result<Tensor, Error> {
        let mut out: *mut C_tensor = ptr::null_mut();
        // SAFETY: group and tensor outlive the call, which writes `out` on success alone.
        let status = unsafe { ffi::seg_torch_group_all_gather(self.raw, tensor.as_ptr(), &raw mut out) };
        self.told(status, "comparing notes")?;
        // SAFETY: on success `out` is a new tensor that nobody else owns.
        Ok(unsafe { Tensor::from_ptr(out) })
    }

    /// The bytes of all processes, of any length, in the order of ranks.
    ///
    /// # Errors
    /// When a process was lost.
    pub fn gather_bytes(&self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        let lengths = self.all_gather(&Tensor::from_slice(&[bytes.len() as i64]))?; // (world, 1)
        let lengths: Vec<usize> =
            (0..self.world).map(|r| lengths.int64_value(&[r as i64, 0]) as usize).collect();
        let longest = lengths.iter().copied().max().unwrap_or(0);
        if longest == 0 {
            return Ok(vec![Vec::new(); self.world]);
        }
        let mut padded = bytes.to_vec();
        padded.resize(longest, 0);
        let all = self.all_gather(&Tensor::from_slice(&padded))?; // (world, longest)
        let taken = lengths.iter().enumerate().map(|(rank, &length)| {
            let mut own = vec![0_u8; longest];
            all.get(rank as i64).copy_data(&mut own, longest);
            own.truncate(length);
            own
        });
        Ok(taken.collect())
    }

    /// Waits until all processes are here.
    ///
    /// # Errors
    /// When a process was lost.
    pub fn barrier(&self) -> Result<(), Error> {
        // SAFETY: the group outlives the call.
        let status = unsafe { ffi::seg_torch_group_barrier(self.raw) };
        self.told(status, "waiting for the others")
    }

    pub(super) const fn raw(&self) -> *mut RawGroup {
        self.raw
    }

    /// What a status means, for calls in which the others take part.
    pub(super) fn told(&self, status: c_int, action: &'static str) -> Result<(), Error> {
        if status == OK {
            return Ok(());
        }
        self.broken.store(true, Ordering::Relaxed);
        Err(Error::PeerLost { action, reason: plain(&last_error()) })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.broken.load(Ordering::Relaxed) {
            // SAFETY: made by the shim, freed once; reducers hold the group as long as they live. What it throws is
            // caught, and nobody is left to be told.
            let _status = unsafe { ffi::seg_torch_group_free(self.raw) };
        }
    }
}

impl Reduction {
    /// The reduction of whole numbers of all processes, exactly.
    ///
    /// # Errors
    /// When a process was lost.
    pub fn of_counts(self, group: &Group, counts: &[u64]) -> Result<Vec<u64>, Error> {
        let signed: Vec<i64> = counts.iter().map(|count| count.cast_signed()).collect();
        let tensor = Tensor::from_slice(&signed).to_device(Device::Cpu).to_kind(Kind::Int64);
        group.all_reduce(&tensor, self)?;
        let mut all = vec![0_i64; counts.len()];
        tensor.copy_data(&mut all, counts.len());
        Ok(all.into_iter().map(i64::cast_unsigned).collect())
    }
}

/// A text as C has it.
pub(super) fn c_text(text: &str) -> Result<CString, String> {
    CString::new(text).map_err(|_| "a name holds a NUL byte".to_owned())
}

pub(super) fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX / 2)
}

/// The address of this machine on the way to a host: nothing is sent.
fn own_address(host: &str, port: u16) -> Option<String> {
    let socket = UdpSocket::bind(("::", 0)).or_else(|_| UdpSocket::bind(("0.0.0.0", 0)));
    let by = |socket: UdpSocket| {
        socket.connect((host, port)).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    let found = socket.ok().and_then(by).or_else(|| by(UdpSocket::bind(("0.0.0.0", 0)).ok()?))?;
    Some(found.to_canonical().to_string())
}

/// A message of gloo without the line of its source: `[../gloo/pair.cc:547] Connection closed by peer [::1]:4`.
fn plain(text: &str) -> String {
    // Advice that gloo adds for those who develop it.
    let text = text.split_once(" This is typically").map_or(text, |(text, _)| text).trim();
    match text.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        Some((place, rest)) if place.contains(".cc:") => rest.to_owned(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_gloo_s_sources_are_left_out() {
        let text = "[../third_party/gloo/gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]:9 \
                    This is typically caused by a remote worker crashing. Check the logs of the remote worker.";
        assert_eq!(plain(text), "Connection closed by peer [127.0.0.1]:9");
        assert_eq!(plain("Timed out"), "Timed out");
        assert_eq!(plain("[1] x"), "[1] x");
    }

    #[test]
    fn a_machine_reaches_itself_by_itself() {
        assert_eq!(own_address("127.0.0.1", 9).as_deref(), Some("127.0.0.1"));
        assert_eq!(own_address("no such host.", 9), None);
    }
}

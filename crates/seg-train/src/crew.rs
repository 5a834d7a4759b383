//! What the processes of one training tell each other, besides gradients.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use seg_label::ConfusionMatrix;
use seg_nn::ContrastMemory;
use seg_torch::distributed::{Group, Reduction};
use tch::nn::VarStore;
use tch::{Device, Kind, TchError, Tensor};

use crate::Error;
use crate::learner::StepLosses;

/// The processes of one training, and the place of this one among them.
///
/// Every method is one that all of them call, in the same order.
#[derive(Debug)]
pub(crate) struct Crew {
    group: Arc<Group>,
    /// Nanoseconds spent on what is told.
    spent: AtomicU64,
    /// Whether all processes know that the training is over.
    parting: AtomicBool,
}

/// How something went, and whether to go on, as all processes agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    GoOn,
    /// The user wants it, of one of the processes at least.
    Stop,
}

/// What of a training is in its folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Checkpoint,
    Nothing,
}

/// How it went in every process, and its numbers.
type Told<const N: usize> = Vec<(f64, [f64; N])>;

const GO_ON: f64 = 0.0;
const STOP: f64 = 1.0;
const FAILED: f64 = 2.0;

impl Crew {
    pub(crate) fn new(group: &Arc<Group>) -> Self {
        Self { group: Arc::clone(group), spent: AtomicU64::new(0), parting: AtomicBool::new(false) }
    }

    pub(crate) const fn group(&self) -> &Arc<Group> {
        &self.group
    }

    /// The number of this process, from 0.
    pub(crate) fn rank(&self) -> usize {
        self.group.rank()
    }

    pub(crate) fn world(&self) -> usize {
        self.group.world()
    }

    /// Whether this is the process that writes and tells.
    pub(crate) fn is_first(&self) -> bool {
        self.rank() == 0
    }

    /// Whether the first process found a checkpoint, as it says.
    pub(crate) fn as_first(&self, found: Found) -> Result<Found, Error> {
        let said = Tensor::from_slice(&[i64::from(found == Found::Checkpoint)]);
        self.group.broadcast(&said, 0)?;
        Ok(if said.int64_value(&[0]) == 1 { Found::Checkpoint } else { Found::Nothing })
    }

    /// Tells how something went here, and learns how it went elsewhere: a failure of one is one of all.
    pub(crate) fn agree<T>(&self, here: Result<T, Error>, wish: Verdict) -> Result<(T, Verdict), Error> {
        let (done, told) = self.tell(here, wish, [])?;
        let stops = told.iter().any(|(code, _)| *code >= STOP);
        Ok((done, if stops { Verdict::Stop } else { Verdict::GoOn }))
    }

    /// The same for a step's losses: their mean over all processes, which is no number where one of them is none.
    pub(crate) fn mean<T>(&self, here: Result<(StepLosses, T), Error>) -> Result<(StepLosses, T), Error> {
        let parts = here.as_ref().map_or([0.0; 6], |(losses, _)| losses.parts());
        let ((_, done), told) = self.tell(here, Verdict::GoOn, parts)?;
        let world = self.world() as f64;
        let mean = |part: usize| told.iter().map(|(_, parts)| parts[part]).sum::<f64>() / world;
        Ok((StepLosses::of_parts([0, 1, 2, 3, 4, 5].map(mean)), done))
    }

    /// One message of every process to every other: how it went there, and some numbers.
    fn tell<T, const N: usize>(
        &self,
        here: Result<T, Error>,
        wish: Verdict,
        numbers: [f64; N],
    ) -> Result<(T, Told<N>), Error> {
        let here = match here {
            // There is nobody to tell.
            Err(error) if error.is_loss_of_peer() => return Err(error),
            here => here,
        };
        let code = match (&here, wish) {
            (Err(_), _) => FAILED,
            (Ok(_), Verdict::Stop) => STOP,
            (Ok(_), Verdict::GoOn) => GO_ON,
        };
        let message: Vec<f64> = [code].into_iter().chain(numbers).collect();
        let all = self.timed(|| Ok(self.group.all_gather(&Tensor::from_slice(&message))?))?; // (world, 1 + N)
        let number = |rank: usize, at: usize| all.double_value(&[rank as i64, at as i64]);
        let told: Vec<_> = (0..self.world())
            .map(|rank| (number(rank, 0), std::array::from_fn(|at| number(rank, at + 1))))
            .collect();
        let Some(rank) = told.iter().position(|(code, _)| *code >= FAILED) else {
            return here.map(|done| (done, told));
        };
        let message = here.as_ref().err().map_or_else(String::new, with_causes);
        let messages = self.group.gather_bytes(message.as_bytes())?;
        self.parting.store(true, Ordering::Relaxed);
        let message =
            messages.get(rank).map_or_else(String::new, |m| String::from_utf8_lossy(m).into_owned());
        Err(here.err().unwrap_or(Error::OtherProcess { rank, message }))
    }

    /// Refuses processes that were started otherwise than the first; `parts` are what a job is, by their names.
    pub(crate) fn compare_jobs(&self, parts: &[(String, String)]) -> Result<(), Error> {
        let here = serde_json::to_vec(parts).unwrap_or_default();
        let all = self.group.gather_bytes(&here)?;
        let parts =
            |bytes: &Vec<u8>| -> Vec<(String, String)> { serde_json::from_slice(bytes).unwrap_or_default() };
        let first = all.first().map(parts).unwrap_or_default();
        let (mut ranks, mut names) = (Vec::new(), BTreeSet::new());
        for (rank, bytes) in all.iter().enumerate().filter(|(_, bytes)| Some(*bytes) != all.first()) {
            let own = parts(bytes);
            let odd = first.iter().filter(|part| !own.contains(part));
            let odd = odd.chain(own.iter().filter(|part| !first.contains(part)));
            names.extend(odd.map(|(name, _)| name.clone()));
            ranks.push(rank);
        }
        if ranks.is_empty() {
            return Ok(());
        }
        self.is_parting();
        let names = names.into_iter().collect::<Vec<_>>().join(", ");
        Err(Error::OtherJobs { ranks: processes(&ranks), differing: names })
    }

    /// Refuses weights that are not the same to the last bit in all processes.
    pub(crate) fn compare_weights(&self, weights: &[&Tensor], step: u64) -> Result<(), Error> {
        let begun = Instant::now();
        let hash = hash(weights).map_err(Error::torch("compare weights"))?;
        let all = self.group.gather_bytes(&hash)?;
        self.spend(begun.elapsed());
        let odd = all.iter().enumerate().filter(|(_, hash)| Some(*hash) != all.first());
        let odd: Vec<_> = odd.map(|(rank, _)| rank).collect();
        if odd.is_empty() {
            return Ok(());
        }
        self.is_parting();
        Err(Error::OtherWeights { step, ranks: processes(&odd) })
    }

    /// Takes the statistics of batch norms from the first process, whose are stored.
    pub(crate) fn share_statistics(&self, vs: &VarStore) -> Result<(), Error> {
        let failed = Error::torch("share the statistics of batch norms");
        let statistics: Vec<_> = seg_nn::buffers(vs)
            .into_iter()
            .map(|(_, tensor)| tensor)
            .filter(|tensor| tensor.kind() == Kind::Float)
            .collect();
        let _no_grad = tch::no_grad_guard();
        let flat: Result<Vec<_>, _> = statistics.iter().map(|tensor| tensor.f_reshape([-1])).collect();
        let flat = flat.and_then(|flat| Tensor::f_cat(&flat, 0)).map_err(&failed)?;
        self.group.broadcast(&flat, 0)?;
        if self.is_first() {
            return Ok(());
        }
        let mut at = 0;
        for mut tensor in statistics {
            let (size, count) = (tensor.size(), tensor.numel() as i64);
            let part = flat.f_narrow(0, at, count).and_then(|part| part.f_reshape(size));
            part.and_then(|part| tensor.f_copy_(&part)).map_err(&failed)?;
            at += count;
        }
        Ok(())
    }

    /// Adds up what all processes counted.
    pub(crate) fn add_up(&self, matrix: &mut ConfusionMatrix) -> Result<(), Error> {
        let numbers = Reduction::Sum.of_counts(&self.group, &matrix.numbers())?;
        *matrix = matrix.emptied();
        Ok(matrix.add_numbers(&numbers)?)
    }

    /// The memories of all processes, by the number that their batch has in a step: tensors to save.
    pub(crate) fn gather_memories(
        &self,
        memories: &[Option<ContrastMemory>],
    ) -> Result<BTreeMap<usize, Vec<(String, Tensor)>>, Error> {
        let mut all = BTreeMap::new();
        for (micro, memory) in memories.iter().enumerate() {
            let own = memory.as_ref().map(ContrastMemory::tensors);
            let shape = own.as_ref().map_or([0; 3], |tensors| match tensors[0].1.size()[..] {
                [b, k, features] => [b, k, features],
                _ => [0; 3],
            });
            let shapes = self.group.all_gather(&Tensor::from_slice(&shape))?; // (world, 3)
            let shape_of = |rank: usize| [0, 1, 2].map(|axis| shapes.int64_value(&[rank as i64, axis]));
            let Some(common) = (0..self.world()).map(shape_of).find(|shape| *shape != [0; 3]) else {
                continue;
            };
            let cpu = Device::Cpu;
            let (bank, seen) = match own {
                Some(own) if shape == common => (own[0].1.to_device(cpu), own[1].1.to_device(cpu)),
                _ => (
                    Tensor::zeros(common, (Kind::Float, cpu)),
                    Tensor::zeros([common[0], common[1]], (Kind::Uint8, cpu)),
                ),
            };
            // (B, K, K) and (B, K) -> (world, B, K, K) and (world, B, K)
            let banks = self.group.all_gather(&bank.to_kind(Kind::Float))?;
            let seens = self.group.all_gather(&seen)?;
            for rank in (0..self.world()).filter(|&rank| shape_of(rank) == common) {
                let [bank, seen] = [&banks, &seens].map(|all| all.get(rank as i64).copy());
                let named = ContrastMemory::named(bank, seen);
                all.insert(micro * self.world() + rank, named);
            }
        }
        Ok(all)
    }

    /// Counts time that went by because of the others.
    pub(crate) fn spend(&self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.spent.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// Time that went by because of the others, since the last call.
    pub(crate) fn take_spent(&self) -> Duration {
        Duration::from_nanos(self.spent.swap(0, Ordering::Relaxed))
    }

    /// All processes know that this is the end.
    pub(crate) fn is_parting(&self) {
        self.parting.store(true, Ordering::Relaxed);
    }

    /// Waits for the others at an end that all know of, so that what was sent arrives before this process leaves.
    pub(crate) fn part(&self) {
        if self.parting.load(Ordering::Relaxed) {
            // Whoever is gone by now had all that there was to get.
            let _left = self.group.barrier();
        }
    }

    fn timed<T>(&self, tell: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let begun = Instant::now();
        let told = tell();
        self.spend(begun.elapsed());
        told
    }
}

/// The same for one process or several: how it went, and whether to stop.
pub(crate) fn agree<T>(
    crew: Option<&Crew>,
    here: Result<T, Error>,
    wish: Verdict,
) -> Result<(T, Verdict), Error> {
    match crew {
        Some(crew) => crew.agree(here, wish),
        None => here.map(|done| (done, wish)),
    }
}

/// Processes by their numbers.
fn processes(ranks: &[usize]) -> String {
    let numbers = ranks.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    format!("{} {numbers}", if ranks.len() == 1 { "process" } else { "processes" })
}

/// A message with its causes, on one line.
fn with_causes(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// A hash of all bits of some weights.
fn hash(weights: &[&Tensor]) -> Result<[u8; 32], TchError> {
    let mut hasher = blake3::Hasher::new();
    let mut bytes = Vec::new();
    for weight in weights {
        let weight = weight.f_detach()?.f_to_device(Device::Cpu)?.f_contiguous()?;
        let count = weight.numel();
        bytes.resize(count * weight.kind().elt_size_in_bytes(), 0);
        weight.f_copy_data_u8(&mut bytes, count)?;
        hasher.update(&bytes);
    }
    Ok(*hasher.finalize().as_bytes())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::path::PathBuf;
    use std::thread;

    use seg_label::Legend;
    use seg_torch::distributed::{Rendezvous, Serves};

    use super::*;

    /// Does the same in so many threads, each a process to the others.
    fn together<T: Send>(world: usize, each: impl Fn(&Crew) -> T + Sync) -> Vec<T> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let meeting = |rank| Rendezvous {
            host: "127.0.0.1".to_owned(),
            port,
            rank,
            world,
            local_rank: None,
            local_world: None,
            cores: None,
            store: Serves::First,
            restarts: 0,
            run: "test".to_owned(),
            interface: None,
        };
        thread::scope(|scope| {
            let threads: Vec<_> = (0..world)
                .map(|rank| {
                    let (each, meeting) = (&each, meeting(rank));
                    scope.spawn(move || {
                        let group = Group::meet(&meeting, Duration::from_secs(120), &|| false).unwrap();
                        let done = each(&Crew::new(&group));
                        // Nobody leaves before the others have heard.
                        group.barrier().unwrap();
                        done
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    }

    #[test]
    fn weights_that_drifted_away_are_told_with_their_processes() {
        let found = together(3, |crew| {
            let mut weights = Tensor::from_slice(&[0.5_f32, 1.5]);
            crew.compare_weights(&[&weights], 4).unwrap();
            let part = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            crew.compare_jobs(&[part("seed", "1")]).unwrap();
            let odd = if crew.rank() == 1 { "2" } else { "1" };
            let told = crew.compare_jobs(&[part("a", "same"), part("seed", odd)]).unwrap_err().to_string();
            assert_eq!(told, "not started like process 0: process 1 (other seed)");
            if crew.rank() == 2 {
                // The smallest difference that there is.
                weights.set_data(&Tensor::from_slice(&[0.5_f32, 1.5_f32.next_up()]));
            }
            crew.compare_weights(&[&weights], 5).unwrap_err().to_string()
        });
        for told in found {
            assert_eq!(told, "after step 5 the weights of process 2 are not those of process 0");
        }
    }

    #[test]
    fn a_failure_or_a_wish_of_one_is_one_of_all() {
        let found = together(3, |crew| {
            let wish = if crew.rank() == 1 { Verdict::Stop } else { Verdict::GoOn };
            let calm = crew.agree(Ok(crew.rank()), Verdict::GoOn).unwrap();
            let stopped = crew.agree(Ok(()), wish).unwrap().1;
            let here = match crew.rank() {
                2 => Err(Error::NotResumable { path: PathBuf::from("a.safetensors") }),
                rank => Ok(rank),
            };
            let failed = crew.agree(here, Verdict::GoOn).unwrap_err();
            // There is no more to say than the others have said.
            (crew.rank(), calm, stopped, failed.to_string())
        });
        for (rank, calm, stopped, failed) in found {
            assert_eq!((calm, stopped), ((rank, Verdict::GoOn), Verdict::Stop));
            let own = "a.safetensors cannot be resumed: it holds no state of a training";
            assert_eq!(failed, if rank == 2 { own.to_owned() } else { format!("process 2 failed: {own}") });
        }
    }

    #[test]
    fn losses_are_means_and_no_number_where_one_is_none() {
        let found = together(2, |crew| {
            let rank = crew.rank() as f64;
            let losses =
                StepLosses { total: 1.0 + rank, main: rank, cpc: Some(3.0), ..StepLosses::default() };
            let (mean, ()) = crew.mean(Ok((losses, ()))).unwrap();
            let broken = StepLosses { total: if crew.is_first() { 1.0 } else { f64::NAN }, ..losses };
            (mean, crew.mean(Ok((broken, ()))).unwrap().0)
        });
        for (mean, broken) in found {
            let expected = StepLosses { total: 1.5, main: 0.5, cpc: Some(3.0), ..StepLosses::default() };
            assert_eq!(mean, expected);
            assert!(broken.total.is_nan());
        }
    }

    #[test]
    fn memories_and_counts_of_all_come_together() {
        let legend = Legend::builtin("potsdam").unwrap();
        let found = together(2, |crew| {
            let mut matrix = ConfusionMatrix::new(&legend);
            (0..=crew.rank()).for_each(|_| matrix.add(1, 2));
            matrix.add(99, 0);
            crew.add_up(&mut matrix).unwrap();
            let options = (Kind::Float, Device::Cpu);
            let bank = Tensor::full([2, 3, 3], crew.rank() as f64 + 1.0, options);
            let named = ContrastMemory::named(bank, Tensor::ones([2, 3], (Kind::Uint8, Device::Cpu)));
            let memory = ContrastMemory::from_tensors(&named.into_iter().collect(), Device::Cpu).unwrap();
            // The second batch was seen by one process, the third by none.
            let second = crew.is_first().then(|| {
                ContrastMemory::from_tensors(
                    &memory.as_ref().unwrap().tensors().into_iter().collect(),
                    Device::Cpu,
                )
                .unwrap()
                .unwrap()
            });
            let all = crew.gather_memories(&[memory, second, None]).unwrap();
            let values: Vec<_> = all
                .iter()
                .map(|(number, tensors)| (*number, tensors[0].1.double_value(&[1, 2, 2])))
                .collect();
            (matrix.count(1, 2), matrix.unknown_truth()[&99], values)
        });
        for (count, unknown, values) in found {
            assert_eq!((count, unknown), (3, 2));
            assert_eq!(values, [(0, 1.0), (1, 2.0), (2, 1.0)]);
        }
    }
}

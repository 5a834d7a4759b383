//! Where the processes of a training meet: what `torchrun` and Slurm say in environment variables.

use std::str::FromStr;

use crate::error::Error;

/// What a process is told about the others.
///
/// # Examples
/// ```
/// use seg_torch::distributed::Rendezvous;
///
/// let variables = [("WORLD_SIZE", "2"), ("RANK", "1"), ("MASTER_ADDR", "node1"), ("MASTER_PORT", "29500")];
/// let lookup = |name: &str| variables.iter().find(|v| v.0 == name).map(|v| v.1.to_owned());
/// let meeting = Rendezvous::from_lookup(lookup)?.expect("two processes");
/// assert_eq!((meeting.rank, meeting.world, meeting.port), (1, 2, 29500));
/// // A process that is told nothing is alone.
/// assert!(Rendezvous::from_lookup(|_| None)?.is_none());
/// # Ok::<(), seg_torch::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendezvous {
    /// The machine of the store that all processes find each other by.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The number of this process, from 0.
    pub rank: usize,
    /// How many there are, at least 2.
    pub world: usize,
    /// The number of this process on its machine, from 0, which chooses its GPU.
    pub local_rank: Option<usize>,
    /// How many there are on this machine.
    pub local_world: Option<usize>,
    /// Processor cores that each of them has, where Slurm was asked for them.
    pub cores: Option<usize>,
    /// Who has the store.
    pub store: Serves,
    /// How often the launcher started all processes anew.
    pub restarts: u64,
    /// What keeps a training's keys in a store that others use too.
    pub run: String,
    /// The network interface that the user wants to be used.
    pub interface: Option<String>,
}

/// Who has the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Serves {
    /// The launcher, outside of all processes.
    Launcher,
    /// The process of rank 0.
    First,
}

/// More processes than any cluster has: a slip of the finger.
const MOST: usize = 1 << 16;

impl Rendezvous {
    /// Reads the environment of this process.
    ///
    /// # Errors
    /// As [`from_lookup`](Self::from_lookup).
    pub fn from_environment() -> Result<Option<Self>, Error> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// Reads variables by their names; none where there is one process alone.
    ///
    /// `torchrun` sets `MASTER_ADDR`, `MASTER_PORT`, `RANK`, `WORLD_SIZE` and `LOCAL_RANK`. Under Slurm's `srun`, which
    /// sets `SLURM_PROCID`, `SLURM_NTASKS` and `SLURM_LOCALID`, the first two are the user's to set.
    ///
    /// # Errors
    /// When a variable is missing that belongs to others which are set, or has a value that cannot be meant.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, Error> {
        let variables = Variables(&lookup);
        let names = if variables.text("WORLD_SIZE").is_some() {
            ["WORLD_SIZE", "RANK", "LOCAL_RANK"]
        } else if variables.text("RANK").is_some() && variables.text("MASTER_ADDR").is_some() {
            return Err(missing("WORLD_SIZE", "RANK and MASTER_ADDR are"));
        } else if variables.text("SLURM_NTASKS").is_some()
            && variables.text("MASTER_ADDR").is_some()
            && variables.text("MASTER_PORT").is_some()
        {
            ["SLURM_NTASKS", "SLURM_PROCID", "SLURM_LOCALID"]
        } else {
            return Ok(None);
        };
        let [world_name, rank_name, local_name] = names;
        let world = variables.needed::<usize>(world_name, "")?;
        if world == 0 || world > MOST {
            return Err(variables.wrong(world_name, &format!("a number from 1 to {MOST}")));
        }
        if world == 1 {
            return Ok(None);
        }
        let because = format!("{world_name} is");
        let rank = variables.needed::<usize>(rank_name, &because)?;
        if rank >= world {
            return Err(
                variables.wrong(rank_name, &format!("below {world}, the number of processes ({world_name})"))
            );
        }
        let port = variables.port(&because)?;
        let launcher_serves = variables.launcher_has_store()?;
        Ok(Some(Self {
            host: variables.text("MASTER_ADDR").ok_or_else(|| missing("MASTER_ADDR", &because))?,
            port,
            rank,
            world,
            local_rank: variables.number(local_name)?,
            local_world: variables.number("LOCAL_WORLD_SIZE")?,
            cores: if local_name == "SLURM_LOCALID" {
                variables.number("SLURM_CPUS_PER_TASK")?
            } else {
                None
            },
            store: if launcher_serves { Serves::Launcher } else { Serves::First },
            restarts: variables.restarts()?,
            run: variables.run(),
            interface: variables.text("GLOO_SOCKET_IFNAME"),
        }))
    }

    /// The error that the processes did not meet.
    pub(super) fn failed(&self, reason: String) -> Error {
        Error::Meet { host: self.host.clone(), port: self.port, reason }
    }

    /// What the keys of these processes begin with: those of an earlier start are not theirs.
    pub(super) fn prefix(&self) -> String {
        format!("rs-seg/{}/{}", self.run, self.restarts)
    }
}

fn missing(name: &'static str, because: &str) -> Error {
    Error::Variable { name, problem: format!("is not set, and {because}") }
}

/// Variables by their names.
pub(super) struct Variables<'a, F>(pub(super) &'a F);

impl<F: Fn(&str) -> Option<String>> Variables<'_, F> {
    /// A variable that says something.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.0(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// How often the launcher started this process anew, 0 without a launcher that does so.
    pub(super) fn restarts(&self) -> Result<u64, Error> {
        Ok(self.number("TORCHELASTIC_RESTART_COUNT")?.unwrap_or(0))
    }

    /// What the launcher calls the training.
    pub(super) fn run(&self) -> String {
        self.text("TORCHELASTIC_RUN_ID").unwrap_or_else(|| "none".to_owned())
    }

    /// Whether the launcher has the store, outside of all processes.
    pub(super) fn launcher_has_store(&self) -> Result<bool, Error> {
        match self.text("TORCHELASTIC_USE_AGENT_STORE").as_deref() {
            None | Some("False" | "false" | "0") => Ok(false),
            Some("True" | "true" | "1") => Ok(true),
            Some(_) => Err(self.wrong("TORCHELASTIC_USE_AGENT_STORE", "True or False")),
        }
    }

    /// The port of the store.
    pub(super) fn port(&self, because: &str) -> Result<u16, Error> {
        let port = u16::try_from(self.needed::<u64>("MASTER_PORT", because)?).ok();
        let port = port.filter(|port| *port > 0);
        port.ok_or_else(|| self.wrong("MASTER_PORT", "a port from 1 to 65535"))
    }

    fn number<T: FromStr>(&self, name: &'static str) -> Result<Option<T>, Error> {
        let parse = |text: String| text.parse().map_err(|_| self.wrong(name, "a whole number"));
        self.text(name).map(parse).transpose()
    }

    fn needed<T: FromStr>(&self, name: &'static str, because: &str) -> Result<T, Error> {
        self.number(name)?.ok_or_else(|| missing(name, because))
    }

    fn wrong(&self, name: &'static str, must: &str) -> Error {
        let found = self.text(name).unwrap_or_default();
        Error::Variable { name, problem: format!("is \"{found}\", which is not {must}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TORCHRUN: [(&str, &str); 9] = [
        ("WORLD_SIZE", "4"),
        ("RANK", "3"),
        ("LOCAL_RANK", "1"),
        ("LOCAL_WORLD_SIZE", "2"),
        ("MASTER_ADDR", "10.0.0.1"),
        ("MASTER_PORT", "29501"),
        ("TORCHELASTIC_USE_AGENT_STORE", "True"),
        ("TORCHELASTIC_RESTART_COUNT", "2"),
        ("TORCHELASTIC_RUN_ID", "job7"),
    ];

    fn read(variables: &[(&str, &str)], changed: &[(&str, &str)]) -> Result<Option<Rendezvous>, Error> {
        Rendezvous::from_lookup(|name| {
            let all = || changed.iter().chain(variables);
            all().find(|variable| variable.0 == name).map(|variable| variable.1.to_owned())
        })
    }

    #[track_caller]
    fn refused(changed: &[(&str, &str)]) -> String {
        let error = read(&TORCHRUN, changed).unwrap_err();
        assert!(error.hint().is_some(), "{error}");
        error.to_string()
    }

    #[test]
    fn torchrun_tells_all() {
        let found = read(&TORCHRUN, &[("GLOO_SOCKET_IFNAME", "eth1")]).unwrap().unwrap();
        let expected = Rendezvous {
            host: "10.0.0.1".to_owned(),
            port: 29501,
            rank: 3,
            world: 4,
            local_rank: Some(1),
            local_world: Some(2),
            cores: None,
            store: Serves::Launcher,
            restarts: 2,
            run: "job7".to_owned(),
            interface: Some("eth1".to_owned()),
        };
        assert_eq!(found, expected);
        assert_eq!(found.prefix(), "rs-seg/job7/2");
    }

    #[test]
    fn by_hand_four_variables_are_enough() {
        let found = read(&TORCHRUN[..6], &[("LOCAL_RANK", ""), ("LOCAL_WORLD_SIZE", "")]).unwrap().unwrap();
        assert_eq!((found.store, found.restarts, found.local_rank), (Serves::First, 0, None));
    }

    #[test]
    fn slurm_numbers_processes_where_nobody_else_does() {
        let slurm = [
            ("SLURM_NTASKS", "3"),
            ("SLURM_PROCID", "2"),
            ("SLURM_LOCALID", "0"),
            ("SLURM_CPUS_PER_TASK", "8"),
        ];
        // A script that Slurm runs is no training of several processes.
        assert_eq!(read(&slurm, &[]).unwrap(), None);
        let master = [("MASTER_ADDR", "node1"), ("MASTER_PORT", "29500")];
        let found = read(&slurm, &master).unwrap().unwrap();
        assert_eq!((found.rank, found.world, found.local_rank, found.cores), (2, 3, Some(0), Some(8)));
        // torchrun, which srun started, knows better.
        let both = read(&TORCHRUN, &slurm).unwrap().unwrap();
        assert_eq!((both.rank, both.world, both.cores), (3, 4, None));
    }

    #[test]
    fn one_process_is_alone() {
        assert_eq!(read(&TORCHRUN, &[("WORLD_SIZE", "1"), ("RANK", "0")]).unwrap(), None);
        assert_eq!(read(&[], &[("RANK", "0")]).unwrap(), None);
    }

    #[test]
    fn values_that_cannot_be_meant_are_named() {
        for (name, value, expected) in [
            ("WORLD_SIZE", "two", "WORLD_SIZE is \"two\", which is not a whole number"),
            ("WORLD_SIZE", "0", "WORLD_SIZE is \"0\", which is not a number from 1 to 65536"),
            ("WORLD_SIZE", "", "WORLD_SIZE is not set, and RANK and MASTER_ADDR are"),
            ("RANK", "4", "RANK is \"4\", which is not below 4, the number of processes (WORLD_SIZE)"),
            ("RANK", "-1", "RANK is \"-1\", which is not a whole number"),
            ("RANK", "", "RANK is not set, and WORLD_SIZE is"),
            ("MASTER_ADDR", " ", "MASTER_ADDR is not set, and WORLD_SIZE is"),
            ("MASTER_PORT", "", "MASTER_PORT is not set, and WORLD_SIZE is"),
            ("MASTER_PORT", "0", "MASTER_PORT is \"0\", which is not a port from 1 to 65535"),
            ("MASTER_PORT", "70000", "MASTER_PORT is \"70000\", which is not a port from 1 to 65535"),
            ("LOCAL_RANK", "gpu1", "LOCAL_RANK is \"gpu1\", which is not a whole number"),
            (
                "TORCHELASTIC_USE_AGENT_STORE",
                "maybe",
                "TORCHELASTIC_USE_AGENT_STORE is \"maybe\", which is not True or False",
            ),
            (
                "TORCHELASTIC_RESTART_COUNT",
                "x",
                "TORCHELASTIC_RESTART_COUNT is \"x\", which is not a whole number",
            ),
        ] {
            assert_eq!(refused(&[(name, value)]), format!("the environment variable {expected}"));
        }
    }
}

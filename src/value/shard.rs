//! `--shard i/n`, and where a scheduler says which one it is.

use crate::diagnostic::Advice;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One of several parts of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shard {
    /// Counted from 0.
    pub index: usize,
    /// How many there are.
    #[serde(rename = "of")]
    pub count: usize,
}

/// Which part the user asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ShardArg {
    /// This one.
    Told(Shard),
    /// The one that the scheduler's environment tells, of so many, or of as many as it tells.
    Scheduled(Option<usize>),
}

/// Shards at most; more would be folders that nobody can look through.
const MOST: usize = 1_000_000;

/// What a scheduler calls the number of a task, and the number of tasks.
struct Scheduler {
    name: &'static str,
    index: &'static str,
    count: Option<&'static str>,
    /// The number of the first task, where that need not be 0.
    first: Option<&'static str>,
    /// From one task's number to the next.
    step: Option<&'static str>,
}

const SCHEDULERS: [Scheduler; 3] = [
    Scheduler {
        name: "Slurm",
        index: "SLURM_ARRAY_TASK_ID",
        count: Some("SLURM_ARRAY_TASK_COUNT"),
        first: Some("SLURM_ARRAY_TASK_MIN"),
        step: Some("SLURM_ARRAY_TASK_STEP"),
    },
    Scheduler { name: "Kubernetes", index: "JOB_COMPLETION_INDEX", count: None, first: None, step: None },
    Scheduler {
        name: "AWS Batch",
        index: "AWS_BATCH_JOB_ARRAY_INDEX",
        count: Some("AWS_BATCH_JOB_ARRAY_SIZE"),
        first: None,
        step: None,
    },
];

impl Shard {
    /// From a number that counts from 0 or from 1: the last one of the latter is the first of the former.
    const fn new(number: usize, count: usize) -> Self {
        Self { index: number % count, count }
    }

    /// What its folder is called.
    pub(crate) fn folder_name(self) -> String {
        format!("{}-of-{}", self.index, self.count)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl ShardArg {
    /// Finds out which shard it is; `variable` looks a name up in the environment.
    pub(crate) fn resolve(self, variable: impl Fn(&str) -> Option<String>) -> Result<Shard, Advice> {
        let of = match self {
            Self::Told(shard) => return Ok(shard),
            Self::Scheduled(of) => of,
        };
        let number = |name: &str| -> Result<Option<usize>, Advice> {
            let Some(text) = variable(name) else { return Ok(None) };
            let wrong = |_| {
                Advice::new(format!("{name} is `{text}`, which is no number"), "say which shard: --shard 3/8")
            };
            text.trim().parse().map(Some).map_err(wrong)
        };
        let optional = |name: Option<&str>| name.map_or(Ok(None), number);
        for Scheduler { name, index, count, first, step } in SCHEDULERS {
            let Some(task) = number(index)? else { continue };
            if let Some(of) = of {
                return if task > of {
                    let what = format!("{index} is {task}, and --shard says that there are {of}");
                    Err(Advice::new(what, "number tasks from 0 or from 1, as many as there are shards"))
                } else {
                    Ok(Shard::new(task, of))
                };
            }
            let Some(all) = optional(count)?.filter(|&all| all > 0) else {
                let what =
                    format!("{name} tells the number of the task ({index}) but not how many there are");
                return Err(Advice::new(what, "say how many: --shard auto/8"));
            };
            let (first, step) = (optional(first)?.unwrap_or(0), optional(step)?.unwrap_or(1).max(1));
            let index = task.saturating_sub(first) / step;
            if index >= all {
                let what = format!("task {task} of {name} is none of the {all} that it says there are");
                return Err(Advice::new(what, "say which shard: --shard 3/8"));
            }
            return Ok(Shard { index, count: all });
        }
        let names: Vec<_> = SCHEDULERS.iter().map(|scheduler| scheduler.index).collect();
        let what = format!("--shard auto: none of {} is set", names.join(", "));
        Err(Advice::new(what, "say which shard: --shard 3/8"))
    }
}

/// Reads `i/n`, `auto` or `auto/n`.
pub(crate) fn shard(text: &str) -> Result<ShardArg, String> {
    let wrong = || "a shard is i/n, such as 0/8 to 7/8, or auto, or auto/8".to_owned();
    let count = |text: &str| match text.parse() {
        Ok(0) | Err(_) => Err(wrong()),
        Ok(count) if count > MOST => Err(format!("there can be {MOST} shards at most")),
        Ok(count) => Ok(count),
    };
    match text.split_once('/') {
        None if text == "auto" => Ok(ShardArg::Scheduled(None)),
        Some(("auto", of)) => Ok(ShardArg::Scheduled(Some(count(of)?))),
        Some((number, of)) => {
            let (number, of): (usize, usize) = (number.parse().map_err(|_| wrong())?, count(of)?);
            if number > of {
                return Err(format!(
                    "there is no shard {number} of {of}: they are 0/{of} to {}/{of}",
                    of - 1
                ));
            }
            Ok(ShardArg::Told(Shard::new(number, of)))
        }
        None => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(text: &str, environment: &[(&str, &str)]) -> Result<String, String> {
        let variable = |name: &str| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let shard = shard(text).unwrap().resolve(variable);
        shard.map(|shard| shard.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn shards_count_from_0_and_from_1() {
        for (text, expected) in
            [("0/8", "0/8"), ("7/8", "7/8"), ("8/8", "0/8"), ("1/1", "0/1"), ("0/1", "0/1")]
        {
            assert_eq!(resolved(text, &[]), Ok(expected.to_owned()), "{text}");
        }
        for wrong in ["", "8", "9/8", "-1/8", "1/0", "auto/0", "a/b", "1/2/3", "1/9999999", "auto/"] {
            assert!(shard(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn schedulers_tell_their_task() {
        let slurm = |id| {
            [("SLURM_ARRAY_TASK_ID", id), ("SLURM_ARRAY_TASK_COUNT", "8"), ("SLURM_ARRAY_TASK_MIN", "1")]
        };
        assert_eq!(resolved("auto", &slurm("1")), Ok("0/8".to_owned()));
        assert_eq!(resolved("auto", &slurm("8")), Ok("7/8".to_owned()));
        assert!(resolved("auto", &slurm("9")).unwrap_err().contains("none of the 8"));
        let stepped = [slurm("5").as_slice(), &[("SLURM_ARRAY_TASK_STEP", "2")]].concat();
        assert_eq!(resolved("auto", &stepped), Ok("2/8".to_owned()));
        // A part of an array that is submitted again says another number of tasks, so n is better given.
        assert_eq!(resolved("auto/8", &slurm("8")), Ok("0/8".to_owned()));
        assert!(resolved("auto/4", &slurm("8")).unwrap_err().contains("there are 4"));
        assert_eq!(resolved("auto/8", &[("JOB_COMPLETION_INDEX", "3")]), Ok("3/8".to_owned()));
        assert!(resolved("auto", &[("JOB_COMPLETION_INDEX", "3")]).unwrap_err().contains("how many"));
        let aws = [("AWS_BATCH_JOB_ARRAY_INDEX", "2"), ("AWS_BATCH_JOB_ARRAY_SIZE", "5")];
        assert_eq!(resolved("auto", &aws), Ok("2/5".to_owned()));
        assert!(resolved("auto", &[]).unwrap_err().contains("SLURM_ARRAY_TASK_ID"));
        assert!(resolved("auto/2", &[("JOB_COMPLETION_INDEX", "x")]).unwrap_err().contains("no number"));
    }
}

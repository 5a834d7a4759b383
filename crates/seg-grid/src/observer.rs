/// How far a long job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done, one word, such as `infer`.
    pub stage: &'static str,
    /// Steps done.
    pub done: u64,
    /// Steps in all.
    pub total: u64,
}

/// What a long job tells its caller, and how the caller stops it.
pub trait Observer: Sync {
    /// Called from any thread, after every step.
    fn progress(&self, progress: Progress);

    /// Something the user should know that does not stop the job.
    fn warning(&self, message: &str);

    /// Whether the job should end as soon as it can.
    fn cancelled(&self) -> bool;
}

/// An observer that listens to nothing and never cancels.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn progress(&self, _: Progress) {}

    fn warning(&self, _: &str) {}

    fn cancelled(&self) -> bool {
        false
    }
}

//! Processes of one training on this machine, and what they leave.

use crate::program::command;
use crate::train::fixture::{Ground, tensors};
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Longer than any machine needs: a process that is still there then hangs.
pub(crate) const DEADLINE: Duration = Duration::from_secs(180);

/// Processes of one training.
pub(crate) struct Crew(pub Vec<Member>);

/// A process of a training.
pub(crate) struct Member {
    pub child: Child,
    stderr: Option<JoinHandle<String>>,
    stdout: Option<JoinHandle<String>>,
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// A port of this machine that nobody listens at.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// What a launcher tells a process.
pub(crate) fn told(command: &mut Command, rank: usize, world: usize, master: (&str, u16)) {
    command
        .env("MASTER_ADDR", master.0)
        .env("MASTER_PORT", master.1.to_string())
        .env("RANK", rank.to_string())
        .env("LOCAL_RANK", rank.to_string())
        .env("WORLD_SIZE", world.to_string())
        .env_remove("TORCHELASTIC_USE_AGENT_STORE")
        .env_remove("GLOO_SOCKET_IFNAME");
}

/// The command line of a training in a folder of [`Ground`], with settings and further arguments.
pub(crate) fn arguments<'a>(out: &'a str, settings: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    let begin = ["train", "--config", "tiny.toml", "--data", "chips", "--threads", "1", "--out", out];
    let settings = settings.iter().flat_map(|setting| ["--set", setting]);
    begin.into_iter().chain(settings).chain(more.iter().copied()).collect()
}

impl Member {
    /// Starts a process whose messages are read as they come.
    pub(crate) fn start(mut command: Command, folder: &Path) -> (Self, BufReader<ChildStderr>) {
        let mut child = command
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut stdout = child.stdout.take().expect("piped");
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        let read = std::thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).expect("UTF-8");
            text
        });
        (Self { child, stderr: None, stdout: Some(read) }, stderr)
    }

    /// Reads what comes from now on in the background.
    pub(crate) fn listen(&mut self, mut stderr: BufReader<ChildStderr>, begun: String) {
        self.stderr = Some(std::thread::spawn(move || {
            let mut text = begun;
            stderr.read_to_string(&mut text).expect("UTF-8");
            text
        }));
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let sent =
            Command::new("kill").args([name, &self.child.id().to_string()]).status().expect("kill runs");
        assert!(sent.success());
    }

    /// Waits for its end; one that hangs is killed and told.
    #[track_caller]
    pub(crate) fn end(mut self) -> Ended {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("waits") {
                break Some(status);
            }
            if begun.elapsed() > DEADLINE {
                break None;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        if status.is_none() {
            self.child.kill().expect("kills");
        }
        let text =
            |thread: Option<JoinHandle<String>>| thread.map_or(String::new(), |t| t.join().expect("read"));
        let (stdout, stderr) = (text(self.stdout.take()), text(self.stderr.take()));
        let status = status.unwrap_or_else(|| panic!("it hangs: {stderr}"));
        Ended { status, stdout, stderr }
    }
}

impl Crew {
    /// Starts so many processes; with `steps`, waits until the first one told so many times how it goes.
    #[track_caller]
    pub(crate) fn start(ground: &Ground, world: usize, arguments: &[&str], steps: usize) -> Self {
        Self::start_unlike(ground, world, steps, |_| arguments.to_vec())
    }

    /// The same with arguments for each.
    #[track_caller]
    pub(crate) fn start_unlike<'a>(
        ground: &Ground,
        world: usize,
        steps: usize,
        arguments: impl Fn(usize) -> Vec<&'a str>,
    ) -> Self {
        let port = free_port();
        Self::start_each(ground, world, steps, |rank| {
            let mut command = command(&arguments(rank));
            told(&mut command, rank, world, ("127.0.0.1", port));
            command
        })
    }

    /// The same with a command for each.
    #[track_caller]
    pub(crate) fn start_each(
        ground: &Ground,
        world: usize,
        steps: usize,
        command: impl Fn(usize) -> Command,
    ) -> Self {
        let (mut members, mut first) = (Vec::new(), None);
        for rank in 0..world {
            let (mut member, stderr) = Member::start(command(rank), &ground.path(""));
            if rank == 0 {
                first = Some(stderr);
            } else {
                member.listen(stderr, String::new());
            }
            members.push(member);
        }
        let (mut stderr, mut text, mut told) = (first.expect("a process"), String::new(), 0);
        while told < steps {
            let mut line = String::new();
            let read = stderr.read_line(&mut line).expect("UTF-8");
            assert!(read > 0, "the training ended before it was to be stopped: {text}");
            told += usize::from(line.starts_with("step "));
            text += &line;
        }
        members[0].listen(stderr, text);
        Self(members)
    }

    /// Waits for the end of all.
    #[track_caller]
    pub(crate) fn end(self) -> Vec<Ended> {
        self.0.into_iter().map(Member::end).collect()
    }

    /// Waits for the end of all, which did what they should.
    #[track_caller]
    pub(crate) fn succeed(self) -> Vec<Ended> {
        let ended = self.end();
        assert!(ended.iter().all(|one| one.status.success()), "{ended:?}");
        // The first alone tells anything.
        assert!(ended[1..].iter().all(|one| one.stdout.is_empty() && one.stderr.is_empty()), "{ended:?}");
        ended
    }
}

/// Trains in so many processes.
#[track_caller]
pub(crate) fn train(ground: &Ground, world: usize, out: &str, settings: &[&str], more: &[&str]) -> Ended {
    Crew::start(ground, world, &arguments(out, settings, more), 0).succeed().swap_remove(0)
}

/// Trains in one process.
#[track_caller]
pub(crate) fn train_alone(ground: &Ground, out: &str, settings: &[&str], more: &[&str]) {
    let run = ground.run(&arguments(out, settings, more));
    assert_eq!(run.code, Some(0), "{run:?}");
}

/// Asserts that the tensors of two checkpoints, as far as a name begins as told, differ by no more than a share of the
/// largest number; gives how many there are.
#[track_caller]
pub(crate) fn assert_near(ground: &Ground, [one, other]: [&str; 2], begins: &str, tolerance: f64) -> usize {
    let [one, other] = [one, other].map(|run| tensors(&ground.path(run).join("last.safetensors")));
    let learns = |name: &String| {
        let statistics = ["running_mean", "running_var", "num_batches_tracked"];
        name.starts_with(begins) && !statistics.iter().any(|end| name.ends_with(end))
    };
    let wanted: Vec<_> = one.keys().filter(|name| learns(name)).collect();
    for name in &wanted {
        let (one, other) = (&one[*name], other.get(*name).unwrap_or_else(|| panic!("{name} is missing")));
        let [one, other] = [one, other].map(|tensor| tensor.to_kind(tch::Kind::Double));
        let difference = (&one - &other).abs().max().double_value(&[]);
        let scale = one.abs().max().double_value(&[]);
        assert!(difference <= tolerance * scale + 1e-9, "{name}: {difference} of {scale}");
    }
    wanted.len()
}

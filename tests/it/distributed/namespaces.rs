//! Two machines, as far as one can be two: processes in network namespaces that a cable connects.

use super::crew::{Crew, arguments, free_port, told, train};
use crate::program::command;
use crate::train::fixture::{Ground, differing, tensors};
use std::process::Command;

/// Two namespaces and the cable between them, gone when this is dropped.
struct Machines([String; 2]);

const ADDRESSES: [&str; 2] = ["10.213.77.1", "10.213.77.2"];

fn ip(arguments: &str) -> Result<(), String> {
    let output = Command::new("ip").args(arguments.split(' ')).output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(format!("ip {arguments}: {text}")) }
}

impl Machines {
    fn new() -> Result<Self, String> {
        let id = std::process::id() % 100_000;
        let machines = Self([format!("rs-seg-{id}-0"), format!("rs-seg-{id}-1")]);
        let [one, two] = &machines.0;
        ip(&format!("netns add {one}"))?;
        ip(&format!("netns add {two}"))?;
        ip(&format!("link add rsa{id} netns {one} type veth peer name rsb{id} netns {two}"))?;
        for ((machine, cable), address) in [(one, "rsa"), (two, "rsb")].into_iter().zip(ADDRESSES) {
            ip(&format!("-n {machine} addr add {address}/24 dev {cable}{id}"))?;
            ip(&format!("-n {machine} link set {cable}{id} up"))?;
            ip(&format!("-n {machine} link set lo up"))?;
        }
        Ok(machines)
    }
}

impl Drop for Machines {
    fn drop(&mut self) {
        for machine in &self.0 {
            let _gone = ip(&format!("netns delete {machine}"));
        }
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
fn two_machines_learn_what_two_processes_do() {
    let machines = match Machines::new() {
        Ok(machines) => machines,
        Err(reason) => {
            println!("skipped: no network namespaces here: {reason}");
            return;
        }
    };
    let ground = Ground::new();
    let settings = ["train.steps=4", "train.log-every=1", "train.validate-every=4"];
    train(&ground, 2, "here", &settings, &[]);
    let (port, arguments) = (free_port(), arguments("apart", &settings, &["--dist-timeout", "60s"]));
    let start = |steps: usize, more: &[&str]| {
        let arguments = [&arguments[..], more].concat();
        Crew::start_each(&ground, 2, steps, |rank| {
            let inner = command(&arguments);
            let mut outer = Command::new("ip");
            outer.args(["netns", "exec", &machines.0[rank]]).arg(inner.get_program()).args(inner.get_args());
            for (name, value) in inner.get_envs() {
                match value {
                    Some(value) => outer.env(name, value),
                    None => outer.env_remove(name),
                };
            }
            told(&mut outer, rank, 2, (ADDRESSES[0], port));
            // Each is the only one of its machine.
            outer.env("LOCAL_RANK", "0");
            outer
        })
    };
    start(0, &[]).succeed();
    let [here, apart] = ["here", "apart"].map(|run| tensors(&ground.path(run).join("last.safetensors")));
    assert_eq!(differing(&here, &apart), Vec::<String>::new());

    // A cable that is cut closes no connection.
    let short = ["--overwrite", "--set", "train.steps=100000"];
    let at = arguments.iter().position(|argument| *argument == "60s").expect("the timeout");
    let mut cut = arguments.clone();
    cut[at] = "20s";
    let cut = [&cut[..], &short].concat();
    let crew = Crew::start_each(&ground, 2, 2, |rank| {
        let inner = command(&cut);
        let mut outer = Command::new("ip");
        outer.args(["netns", "exec", &machines.0[rank]]).arg(inner.get_program()).args(inner.get_args());
        outer.env("CUDA_VISIBLE_DEVICES", "-1");
        told(&mut outer, rank, 2, (ADDRESSES[0], port));
        outer
    });
    let id = std::process::id() % 100_000;
    ip(&format!("-n {} link set rsb{id} down", machines.0[1])).expect("cuts the cable");
    for one in crew.end() {
        assert_eq!(one.status.code(), Some(1), "{one:?}");
        assert!(one.stderr.contains("was lost while"), "{one:?}");
    }
}

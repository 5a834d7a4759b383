//! Processes that compute as one, here as threads of one process: c10d knows no difference.

use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use seg_torch::Error;
use seg_torch::distributed::{
    Group, JointStatistics, Launcher, LauncherStore, Reducer, Reduction, Rendezvous, Serves, joint_batch_norm,
};
use tch::{Device, IndexOp as _, Kind, Tensor};

const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);
/// Generous: nothing here waits for it unless something is wrong.
const LONG: Duration = Duration::from_secs(120);

fn meeting(port: u16, rank: usize, world: usize) -> Rendezvous {
    Rendezvous {
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
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

fn meet(meeting: &Rendezvous, timeout: Duration) -> Result<Arc<Group>, Error> {
    Group::meet(meeting, timeout, &|| false)
}

/// What `torchrun` says of its store.
fn launcher_store(port: u16, run: &str) -> LauncherStore {
    let found = |name: &str| match name {
        "MASTER_ADDR" => Some("127.0.0.1".to_owned()),
        "MASTER_PORT" => Some(port.to_string()),
        "TORCHELASTIC_USE_AGENT_STORE" => Some("True".to_owned()),
        "TORCHELASTIC_RUN_ID" => Some(run.to_owned()),
        _ => None,
    };
    Launcher::from_lookup(found).expect("it is read").store.expect("a store")
}

/// Does the same in so many threads, and gives what each returns in the order of ranks.
fn together<T: Send>(world: usize, each: impl Fn(&Arc<Group>) -> T + Sync) -> Vec<T> {
    let port = free_port();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..world)
            .map(|rank| {
                let each = &each;
                scope.spawn(move || each(&meet(&meeting(port, rank, world), LONG).expect("all come")))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("ends")).collect()
    })
}

fn values(tensor: &Tensor) -> Vec<f32> {
    Vec::try_from(tensor.flatten(0, -1)).expect("floats")
}

#[track_caller]
fn assert_close(one: &Tensor, other: &Tensor, tolerance: f64) {
    let difference = (one - other).abs().max().double_value(&[]);
    let scale = other.abs().max().double_value(&[]).max(1e-3);
    assert!(difference <= tolerance * scale, "{difference} of {scale}");
}

#[test]
fn what_one_says_reaches_all() {
    let found = together(3, |group| {
        let rank = group.rank();
        let reduced = [Reduction::Sum, Reduction::Max, Reduction::Min].map(|reduction| {
            let tensor = Tensor::from_slice(&[rank as f32, 1.0]);
            group.all_reduce(&tensor, reduction).unwrap();
            values(&tensor)
        });
        let sent = Tensor::from_slice(&[rank as f32 + 7.0]);
        group.broadcast(&sent, 1).unwrap();
        let gathered = group.all_gather(&Tensor::from_slice(&[rank as f32])).unwrap();
        assert_eq!(gathered.size(), [3, 1]);
        let bytes = group.gather_bytes(&vec![rank as u8; rank]).unwrap();
        // More than a float can count.
        let counts = Reduction::Sum.of_counts(group, &[1 << 60, rank as u64]).unwrap();
        group.barrier().unwrap();
        (reduced, values(&sent), values(&gathered), bytes, counts, group.world())
    });
    for (reduced, sent, gathered, bytes, counts, world) in found {
        assert_eq!(reduced, [vec![3.0, 3.0], vec![2.0, 1.0], vec![0.0, 1.0]]);
        assert_eq!((sent, gathered), (vec![8.0], vec![0.0, 1.0, 2.0]));
        assert_eq!(bytes, [vec![], vec![1], vec![2, 2]]);
        assert_eq!((counts, world), (vec![3 << 60, 3], 3));
    }
}

/// A network of two layers, one of which is not used by all, and one by none.
fn weights(seed: usize) -> Vec<Tensor> {
    let weight = |number: usize| {
        let values: Vec<_> =
            (0..12).map(|i| ((i * 7 + number * 31 + seed * 5) as f32 * 0.37).sin()).collect();
        Tensor::from_slice(&values).view([3, 4]).set_requires_grad(true)
    };
    (0..4).map(weight).collect()
}

fn loss(weights: &[Tensor], rank: usize, micro: usize) -> Tensor {
    let x = Tensor::arange(3, FLOAT) + (rank * 2 + micro) as f64;
    let hidden = x.matmul(&weights[0]).tanh(); // (4)
    let mut sum = hidden.dot(&weights[1].i(0));
    if rank == 0 {
        sum += weights[2].square().sum(Kind::Float);
    }
    sum
}

#[test]
fn gradients_are_averaged_over_all_batches_of_all() {
    // What one process has that does all of it.
    let alone = weights(0);
    for rank in 0..2 {
        for micro in 0..2 {
            (loss(&alone, rank, micro) * 0.25).backward();
        }
    }
    let found = together(2, |group| {
        // Only the first one's weights count.
        let weights = weights(group.rank());
        let reducer = Reducer::new(group, &weights.iter().collect::<Vec<_>>()).unwrap();
        let mut steps = Vec::new();
        for _ in 0..3 {
            for micro in 0..2 {
                let loss = loss(&weights, group.rank(), micro) * 0.5;
                if micro == 1 {
                    reducer.prepare(&loss).unwrap();
                }
                reducer.backward(&loss).unwrap();
            }
            assert!(reducer.waited() < LONG);
            let gradients = reducer.take_gradients().unwrap();
            assert!(weights.iter().all(|weight| !weight.grad().defined()));
            steps.push(gradients);
        }
        steps
    });
    for gradients in found.iter().flatten() {
        for (found, expected) in gradients.iter().zip(&alone).take(3) {
            assert_close(found, &expected.grad(), 1e-6);
        }
        assert!(!gradients[3].defined(), "no process used it");
    }
    for (one, other) in found[0].iter().flatten().zip(found[1].iter().flatten()) {
        assert!(!one.defined() || one.equal(other));
    }
}

#[test]
fn a_joint_batch_norm_is_that_of_the_joined_batch() {
    // Made anew in each thread: tensors are not shared between them.
    let input = || {
        let input: Vec<_> = (0..6 * 3 * 5 * 4).map(|i| (i as f32 * 0.71).sin() * 3.0 + 100.0).collect();
        Tensor::from_slice(&input).view([6, 3, 5, 4]) // (B, C, H, W)
    };
    let target = || (input() * 1.7).cos();
    let parameters = || {
        let weight = Tensor::from_slice(&[0.5_f32, -1.0, 2.0]).set_requires_grad(true);
        let bias = Tensor::from_slice(&[0.1_f32, 0.2, 0.3]).set_requires_grad(true);
        (weight, bias, Tensor::zeros([3], FLOAT), Tensor::ones([3], FLOAT))
    };
    let (weight, bias, mean, variance) = parameters();
    let whole = input().set_requires_grad(true);
    let expected =
        whole.batch_norm(Some(&weight), Some(&bias), Some(&mean), Some(&variance), true, 0.1, 1e-5, true);
    (&expected - target()).square().sum(Kind::Float).backward();
    for world in [2_i64, 3] {
        let part = |rank: i64, of: &Tensor| of.narrow(0, rank * 6 / world, 6 / world);
        let found = together(world as usize, |group| {
            let rank = group.rank() as i64;
            let (weight, bias, mean, variance) = parameters();
            let own = part(rank, &input()).copy().set_requires_grad(true);
            let compute = || joint_batch_norm(&own, (&weight, &bias), (&mean, &variance), 0.1, 1e-5).unwrap();
            assert!(compute().is_none(), "nobody asked for it");
            let joint = JointStatistics::of(group);
            let ys = compute().expect("asked for");
            drop(joint);
            (&ys - part(rank, &target())).square().sum(Kind::Float).backward();
            for gradient in [weight.grad(), bias.grad()] {
                group.all_reduce(&gradient, Reduction::Sum).unwrap();
            }
            [ys.detach(), own.grad(), weight.grad(), bias.grad(), mean, variance]
        });
        for (rank, [ys, dx, dw, db, running_mean, running_variance]) in found.into_iter().enumerate() {
            let rank = rank as i64;
            assert_close(&ys, &part(rank, &expected.detach()), 1e-5);
            assert_close(&dx, &part(rank, &whole.grad()), 1e-4);
            assert_close(&dw, &weight.grad(), 1e-4);
            assert_close(&db, &bias.grad(), 1e-4);
            assert_close(&running_mean, &mean, 1e-6);
            assert_close(&running_variance, &variance, 1e-5);
        }
    }
}

#[test]
fn one_that_does_not_come_is_named() {
    let begun = Instant::now();
    let error = meet(&meeting(free_port(), 0, 3), Duration::from_secs(1)).unwrap_err();
    assert!(matches!(&error, Error::Missing { ranks, world: 3, .. } if ranks == "1, 2"), "{error}");
    assert!(error.to_string().contains("did not come within 1 s: 1, 2") && error.hint().is_some());
    assert!(begun.elapsed() < LONG);
    // Where the first one is not there, there is no store.
    let error = meet(&meeting(free_port(), 1, 2), Duration::from_secs(1)).unwrap_err();
    assert!(matches!(error, Error::Meet { .. }) && error.hint().is_some(), "{error}");
}

#[test]
fn what_listens_and_never_answers_is_not_waited_for_forever() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let begun = Instant::now();
    let error = meet(&meeting(port, 1, 2), Duration::from_secs(1)).unwrap_err();
    assert!(matches!(error, Error::Meet { .. }) && error.hint().is_some(), "{error}");
    // Whoever does not want to wait need not.
    let error = Group::meet(&meeting(port, 1, 2), LONG, &|| true).unwrap_err();
    assert!(matches!(error, Error::Cancelled { .. }), "{error}");
    let error = launcher_store(port, "job").launch(Duration::from_secs(1), &|| false).unwrap_err();
    assert!(matches!(error, Error::Meet { .. }), "{error}");
    assert!(begun.elapsed() < LONG);
}

#[test]
fn a_launch_has_one_name_as_long_as_its_store_lives() {
    // Any store will do, here that of a process that waits for others.
    let port = free_port();
    let names = thread::scope(|scope| {
        let all = ["job", "job", "other"].map(|run| {
            let store = launcher_store(port, run);
            scope.spawn(move || store.launch(LONG, &|| false).unwrap())
        });
        // The second one comes when all have their names.
        let first = scope.spawn(|| meet(&meeting(port, 0, 2), LONG).unwrap());
        let names = all.map(|one| one.join().expect("ends"));
        let second = meet(&meeting(port, 1, 2), LONG).unwrap();
        let first = first.join().expect("ends");
        drop((first, second));
        names
    });
    let [one, again, other] = names;
    assert_eq!(one, again);
    assert_ne!(one, other);
}

#[test]
fn one_that_is_lost_is_an_error_and_taking_apart_does_not_wait() {
    let found = together(2, |group| {
        let tensor = Tensor::ones([4], FLOAT);
        group.all_reduce(&tensor, Reduction::Sum).unwrap();
        if group.rank() == 1 {
            // Its connections close with it.
            return None;
        }
        let weights = weights(0);
        let error = Reducer::new(group, &weights.iter().collect::<Vec<_>>()).unwrap_err();
        let again = group.barrier().unwrap_err();
        assert!(matches!(again, Error::PeerLost { .. }), "{again}");
        Some((error, Instant::now()))
    });
    let (error, failed) = found.into_iter().flatten().next().unwrap();
    assert!(matches!(error, Error::PeerLost { .. }) && error.hint().is_some(), "{error}");
    assert!(failed.elapsed() < Duration::from_secs(30));
}

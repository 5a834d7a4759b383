use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Hands out numbers to threads and gives their results back in order, with no more than `capacity` in between.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    /// Told when there is room, or an end.
    room: Condvar,
    /// Told when there is a result, or an end.
    result: Condvar,
    capacity: u64,
}

#[derive(Debug)]
struct State<T> {
    /// The next number to hand out.
    next: u64,
    /// The next result to give back.
    first: u64,
    done: BTreeMap<u64, T>,
    closed: bool,
}

impl<T> Queue<T> {
    pub(crate) const fn new(first: u64, capacity: u64) -> Self {
        let state = State { next: first, first, done: BTreeMap::new(), closed: false };
        Self { state: Mutex::new(state), room: Condvar::new(), result: Condvar::new(), capacity }
    }

    /// The next number to work on, after waiting for room; `None` at the end.
    pub(crate) fn take(&self) -> Option<u64> {
        let full = |state: &mut State<T>| !state.closed && state.next - state.first >= self.capacity;
        let mut state = self.room.wait_while(self.lock(), full).unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return None;
        }
        state.next += 1;
        Some(state.next - 1)
    }

    /// Brings the result of a number.
    pub(crate) fn put(&self, number: u64, result: T) {
        self.lock().done.insert(number, result);
        self.result.notify_all();
    }

    /// The next result, after waiting for it; `None` at the end.
    pub(crate) fn next(&self) -> Option<(u64, T)> {
        let missing = |state: &mut State<T>| !state.closed && !state.done.contains_key(&state.first);
        let mut state = self.result.wait_while(self.lock(), missing).unwrap_or_else(PoisonError::into_inner);
        let first = state.first;
        let result = state.done.remove(&first)?;
        state.first += 1;
        drop(state);
        self.room.notify_one();
        Some((first, result))
    }

    /// Ends all waiting.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.room.notify_all();
        self.result.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_no_more_than_fit_are_handed_out() {
        let queue = Queue::new(5, 2);
        assert_eq!((queue.take(), queue.take()), (Some(5), Some(6)));
        queue.put(6, "b");
        queue.put(5, "a");
        assert_eq!(queue.next(), Some((5, "a")));
        assert_eq!(queue.take(), Some(7));
        assert_eq!(queue.next(), Some((6, "b")));
        queue.close();
        assert_eq!((queue.take(), queue.next()), (None, None));
    }

    #[test]
    fn closing_wakes_who_waits() {
        let queue = Queue::<()>::new(0, 1);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| queue.next());
            let working = scope.spawn(|| (queue.take(), queue.take()));
            queue.close();
            assert_eq!(waiting.join().expect("ends"), None);
            assert_eq!(working.join().expect("ends").1, None);
        });
    }
}

//! How something is given to who waits for it, time and again in the same place.

#[cfg(not(all(test, shuttle)))]
use std::sync::{Mutex, MutexGuard};
use std::{
    sync::{Arc, PoisonError},
    task::{Context, Poll, Waker},
};

#[cfg(all(test, shuttle))]
use shuttle::sync::{Mutex, MutexGuard};

/// Where one gives something, and the other one takes it. The one who waits makes a [`Giver`], and the next one only when that was used.
pub(super) struct Handover<T>(Mutex<Place<T>>);

enum Place<T> {
    /// With what wakes the one who waits.
    Empty(Option<Waker>),
    Full(T),
    /// One of the two is gone.
    Closed,
}

/// What was given and not taken, or what wakes the one who waits.
type Remains<T> = (Option<T>, Option<Waker>);

impl<T> Default for Handover<T> {
    fn default() -> Self {
        Self(Mutex::new(Place::Empty(None)))
    }
}

impl<T> Handover<T> {
    /// Takes what was given; `None` if nothing will be.
    pub(super) fn poll_taken(&self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut place = self.place();
        let known = match std::mem::replace(&mut *place, Place::Empty(None)) {
            Place::Empty(known) => known,
            Place::Full(thing) => return Poll::Ready(Some(thing)),
            Place::Closed => {
                *place = Place::Closed;
                return Poll::Ready(None);
            }
        };
        let (waker, other) = match known {
            Some(known) if known.will_wake(cx.waker()) => (known, None),
            other => (cx.waker().clone(), other),
        };
        *place = Place::Empty(Some(waker));
        drop(place);
        // Outside of the lock: a waker may hold what others have put into it.
        drop(other);
        Poll::Pending
    }

    /// Ends it; gives what is left there.
    fn close(&self) -> Remains<T> {
        match std::mem::replace(&mut *self.place(), Place::Closed) {
            Place::Empty(waker) => (None, waker),
            Place::Full(thing) => (Some(thing), None),
            Place::Closed => (None, None),
        }
    }

    /// Nothing is taken any more; gives back what would have been.
    pub(super) fn leave(&self) -> Option<T> {
        self.close().0
    }

    fn place(&self) -> MutexGuard<'_, Place<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end that gives, once. Dropped before, it tells the one who waits that nothing will come.
pub(super) struct Giver<T>(Option<Arc<Handover<T>>>);

impl<T> Giver<T> {
    pub(super) fn new(handover: Arc<Handover<T>>) -> Self {
        Self(Some(handover))
    }

    /// Gives a thing; an error with the thing if nobody waits any more.
    pub(super) fn give(mut self, thing: T) -> Result<(), T> {
        let Some(handover) = self.0.take() else {
            return Err(thing);
        };
        let mut place = handover.place();
        let Place::Empty(waker) = &mut *place else {
            return Err(thing);
        };
        let waker = waker.take();
        *place = Place::Full(thing);
        drop(place);
        // Outside of the lock: whoever is woken may look at once.
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }
}

impl<T> Drop for Giver<T> {
    fn drop(&mut self) {
        let left = self.0.as_ref().map(|handover| handover.close());
        if let Some((_, Some(waker))) = left {
            waker.wake();
        }
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        task::Wake,
    };

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Woken {
        fn look<T>(self: &Arc<Self>, handover: &Handover<T>) -> Poll<Option<T>> {
            handover.poll_taken(&mut Context::from_waker(&Waker::from(Arc::clone(self))))
        }

        fn count(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn what_is_given_is_taken_once_and_wakes_who_waits() {
        let (handover, woken) = (Arc::new(Handover::default()), Arc::new(Woken::default()));
        for round in 1..=3 {
            let giver = Giver::new(Arc::clone(&handover));
            assert_eq!(woken.look(&handover), Poll::Pending);
            assert_eq!(woken.look(&handover), Poll::Pending);
            assert_eq!(giver.give(round), Ok(()));
            assert_eq!(woken.count(), round);
            assert_eq!(woken.look(&handover), Poll::Ready(Some(round)));
        }
        // Nobody waits yet.
        assert_eq!(Giver::new(Arc::clone(&handover)).give(4), Ok(()));
        assert_eq!(woken.look(&handover), Poll::Ready(Some(4)));
        assert_eq!(woken.look(&handover), Poll::Pending);
        assert_eq!(woken.count(), 3);
    }

    #[test]
    fn the_one_who_looked_last_is_woken() {
        let handover = Arc::new(Handover::default());
        let [first, last] = [(); 2].map(|()| Arc::new(Woken::default()));
        assert_eq!(first.look(&handover), Poll::Pending);
        assert_eq!(last.look(&handover), Poll::Pending);
        assert_eq!(Giver::new(handover).give(1), Ok(()));
        assert_eq!((first.count(), last.count()), (0, 1));
    }

    #[test]
    fn who_waits_hears_that_the_giver_is_gone() {
        let (handover, woken) = (Arc::new(Handover::<u8>::default()), Arc::new(Woken::default()));
        assert_eq!(woken.look(&handover), Poll::Pending);
        drop(Giver::new(Arc::clone(&handover)));
        assert_eq!(woken.count(), 1);
        assert_eq!(woken.look(&handover), Poll::Ready(None));
    }

    #[test]
    fn what_nobody_takes_any_more_is_given_back() {
        let handover = Arc::new(Handover::default());
        assert_eq!(handover.leave(), None);
        assert_eq!(Giver::new(Arc::clone(&handover)).give(1), Err(1));

        let handover = Arc::new(Handover::default());
        assert_eq!(Giver::new(Arc::clone(&handover)).give(1), Ok(()));
        assert_eq!(handover.leave(), Some(1));
    }
}

/// In many interleavings: every lock is a place where the other thread may go on. Who waits for ever is a failure, too.
#[cfg(all(test, shuttle))]
mod interleaved {
    use std::future::poll_fn;

    use shuttle::{check_random, future::block_on, thread};

    use super::*;

    const SCHEDULES: usize = 20_000;

    fn taken(handover: &Handover<u8>) -> Option<u8> {
        block_on(poll_fn(|cx| handover.poll_taken(cx)))
    }

    #[test]
    fn what_is_given_reaches_the_one_who_waits() {
        check_random(
            || {
                let handover = Arc::new(Handover::default());
                for thing in 1..=2 {
                    let giver = Giver::new(Arc::clone(&handover));
                    let gives = thread::spawn(move || giver.give(thing).is_ok());
                    assert_eq!(taken(&handover), Some(thing));
                    assert!(gives.join().unwrap());
                }
            },
            SCHEDULES,
        );
    }

    #[test]
    fn who_waits_hears_of_a_giver_that_goes() {
        check_random(
            || {
                let handover = Arc::new(Handover::default());
                let giver = Giver::new(Arc::clone(&handover));
                let goes = thread::spawn(move || drop(giver));
                assert_eq!(taken(&handover), None);
                goes.join().unwrap();
            },
            SCHEDULES,
        );
    }

    #[test]
    fn what_is_given_to_one_who_goes_is_with_one_of_the_two() {
        check_random(
            || {
                let handover = Arc::new(Handover::default());
                let giver = Giver::new(Arc::clone(&handover));
                let gives = thread::spawn(move || giver.give(1).err());
                let looks = thread::spawn({
                    let handover = Arc::clone(&handover);
                    move || block_on(poll_fn(|cx| Poll::Ready(handover.poll_taken(cx).is_ready())))
                });
                let was_taken = looks.join().unwrap();
                let left = handover.leave();
                let given_back = gives.join().unwrap();
                let places = [was_taken, left.is_some(), given_back.is_some()];
                assert_eq!(places.into_iter().filter(|is_there| *is_there).count(), 1);
            },
            SCHEDULES,
        );
    }
}

//! Random numbers for the library's own decisions.

use std::hash::{BuildHasher, RandomState};

/// Uniform random number from 0 to below 1. Outsiders can't predict it, because std draws the keys of its hash maps at random.
pub(crate) fn random() -> f64 {
    #[cfg(any(test, feature = "testing"))]
    if let Some(number) = replaced::draw() {
        return number;
    }
    let bits = RandomState::new().hash_one(0_u8);
    // 53 bits are the precision of a double.
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(any(test, feature = "testing"))]
pub(crate) use replaced::Replaced;

#[cfg(any(test, feature = "testing"))]
mod replaced {
    use std::cell::RefCell;

    thread_local! {
        static SOURCE: RefCell<Option<Box<dyn Fn() -> f64>>> = const { RefCell::new(None) };
    }

    /// Guard that replaces the source of random numbers on this thread until it is dropped.
    pub(crate) struct Replaced(());

    impl Replaced {
        pub(crate) fn by(source: impl Fn() -> f64 + 'static) -> Self {
            SOURCE.with_borrow_mut(|current| *current = Some(Box::new(source)));
            Self(())
        }
    }

    impl Drop for Replaced {
        fn drop(&mut self) {
            SOURCE.with_borrow_mut(|current| *current = None);
        }
    }

    pub(super) fn draw() -> Option<f64> {
        SOURCE.with_borrow(|source| source.as_ref().map(|draw| draw()))
    }
}

//! Pauses between repetitions.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(15);

/// Exponential backoff: each pause is between a half and the whole of a limit, which doubles up to 15 s.
#[derive(Debug)]
pub(super) struct Backoff {
    limit: Duration,
}

impl Backoff {
    pub(super) const fn new() -> Self {
        Self { limit: FIRST }
    }

    /// Next pause; at least the one that the server asks for.
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let half = self.limit / 2;
        // Clients that lost the same server must not come back at the same moment.
        let jitter = uuid::Uuid::new_v4().as_u128() % half.as_nanos().max(1);
        let jitter = Duration::from_nanos(u64::try_from(jitter).unwrap_or_default());
        self.limit = (self.limit * 2).min(LONGEST);
        (half + jitter).max(asked.unwrap_or_default().min(4 * LONGEST))
    }
}

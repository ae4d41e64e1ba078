//! Tokens that let browsers in, and the browsers that are in.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Origin;

/// Tokens that wait for their use; an older one is void.
const TOKENS: usize = 256;
/// Browsers that have logged out; when there are more, all have to be let in anew.
const BROWSERS: usize = 4096;
/// Lengths of a cookie's parts: the random name of the browser, and the time at which it was let in.
const PARTS: (usize, usize) = (64, 16);
/// Time for which a cookie is good.
pub(super) const AGE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Tokens that let browsers in, and the browsers that are in.
pub(crate) struct Access {
    /// Origins besides the loopback interface.
    pub(super) origins: Vec<Origin>,
    secret: Vec<u8>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Hashes of tokens, the oldest first.
    tokens: VecDeque<[u8; 32]>,
    /// Hashes of the cookies of browsers that have logged out.
    out: HashSet<[u8; 32]>,
    /// Number of times that all browsers were put out.
    round: u64,
}

impl Access {
    pub(crate) fn new(origins: Vec<Origin>, secret: Option<Vec<u8>>) -> Self {
        let secret = secret.unwrap_or_else(|| random().into_bytes());
        Self {
            origins,
            secret,
            state: Mutex::default(),
        }
    }

    /// Address of a page with a new token in its fragment.
    pub(crate) fn link(&self, page: &str) -> String {
        let token = random();
        let mut state = self.state();
        if state.tokens.len() >= TOKENS {
            state.tokens.pop_front();
        }
        state.tokens.push_back(hash(&[token.as_bytes()]));
        format!("{page}#token={token}")
    }

    /// Takes a token, which is void from now on; returns the value of a new cookie.
    pub(crate) fn enter(&self, token: &str) -> Option<String> {
        self.enter_at(token, now())
    }

    fn enter_at(&self, token: &str, now: Duration) -> Option<String> {
        let token = hash(&[token.as_bytes()]);
        let mut state = self.state();
        let place = state.tokens.iter().position(|known| *known == token)?;
        state.tokens.remove(place);
        let round = state.round;
        drop(state);
        let browser = format!("{}{:016x}", random(), now.as_secs());
        let proof = self.proof(&browser, round);
        Some(format!("{browser}{proof}"))
    }

    /// True if a cookie was given by this server, or by an earlier one with the same secret, and is still good.
    pub(crate) fn is_in(&self, cookie: &str) -> bool {
        self.is_in_at(cookie, now())
    }

    fn is_in_at(&self, cookie: &str, now: Duration) -> bool {
        // Each part has a fixed length, so that no other parts have the same hash.
        let (name, time) = PARTS;
        let Some((browser, proof)) = cookie.split_at_checked(name + time) else {
            return false;
        };
        let state = self.state();
        let is_genuine = hash(&[proof.as_bytes()]) == hash(&[self.proof(browser, state.round).as_bytes()]);
        let since = browser.get(name..).and_then(|time| u64::from_str_radix(time, 16).ok());
        let is_recent = since.is_some_and(|since| now.saturating_sub(Duration::from_secs(since)) < AGE);
        is_genuine && is_recent && !state.out.contains(&hash(&[cookie.as_bytes()]))
    }

    /// Voids a cookie.
    pub(crate) fn leave(&self, cookie: &str) {
        let mut state = self.state();
        if state.out.len() >= BROWSERS {
            state.out.clear();
            state.round += 1;
        }
        state.out.insert(hash(&[cookie.as_bytes()]));
    }

    fn proof(&self, browser: &str, round: u64) -> String {
        let parts: [&[u8]; 4] = [
            b"async-tool-inspector",
            &hash(&[&self.secret]),
            &round.to_be_bytes(),
            browser.as_bytes(),
        ];
        hash(&parts).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// 244 random bits, in hexadecimal.
fn random() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_lets_one_browser_in_once() {
        let access = Access::new(Vec::new(), None);
        let link = access.link("http://127.0.0.1:4000/");
        let (_, token) = link.split_once("#token=").unwrap();
        assert_eq!(token.len(), 64);
        let cookie = access.enter(token).unwrap();
        assert!(access.is_in(&cookie));
        assert_eq!(access.enter(token), None);
        assert_eq!(access.enter(""), None);
    }

    #[test]
    fn only_the_whole_cookie_counts_and_only_until_the_browser_leaves() {
        let access = Access::new(Vec::new(), None);
        let link = access.link("");
        let cookie = access.enter(&link["#token=".len()..]).unwrap();
        for wrong in [
            "",
            "é",
            &cookie[..80],
            &cookie[..143],
            &format!("{cookie}0"),
            &"0".repeat(144),
        ] {
            assert!(!access.is_in(wrong), "{wrong}");
        }
        for place in 0..cookie.len() {
            let mut other = cookie.clone().into_bytes();
            other[place] = if other[place] == b'0' { b'1' } else { b'0' };
            assert!(!access.is_in(std::str::from_utf8(&other).unwrap()), "{place}");
        }
        access.leave(&cookie);
        assert!(!access.is_in(&cookie));
    }

    #[test]
    fn a_cookie_outlives_the_process_only_with_the_same_secret() {
        let secret = || Some(b"0123456789abcdef0123456789abcdef".to_vec());
        let (one, same, other) = (
            Access::new(Vec::new(), secret()),
            Access::new(Vec::new(), secret()),
            Access::new(Vec::new(), None),
        );
        let cookie = one.enter(&one.link("")["#token=".len()..]).unwrap();
        assert!(same.is_in(&cookie));
        assert!(!other.is_in(&cookie));
    }

    #[test]
    fn a_cookie_is_good_for_thirty_days() {
        let access = Access::new(Vec::new(), None);
        let day = |day: u64| Duration::from_secs(1_800_000_000 + day * 24 * 60 * 60);
        let cookie = access.enter_at(&access.link("")["#token=".len()..], day(0)).unwrap();
        assert!(access.is_in_at(&cookie, day(29)));
        assert!(!access.is_in_at(&cookie, day(30)));
        let later = format!("{}{:016x}{}", &cookie[..64], day(20).as_secs(), &cookie[80..]);
        assert!(!access.is_in_at(&later, day(40)), "the time is part of the proof");
    }

    #[test]
    fn a_browser_that_has_left_stays_out_however_many_leave() {
        let access = Access::new(Vec::new(), None);
        let enter = || access.enter(&access.link("")["#token=".len()..]).unwrap();
        let cookies: Vec<String> = (0..=BROWSERS).map(|_| enter()).collect();
        for cookie in &cookies {
            access.leave(cookie);
        }
        assert!(cookies.iter().all(|cookie| !access.is_in(cookie)));
        assert!(access.is_in(&enter()));
    }

    #[test]
    fn the_oldest_of_too_many_tokens_is_void() {
        let access = Access::new(Vec::new(), None);
        let links: Vec<String> = (0..=TOKENS).map(|_| access.link("")).collect();
        assert_eq!(access.enter(&links[0]["#token=".len()..]), None);
        assert!(access.enter(&links[1]["#token=".len()..]).is_some());
    }
}

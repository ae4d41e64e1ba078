//! Admission of requests.
//!
//! # Invariants
//!
//! 1. Nothing of a session is readable without a cookie, and a cookie is given only for a token. So other users of the machine see
//!    nothing, although they can connect to its loopback interface.
//! 2. A token lets one browser in, once. So a token in a log or a history is worth nothing afterwards.
//! 3. The `Host` of a request is a name of the loopback interface, or one that the host has set. So a page of another site can't reach the
//!    server through a name that it lets point here (DNS rebinding).
//! 4. The `Origin` of a request is the server's own. A cookie isn't bound to a port, and `SameSite` ignores ports, so neither keeps a page
//!    of another server of this machine out.
//! 5. A cookie is good for thirty days, and until its browser logs out.
//! 6. Tokens and cookies are compared by their hashes, and kept as hashes.

pub(crate) mod cookie;
mod door;
mod guard;
mod origin;
mod target;

pub(crate) use door::Access;
pub(crate) use guard::{check_api, check_host, security_headers};
pub(crate) use origin::Origin;

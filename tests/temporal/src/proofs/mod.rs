//! The proofs, one function each. A proof returns what it has measured, or says what was wrong.

pub(crate) mod agents;
pub(crate) mod cancel;
pub(crate) mod figures;
pub(crate) mod limits;
pub(crate) mod outages;
pub(crate) mod starts;
pub(crate) mod suite;
pub(crate) mod workers;

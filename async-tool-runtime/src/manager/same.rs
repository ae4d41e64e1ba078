//! Open calls that must be unique.

use std::{collections::HashMap, sync::Arc};

use super::TaskCell;
use crate::policy::{CallKey, Dedupe};

/// Open calls of tools with `dedupe = "reject"` or `"replace"`.
#[derive(Default)]
pub(super) struct SameCalls(HashMap<CallKey, Arc<TaskCell>>);

/// Outcome of entering a call that must be open once.
pub(super) enum Entered {
    Alone,
    /// An equal call is open, and stays.
    Rejected(Arc<TaskCell>),
    /// An equal call was open; the caller must cancel it.
    Replaced(Arc<TaskCell>),
}

impl SameCalls {
    pub(super) fn enter(&mut self, key: CallKey, cell: &Arc<TaskCell>, dedupe: Dedupe) -> Entered {
        use std::collections::hash_map::Entry;
        match self.0.entry(key) {
            Entry::Occupied(taken) if !taken.get().is_settled() && dedupe == Dedupe::Reject => {
                Entered::Rejected(Arc::clone(taken.get()))
            }
            Entry::Occupied(mut taken) => {
                let earlier = taken.insert(Arc::clone(cell));
                if earlier.is_settled() {
                    Entered::Alone
                } else {
                    Entered::Replaced(earlier)
                }
            }
            Entry::Vacant(free) => {
                free.insert(Arc::clone(cell));
                Entered::Alone
            }
        }
    }

    /// Undoes [`enter`](Self::enter) for a refused call: the earlier open call is registered again.
    pub(super) fn restore(&mut self, key: CallKey, earlier: Option<Arc<TaskCell>>) {
        match earlier.filter(|earlier| !earlier.is_settled()) {
            Some(earlier) => self.0.insert(key, earlier),
            None => self.0.remove(&key),
        };
    }

    /// Removes a call that has ended.
    pub(super) fn leave(&mut self, key: &CallKey, cell: &Arc<TaskCell>) {
        if self.0.get(key).is_some_and(|known| Arc::ptr_eq(known, cell)) {
            self.0.remove(key);
        }
    }
}

/// Key of a call that must be unique; `None` if its tool allows equal calls.
pub(super) fn key_of(cell: &TaskCell) -> Option<CallKey> {
    let options = &cell.layers.as_ref()?.options;
    let call = &cell.spec.call;
    let key = || CallKey::new(&call.name, &cell.spec.session, options.scope, &call.arguments);
    options.dedupe.is_exclusive().then(key)
}

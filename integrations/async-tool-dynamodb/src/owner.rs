//! Ownership of sessions.
//!
//! # Invariants
//!
//! 1. **The fence alone guarantees safety.** An append checks the head's last entry in its own transaction, and succeeds only directly after
//!    it. So of two writers that know the same last entry, one succeeds and the other is refused, even if leases are wrong.
//! 2. **An owner is an open journal with a row, and a head names its owner.** A session whose owner has no row is free. An id is never
//!    used again, so a row that is gone never comes back.
//! 3. **A live owner keeps its sessions.** It changes its row every quarter of its lease. Another process watches it for a whole lease
//!    (`watch.rs`), and then removes it if it has not changed.
//! 4. **An owner whose row was removed takes a new id**, and takes the sessions again that no other process has taken since. The claims of
//!    the others are lost.
//! 5. **A row has no time of day, and the table no TTL**: so no clock of another machine decides.
//!
//! Deliberately absent: a row of a journal that has no session. So a process that is frozen between two messages, as in Lambda, leaves no
//! row behind.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, SystemTime},
};

use async_tool_runtime::journal::Asked;
use aws_sdk_dynamodb::{
    config::{Config, timeout::TimeoutConfig},
    error::SdkError,
};
use tokio::{
    sync::{Mutex, MutexGuard},
    time::Instant,
};
use uuid::Uuid;

use crate::{
    StoreError, key,
    retry::persist,
    tables::{Tables, number, number_of, text},
};

/// Shortest limit of one try to show a sign of life.
const SHORTEST_LIMIT: Duration = Duration::from_secs(2);

/// Row of an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Number of signs of life.
    pub(crate) beats: u64,
    pub(crate) lease: Duration,
}

/// This open journal as an owner.
#[derive(Debug)]
pub(crate) struct Owner {
    lease: Duration,
    standing: Mutex<Option<Standing>>,
    /// True once [`abandon`](Self::abandon) was called: the process counts as killed.
    is_abandoned: AtomicBool,
}

/// Proof that the row of this owner was there at a moment.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) id: String,
    /// Before the request that found the row.
    pub(crate) asked: Asked,
    at: Instant,
    /// A clock that goes on while the machine is frozen, which `at` may not.
    system: SystemTime,
}

impl Standing {
    fn now(id: String) -> Self {
        Self {
            id,
            asked: Asked::now(),
            at: Instant::now(),
            system: SystemTime::now(),
        }
    }

    fn age(&self) -> Duration {
        self.at.elapsed().max(self.system.elapsed().unwrap_or_default())
    }
}

impl Owner {
    pub(crate) fn new(lease: Duration) -> Self {
        Self {
            lease,
            standing: Mutex::new(None),
            is_abandoned: AtomicBool::new(false),
        }
    }

    pub(crate) const fn lease(&self) -> Duration {
        self.lease
    }

    /// Makes sure that the row is there and fresh.
    pub(crate) async fn stand(&self, tables: &Tables) -> Result<Standing, StoreError> {
        let mut standing = self.standing.lock().await;
        match &*standing {
            Some(known) if known.age() < self.lease / 4 => Ok(known.clone()),
            _ if self.is_abandoned.load(Ordering::SeqCst) => Err(StoreError::Stopped),
            _ => self.refresh(&mut standing, tables).await,
        }
    }

    /// Shows a sign of life, if there is a row; `None` if there is none.
    pub(crate) async fn renew(&self, tables: &Tables) -> Result<Option<Standing>, StoreError> {
        let mut standing = self.standing.lock().await;
        match *standing {
            Some(_) => self.refresh(&mut standing, tables).await.map(Some),
            None => Ok(None),
        }
    }

    async fn refresh(
        &self,
        standing: &mut MutexGuard<'_, Option<Standing>>,
        tables: &Tables,
    ) -> Result<Standing, StoreError> {
        if let Some(known) = &**standing {
            let asked = Standing::now(known.id.clone());
            if beat(
                tables,
                &known.id,
                (self.lease / 4).max(SHORTEST_LIMIT).min(tables.attempt),
            )
            .await?
            {
                **standing = Some(asked.clone());
                return Ok(asked);
            }
            tracing::warn!(target: "async_tool::journal", "this process was silent for its whole lease, and others may take its sessions");
        }
        let asked = Standing::now(Uuid::new_v4().simple().to_string());
        enter(tables, &asked.id, self.lease).await?;
        **standing = Some(asked.clone());
        Ok(asked)
    }

    /// Removes the row, which frees all sessions, unless `is_needed` says that one was taken meanwhile.
    pub(crate) async fn leave(&self, tables: &Tables, is_needed: impl FnOnce() -> bool) -> Result<(), StoreError> {
        let mut standing = self.standing.lock().await;
        if is_needed() {
            return Ok(());
        }
        if let Some(known) = &*standing {
            remove(tables, &known.id).await?;
            *standing = None;
        }
        Ok(())
    }

    /// Takes the id out, without a request.
    pub(crate) fn take_id(&mut self) -> Option<String> {
        self.standing.get_mut().take().map(|known| known.id)
    }

    /// Forgets the row and leaves it in the table, as the end of the process would.
    pub(crate) async fn abandon(&self) {
        self.is_abandoned.store(true, Ordering::SeqCst);
        *self.standing.lock().await = None;
    }
}

/// Makes the row.
async fn enter(tables: &Tables, id: &str, lease: Duration) -> Result<(), StoreError> {
    let put = tables.client.put_item().table_name(&tables.heads);
    let put = put.item("pk", text(key::owner(id))).item("beats", number(0));
    let put = put.item("lease", number(u64::try_from(lease.as_millis()).unwrap_or(u64::MAX)));
    let put = persist(tables.retry_for, || put.clone().send()).await;
    put.map(drop).map_err(|error| StoreError::of(tables, error))
}

/// Changes the row; false if it is gone. An answer that is later than `limit` counts as lost: the next try has to come before the lease ends.
async fn beat(tables: &Tables, id: &str, limit: Duration) -> Result<bool, StoreError> {
    let update = tables.client.update_item().table_name(&tables.heads);
    let update = update.key("pk", text(key::owner(id)));
    let update = update
        .update_expression("ADD beats :one")
        .expression_attribute_values(":one", number(1));
    let update = update.condition_expression("attribute_exists(pk)");
    let limits = TimeoutConfig::builder().operation_attempt_timeout(limit).build();
    let limited = Config::builder().timeout_config(limits);
    let send = || {
        let update = update.clone().customize();
        update.config_override(limited.clone()).send()
    };
    match persist(tables.retry_for, send).await {
        Ok(_) => Ok(true),
        Err(SdkError::ServiceError(refused)) if refused.err().is_conditional_check_failed_exception() => Ok(false),
        Err(error) => Err(StoreError::of(tables, error)),
    }
}

/// Removes the row.
pub(crate) async fn remove(tables: &Tables, id: &str) -> Result<(), StoreError> {
    let delete = tables.client.delete_item().table_name(&tables.heads);
    let delete = delete.key("pk", text(key::owner(id)));
    let delete = persist(tables.retry_for, || delete.clone().send()).await;
    delete.map(drop).map_err(|error| StoreError::of(tables, error))
}

/// Removes the row of an owner that was silent for its whole lease; false if it has shown a sign of life since.
pub(crate) async fn remove_silent(tables: &Tables, id: &str, row: Row) -> Result<bool, StoreError> {
    let delete = tables.client.delete_item().table_name(&tables.heads);
    let delete = delete.key("pk", text(key::owner(id)));
    let delete = delete.condition_expression("attribute_not_exists(pk) OR beats = :beats");
    let delete = delete.expression_attribute_values(":beats", number(row.beats));
    match persist(tables.retry_for, || delete.clone().send()).await {
        Ok(_) => Ok(true),
        Err(SdkError::ServiceError(refused)) if refused.err().is_conditional_check_failed_exception() => Ok(false),
        Err(error) => Err(StoreError::of(tables, error)),
    }
}

/// Reads the row of an owner; `None` if it is gone.
pub(crate) async fn find(tables: &Tables, id: &str) -> Result<Option<Row>, StoreError> {
    let get = tables.client.get_item().table_name(&tables.heads);
    let get = get.key("pk", text(key::owner(id))).consistent_read(true);
    let found = persist(tables.retry_for, || get.clone().send()).await;
    let found = found.map_err(|error| StoreError::of(tables, error))?;
    Ok(found.item.map(|item| Row {
        beats: number_of(&item, "beats").unwrap_or(0),
        lease: Duration::from_millis(number_of(&item, "lease").unwrap_or(0)),
    }))
}

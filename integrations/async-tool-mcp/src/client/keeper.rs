//! The keeper of a link: notices a lost connection and changed tools, and connects again.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    backoff::Backoff,
    catalog::Catalog,
    failure::{ENDED, Failure},
    link::{Link, reason},
    wire::{self, Connection, News},
};

/// Time that a server has to accept a subscription.
const SUBSCRIBES_WITHIN: Duration = Duration::from_secs(10);

/// Event of a connection.
enum Event {
    ToolsChanged,
    /// A request failed, or the stream of news ended.
    Suspect,
    Ended,
}

/// Keeps a link until `end`: the last client and the last tool with it are gone.
pub(super) async fn keep(link: Weak<Link>, end: CancellationToken) {
    tokio::select! {
        () = end.cancelled() => {}
        () = attend_all(link) => {}
    }
}

async fn attend_all(link: Weak<Link>) {
    // No strong reference is held while it waits.
    loop {
        let Some(held) = link.upgrade() else { return };
        let Ok(connection) = held.connection() else {
            drop(held);
            if reconnect(Weak::clone(&link)).await.is_none() {
                return;
            }
            continue;
        };
        drop(held);
        if attend(Weak::clone(&link), connection).await.is_none() {
            return;
        }
    }
}

/// Attends to a connection until it is lost; `None` if the link is gone.
async fn attend(link: Weak<Link>, connection: Arc<Connection>) -> Option<()> {
    let suspicion = Arc::clone(&link.upgrade()?.suspicion);
    let mut backoff = Backoff::new();
    let mut news: Option<News> = subscribed(&connection).await;
    loop {
        let event = {
            tokio::select! {
                () = connection.ended() => Event::Ended,
                changed = connection.list_changed(&mut news) => match changed {
                    Ok(()) => Event::ToolsChanged,
                    Err(_) => Event::Suspect,
                },
                () = suspicion.notified() => Event::Suspect,
            }
        };
        if matches!(event, Event::Ended) {
            link.upgrade()?.lose(ENDED.to_owned());
            return Some(());
        }
        let settings = link.upgrade()?.settings.clone();
        let listed = Catalog::fetch(&connection, &settings).await;
        let held = link.upgrade()?;
        match listed {
            Ok(catalog) => {
                held.renew(catalog);
                if matches!(event, Event::Suspect) {
                    drop(held);
                    sleep(backoff.next(None)).await;
                    news = subscribed(&connection).await;
                } else {
                    backoff = Backoff::new();
                }
            }
            Err(failure) if is_a_loss(&failure) => {
                held.lose(reason(&failure));
                return Some(());
            }
            // A server that answers is there, whatever it answers.
            Err(failure) => {
                tracing::warn!(target: "async_tool::mcp", server = %held.target, %failure, "tools can't be listed");
                drop(held);
                sleep(backoff.next(failure.retry_after())).await;
            }
        }
    }
}

async fn subscribed(connection: &Connection) -> Option<News> {
    // Without it, changes are noticed when a call fails.
    let subscribed = timeout(SUBSCRIBES_WITHIN, connection.subscribe()).await;
    subscribed.ok()?.ok().flatten()
}

const fn is_a_loss(failure: &Failure) -> bool {
    match failure {
        Failure::NotSent(_) | Failure::Lost(_) | Failure::Idle(_) | Failure::Overdue(_) | Failure::Unauthorized => true,
        Failure::Http { status, .. } => *status >= 500,
        Failure::Rpc { .. } | Failure::Invalid(_) => false,
    }
}

/// Connects again, however long it takes; `None` if the link is gone.
async fn reconnect(link: Weak<Link>) -> Option<()> {
    let mut backoff = Backoff::new();
    loop {
        sleep(backoff.next(None)).await;
        let held = link.upgrade()?;
        let (target, settings) = (held.target.clone(), held.settings.clone());
        drop(held);
        let Ok(connection) = wire::open(&target, &settings).await else {
            continue;
        };
        if let Ok(catalog) = Catalog::fetch(&connection, &settings).await {
            link.upgrade()?.regain(connection, catalog);
            return Some(());
        }
    }
}

//! What plays a session again.

use std::{collections::BTreeSet, sync::Arc};

use super::{Divergence, guess, search::Search};
use crate::{AgentMachine, AgentPolicy, Entry, Ledger, SessionId, ToolDefinition};

/// Plays a session against [`AgentMachine`] again, from its journal alone: derives from the entries what happened, and compares each entry that
/// the machine writes with the one that is there, to the letter. To find out whether a journal was written by this machine with
/// these tools and this policy: after a change of the library, of a tool's options, or of the journal.
///
/// Decided again, and compared, are: which calls become tasks and their numbers, what waits for what, answers and acknowledgements, the text of
/// each delivery, reports of the `task` tool, reasons, prunings, what a session that is taken up again does with its tasks, closing, and that each
/// of these comes when the machine has a reason for it.
///
/// A journal can't tell all, and what it doesn't tell is taken from it as given:
///
/// - what comes from outside: what the user, the model, the tools and the host said. Nothing proves that they have said it;
/// - the pieces in which a text streamed, and what the guard cut out of it: how much was cut is given, and a text of which nothing was cut must
///   pass the guard;
/// - when a wait was over: for how long results were collected before they woke the model, and the pause after a failed turn. *That* the
///   machine waits for them, and what it does then, is compared. The grace time of answers is compared, but for calls that the host may have
///   promoted ([`AsyncAgent::promote`](crate::AsyncAgent::promote)): [`Replayed::promotions`] counts those it must have;
/// - what was said of tasks by those who run them (started, progress, messages taken), where an answer shows it;
/// - secrets that were taken out before an entry was written, by their marks: the replacement is taken for what was said. What a hook
///   ([`Redact`](crate::Redact)) changed in what the machine decides shows as a difference;
/// - whether a message was sent as a batch, where nothing shows it, and whether a failure of the model could be retried.
///
/// With other tools or another policy than the session had, it differs where they matter. `DefaultHasher` draws the pauses between retries, but
/// they are given, so a journal may be played by another build.
///
/// ```
/// use async_tool_runtime::{AgentPolicy, AsyncAgent, AsyncToolManager, Entry, MemoryJournal, RulePlanner, SessionId, SessionReplay, ToolRegistry, async_tool, tools};
/// use std::{collections::BTreeSet, sync::Arc};
///
/// /// Adds two numbers.
/// #[async_tool(effect = "read")]
/// async fn add(a: i64, b: i64) -> i64 {
///     a + b
/// }
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
/// # runtime.block_on(async {
/// let journal = Arc::new(MemoryJournal::new());
/// let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
/// let agent = AsyncAgent::builder(RulePlanner::new(), manager).journal(Arc::clone(&journal)).session("s").start().await?;
/// agent.send("add a=2 b=3").await?;
/// agent.run_until_idle().await?;
///
/// let session = SessionId::new("s");
/// let policy = AgentPolicy::new(&ToolRegistry::new(tools![add])?);
/// let replay = SessionReplay::new(session.clone(), policy);
/// let mut entries = journal.entries(&session);
/// let replayed = replay.check(&entries)?;
/// assert_eq!(replayed.turns(), 2);
///
/// // One bit, and it shows.
/// for entry in &mut entries {
///     if let Entry::Accepted { own, .. } = entry {
///         *own = true;
///     }
/// }
/// assert!(replay.check(&entries).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is played before `check`"]
pub struct SessionReplay {
    session: SessionId,
    policy: AgentPolicy,
    system: Option<Arc<str>>,
    definitions: Arc<[ToolDefinition]>,
    pub(super) is_guessing: bool,
}

impl SessionReplay {
    /// Plays this session with this policy, and with the tools that it knows. A tool that it doesn't know is treated as the machine treats
    /// the calls of unknown tools.
    pub fn new(session: SessionId, policy: AgentPolicy) -> Self {
        Self {
            session,
            policy,
            system: None,
            definitions: Arc::from([]),
            is_guessing: false,
        }
    }

    /// Plays a session whose tools and policy nobody knows any more: they are guessed from the journal, as far as it shows them (which calls
    /// wait for the end of their turns, take results of others as arguments, interrupt, or are waited for; whether acknowledgements
    /// ask the model again). Prunings are taken as given, because what the model could read is in no journal. What is compared is the same
    /// otherwise, and a divergence can also be a wrong guess: what learned grace times were is not always told.
    pub fn guessed(session: SessionId, entries: &[Entry]) -> Self {
        Self {
            is_guessing: true,
            ..Self::new(session, guess::policy(entries, &BTreeSet::new()))
        }
    }

    /// The system prompt and the definitions that the model was given. They count only where the conversation was pruned.
    pub fn prompt(mut self, system: Option<Arc<str>>, definitions: Arc<[ToolDefinition]>) -> Self {
        (self.system, self.definitions) = (system, definitions);
        self
    }

    /// Plays the session, and compares. Takes time in proportion to the square of its length, and up to some hundred times as
    /// long where it differs.
    ///
    /// # Errors
    ///
    /// [`Divergence`]: the furthest entry that nothing explains.
    pub fn check(&self, entries: &[Entry]) -> Result<Replayed, Divergence> {
        let divergence = match Search::new(self, entries).run() {
            Err(divergence) if self.is_guessing => divergence,
            checked => return checked,
        };
        self.check_silent(entries, divergence)
    }

    /// Results that are delivered where nobody was told are those of tools that wake nobody. That can be seen in no other way.
    fn check_silent(&self, entries: &[Entry], first: Divergence) -> Result<Replayed, Divergence> {
        let (mut silent, mut divergence) = (BTreeSet::new(), first.clone());
        loop {
            let Some(Entry::Delivered { tasks, .. }) = divergence.played() else {
                return Err(first);
            };
            let before = silent.len();
            silent.extend(entries.iter().filter_map(|entry| match entry {
                Entry::Accepted { number, call, .. } if tasks.contains(number) => Some(Arc::clone(&call.name)),
                _ => None,
            }));
            if silent.len() == before {
                return Err(first);
            }
            let again = Self {
                policy: guess::policy(entries, &silent),
                ..self.clone()
            };
            match Search::new(&again, entries).run() {
                Ok(replayed) => return Ok(replayed),
                Err(next) => divergence = next,
            }
        }
    }

    pub(super) fn machine(&self, ledger: Ledger) -> AgentMachine {
        AgentMachine::new(
            self.session.clone(),
            self.system.clone(),
            Arc::clone(&self.definitions),
            self.policy.clone(),
            ledger,
        )
    }
}

/// What was played again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replayed {
    pub(super) entries: usize,
    pub(super) steps: usize,
    pub(super) turns: usize,
    pub(super) restarts: usize,
    pub(super) promotions: usize,
    pub(super) cuts: usize,
}

impl Replayed {
    /// How many entries were compared: all.
    #[must_use]
    pub const fn entries(&self) -> usize {
        self.entries
    }

    /// How many inputs led to them.
    #[must_use]
    pub const fn steps(&self) -> usize {
        self.steps
    }

    /// How many turns were begun.
    #[must_use]
    pub const fn turns(&self) -> usize {
        self.turns
    }

    /// How many times the session was taken up again.
    #[must_use]
    pub const fn restarts(&self) -> usize {
        self.restarts
    }

    /// How many calls were answered earlier than the policy says, as they are where the host promotes them.
    #[must_use]
    pub const fn promotions(&self) -> usize {
        self.promotions
    }

    /// How many turns had results cut out: their texts were taken as given.
    #[must_use]
    pub const fn cuts(&self) -> usize {
        self.cuts
    }
}

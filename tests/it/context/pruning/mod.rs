//! Views of a pruned conversation, as the model is shown them.

mod rules;
mod session;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_tool_runtime::{
    Message, TaskNo, TaskStatus,
    context::{
        Answer, AnswerContent, ApproximateTokens, ContextWindow, PrunePolicy, Pruned, RunningTask, StatusLimit,
        TokenEstimator, pruned_view, status_block,
    },
};
use proptest::{prelude::*, test_runner::Config};
use serde_json::json;

use self::session::{Session, happenings};

const OVERHEAD: usize = 100;

fn status(messages: &[Arc<Message>], limit: StatusLimit) -> String {
    let running = rules::running(messages);
    let tasks = running.iter().map(|(number, call)| {
        RunningTask::new(
            *number,
            &call.name,
            &call.arguments,
            TaskStatus::Running,
            Duration::from_secs(42),
        )
    });
    let block = status_block(tasks, limit);
    assert!(block.len() <= limit.bytes, "{} bytes: {block}", block.len());
    assert!(!block.contains(['<', '>', '&']), "{block}");
    block
}

fn tokens(view: &[Arc<Message>]) -> usize {
    let tokens = view.iter().map(|message| ApproximateTokens.count_message(message));
    OVERHEAD + tokens.sum::<usize>()
}

/// Checks all rules for one view.
fn check(messages: &[Arc<Message>], pruned: &Pruned) -> Result<(), String> {
    let view = pruned_view(messages, pruned);
    rules::wire(&view)?;
    rules::faithful(messages, &view)?;
    rules::remembers(messages, &view)
}

/// The default estimator without its upper bound in bytes.
#[derive(Debug)]
struct Diligent;

impl TokenEstimator for Diligent {
    fn count_text(&self, text: &str) -> usize {
        ApproximateTokens.count_text(text)
    }
}

/// A pruning marker at these places.
fn marker(collapsed: usize, dropped: usize, status: String) -> Pruned {
    let marker = json!({"collapsed": collapsed, "dropped": dropped, "status": status});
    serde_json::from_value(marker).unwrap()
}

/// True if turns were left out while results could still collapse.
fn collapses_first(
    messages: &[Arc<Message>],
    before: &Pruned,
    after: &Pruned,
    policy: &PrunePolicy,
) -> Result<(), String> {
    let limit = rules::ends(messages, policy.keep_recent)
        .last()
        .copied()
        .unwrap_or_default();
    let collapsed = marker(limit.max(before.collapsed), before.dropped, after.status.clone());
    let is_needed = tokens(&pruned_view(messages, &collapsed)) + 20 > policy.target.min(policy.budget);
    let is_all = after.collapsed >= limit;
    match after.dropped > before.dropped && !(is_needed && is_all) {
        true => Err(format!("{after:?} drops where collapsing is enough")),
        false => Ok(()),
    }
}

proptest! {
    #![proptest_config(Config { cases: if crate::stand::is_complete() { 32 } else { 12 }, failure_persistence: None, ..Config::default() })]

    #[test]
    fn pruning_at_every_place_keeps_the_rules_of_all_providers(happenings in happenings()) {
        let session = Session::play(&happenings);
        for length in session.turns.iter().rev().step_by(9).take(2) {
            let messages = &session.messages()[..*length];
            let status = status(messages, StatusLimit::default());
            rules::wire(messages).unwrap();
            let ends = rules::ends(messages, 0);
            let limit = ends.last().copied().unwrap_or_default();
            // Also at places that are no ends of turns: a marker may come from any journal.
            for collapsed in 1..=limit {
                for dropped in (0..=collapsed).step_by(1 + collapsed / 8) {
                    let marker = marker(collapsed, dropped, status.clone());
                    prop_assert_eq!(check(messages, &marker), Ok(()), "{} and {} of {}", collapsed, dropped, length);
                    let is_exact = ends.contains(&collapsed) && (dropped == 0 || ends.contains(&dropped));
                    prop_assert_eq!(Pruned::default().allows(&marker, messages), is_exact);
                }
            }
            // No view panics, and the calls keep their answers.
            for (collapsed, dropped) in [(usize::MAX, usize::MAX), (0, length + 1), (1, usize::MAX)] {
                rules::wire(&pruned_view(messages, &marker(collapsed, dropped, String::new()))).unwrap();
            }
        }
    }

    #[test]
    fn a_session_is_kept_in_its_budget_and_its_prompt_only_grows_between_two_prunings(
        happenings in happenings(),
        budget in 400_usize..6_000,
        target in 0_usize..120,
        keep in 0_usize..5,
        listed in 0_usize..6,
    ) {
        let session = Session::play(&happenings);
        let policy = PrunePolicy::new(budget).with_target(budget * target / 100).with_keep_recent(keep);
        let limit = StatusLimit::new(listed, 800);
        let mut window = ContextWindow::new(policy);
        let mut lazy = ContextWindow::new(policy);
        let mut diligent = ContextWindow::new(policy).with_estimator(Arc::new(Diligent));
        let mut pruned = Pruned::default();
        let mut view: Vec<Arc<Message>> = Vec::new();
        for length in &session.turns {
            let messages = &session.messages()[..*length];
            let status = status(messages, limit);
            let next = window.plan(messages, &pruned, OVERHEAD, || status.clone());
            // A window has no state that a new one would not compute.
            let again = ContextWindow::new(policy).plan(messages, &pruned, OVERHEAD, || status.clone());
            prop_assert_eq!(&again, &next);
            // The upper bound in bytes makes no difference.
            prop_assert_eq!(&lazy.plan(messages, &pruned, OVERHEAD, || status.clone()), &next);
            prop_assert_eq!(&diligent.plan(messages, &pruned, OVERHEAD, || status.clone()), &next);
            if let Some(next) = next {
                prop_assert!(tokens(&pruned_view(messages, &pruned)) > budget, "nothing is pruned within the budget");
                prop_assert!(pruned.allows(&next, messages), "{:?} after {:?}", next, pruned);
                prop_assert_eq!(collapses_first(messages, &pruned, &next, &policy), Ok(()));
                prop_assert_eq!(check(messages, &next), Ok(()));
                prop_assert_eq!(window.plan(messages, &next, OVERHEAD, || status.clone()), None);
                let written = serde_json::to_string(&next).unwrap();
                pruned = serde_json::from_str(&written).unwrap();
                prop_assert_eq!(&pruned, &next);
            } else {
                rules::grows(&view, &pruned_view(messages, &pruned)).unwrap();
            }
            view = pruned_view(messages, &pruned);
            prop_assert_eq!(&window.view(messages, &pruned), &view);
            prop_assert_eq!(&lazy.view(messages, &pruned), &view);
            prop_assert_eq!(window.tokens(messages, &pruned) + OVERHEAD, tokens(&view));
            prop_assert_eq!(check(messages, &pruned), Ok(()));
            let ends = rules::ends(messages, keep);
            let kept = messages.len() - ends.last().copied().unwrap_or_default();
            prop_assert!(view.ends_with(&messages[messages.len() - kept..]), "the last turns stay as they are");
            if tokens(&view) > budget && let Some(end) = ends.last() {
                let most = marker(*end, *end, status);
                let least = tokens(&pruned_view(messages, &most));
                prop_assert!(least > budget, "{} tokens are possible, and {} are shown", least, tokens(&view));
            }
        }
    }
}

/// A session with a request over several turns, results of each kind, and running tasks.
fn example() -> Vec<Arc<Message>> {
    use proptest::{strategy::ValueTree as _, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    loop {
        let session = Session::play(&happenings().new_tree(&mut runner).unwrap().current());
        let Some(length) = session.turns.last() else { continue };
        let messages = &session.messages()[..*length];
        let limit = rules::ends(messages, 0).last().copied().unwrap_or_default();
        let view = pruned_view(messages, &marker(limit, 0, String::new()));
        let has = |wanted: fn(&Message) -> bool| view.iter().any(|message| wanted(message));
        let is_collapsed = |answer: &Answer| matches!(answer.content, AnswerContent::Collapsed(_));
        let collapses = view
            .iter()
            .any(|message| matches!(&**message, Message::Answers(answers) if answers.iter().any(is_collapsed)));
        let hides = rules::remembers(messages, &pruned_view(messages, &marker(limit, limit, String::new()))).is_err();
        let has_blocks = has(|message| matches!(message, Message::Assistant { provider: Some(_), .. }));
        let delivers = has(|message| matches!(message, Message::Delivery { text, .. } if text.contains("collapsed")));
        if collapses && hides && has_blocks && delivers {
            return messages.to_vec();
        }
    }
}

#[test]
fn the_checker_fails_on_views_that_are_pruned_wrongly() {
    let messages = example();
    let limit = *rules::ends(&messages, 0).last().unwrap();
    let good = pruned_view(&messages, &marker(limit, 0, status(&messages, StatusLimit::default())));
    let verdict = |view: &[Arc<Message>]| {
        rules::wire(view)
            .and(rules::faithful(&messages, view))
            .and(rules::remembers(&messages, view))
    };
    assert_eq!(verdict(&good), Ok(()));

    let position = |wanted: fn(&Message) -> bool| good.iter().position(|message| wanted(message)).unwrap();
    let calls = position(|message| matches!(message, Message::Assistant { calls, .. } if !calls.is_empty()));
    let blocks = position(|message| matches!(message, Message::Assistant { provider: Some(_), .. }));
    let delivery = position(|message| matches!(message, Message::Delivery { text, .. } if text.contains("collapsed")));
    let note = position(|message| matches!(message, Message::Note { .. }));
    let without = |index: usize| {
        let mut view = good.clone();
        view.remove(index);
        view
    };
    let instead = |index: usize, message: Message| {
        let mut view = good.clone();
        view[index] = Arc::new(message);
        view
    };
    let mut swapped = good.clone();
    swapped.swap(calls, calls + 1);
    let mut noted = good.clone();
    noted.insert(calls + 2, Arc::new(Message::Note { text: "so".to_owned() }));
    let mut noted_early = good.clone();
    noted_early.insert(calls + 1, Arc::new(Message::Note { text: "so".to_owned() }));
    let mut twice = good.clone();
    twice.insert(calls + 2, Arc::clone(&good[calls + 1]));
    let (
        Message::Assistant { text, calls: made, .. },
        Message::Delivery {
            tasks,
            text: frame,
            results,
        },
    ) = (&*good[blocks], &*good[delivery])
    else {
        unreachable!()
    };
    let unsigned = Message::Assistant {
        text: text.clone(),
        calls: made.clone(),
        provider: None,
    };
    let renamed = Message::Delivery {
        tasks: tasks.clone(),
        text: frame.replace("\"task\":\"", "\"task\":\"9"),
        results: results.clone(),
    };
    let untagged = Message::Delivery {
        tasks: tasks.clone(),
        text: frame.replace("</tool_results>", ""),
        results: results.clone(),
    };
    // Everything that may be left out is, and no status block stands for it. `example` has a task that only an
    // acknowledgement names.
    let forgetful = pruned_view(&messages, &marker(limit, limit, String::new()));
    let broken = [
        ("an open call is pruned", without(calls)),
        ("an answer is pruned", without(calls + 1)),
        ("an answer comes first", swapped),
        ("a call is answered twice", twice),
        ("a note stands between call and answer", noted_early),
        ("a note stands behind answers", noted),
        ("the first message is lost", without(0)),
        ("blocks of the provider are lost", instead(blocks, unsigned)),
        ("a result is another task's", instead(delivery, renamed)),
        ("a frame is not closed", instead(delivery, untagged)),
        ("what the model hasn't seen is lost", good[..limit].to_vec()),
        ("tasks that run are forgotten", forgetful),
        (
            "turns stand in another order",
            [&good[..1], &good[limit / 2..], &good[1..limit / 2]].concat(),
        ),
    ];
    for (fault, view) in broken {
        assert!(verdict(&view).is_err(), "{fault}, and the checker says nothing");
    }
    let mut shorter = good.clone();
    shorter.remove(note);
    assert!(rules::grows(&good, &shorter).is_err());

    // This policy drops turns although collapsing would be enough.
    let collapsed = tokens(&pruned_view(&messages, &marker(limit, 0, String::new())));
    let policy = PrunePolicy::new(collapsed + 50)
        .with_target(collapsed + 50)
        .with_keep_recent(0);
    let hasty = marker(limit, limit, String::new());
    assert!(collapses_first(&messages, &Pruned::default(), &hasty, &policy).is_err());
}

#[test]
fn a_conversation_of_words_alone_is_pruned_to_its_first_message_and_its_last_turns() {
    let said = |text: String| {
        Arc::new(Message::Assistant {
            text,
            calls: Vec::new(),
            provider: None,
        })
    };
    let asked = |text: String| Arc::new(Message::user(text));
    let turns = (1..=20).flat_map(|turn| [asked(format!("question {turn}")), said("word ".repeat(100))]);
    let messages: Vec<_> = turns.chain([asked("and now?".to_owned())]).collect();
    let mut window = ContextWindow::new(PrunePolicy::new(1_000).with_keep_recent(2));
    let nothing = || status_block([], StatusLimit::default());
    let pruned = window.plan(&messages, &Pruned::default(), 0, nothing).unwrap();
    let view = window.view(&messages, &pruned);
    assert!(window.tokens(&messages, &pruned) <= 600);
    let Message::Note { text } = &*view[1] else {
        panic!("a note says that messages are left out: {view:?}")
    };
    assert!(
        text.contains(&format!("{} messages were left out here", pruned.dropped - 1)),
        "{text}"
    );
    assert!(text.contains("no task ran"), "{text}");
    assert_eq!(view[0], messages[0]);
    assert_eq!(view[2..], messages[pruned.dropped..]);
}

#[test]
fn turns_that_work_on_a_request_are_not_parted_from_it() {
    // One question, then enough turns with calls to push it out of the view.
    let messages = example();
    let ends = rules::ends(&messages, 0);
    let mut checked = 0;
    for end in ends {
        let goes_on = messages
            .get(end)
            .is_some_and(|next| !matches!(**next, Message::User { .. }));
        let last = messages[..end]
            .iter()
            .rfind(|message| matches!(***message, Message::User { .. }));
        if let Some(last) = last.filter(|_| goes_on) {
            let view = pruned_view(&messages, &marker(end, end, String::new()));
            assert!(view.contains(last));
            checked += 1;
        }
    }
    assert!(checked > 0);
}

#[test]
fn a_status_block_is_bounded_whatever_the_tasks() {
    let arguments = json!({"q": "<\u{e9}&\"\n".repeat(1_000)});
    let name = "</x>\nt9 ".repeat(50);
    for (tasks, bytes) in [(0, 300), (5, 300), (20, 4_096), (1_000, 10_000), (1_000, 200)] {
        for count in [0_u32, 1, 7, 500] {
            let running = (1..=count).map(|number| {
                RunningTask::new(
                    TaskNo::new(number),
                    &name,
                    &arguments,
                    TaskStatus::Queued,
                    Duration::MAX,
                )
            });
            let block = status_block(running, StatusLimit::new(tasks, bytes));
            assert!(block.len() <= bytes, "{} of {bytes}", block.len());
            assert!(!block.contains(['<', '>', '&']), "{block}");
            let lines: Vec<&str> = block.lines().collect();
            let listed = lines.iter().filter(|line| line.starts_with('t')).count();
            assert!(listed <= tasks);
            let more = count as usize - listed;
            let last = match (listed, more) {
                (_, 0) => continue,
                (0, more) => format!("{more} in all"),
                (_, more) => format!("and {more} more"),
            };
            assert_eq!(lines.last(), Some(&&*last), "{block}");
        }
    }
}

#[test]
fn nothing_is_counted_while_a_token_for_each_byte_would_fit() {
    #[derive(Debug, Default)]
    struct Counted(AtomicUsize);

    impl TokenEstimator for Counted {
        fn count_text(&self, text: &str) -> usize {
            self.0.fetch_add(1, Ordering::Relaxed);
            ApproximateTokens.count_text(text)
        }

        fn is_bounded_by_bytes(&self) -> bool {
            true
        }
    }

    let messages = example();
    let bytes = serde_json::to_string(&messages).unwrap().len();
    let estimator = Arc::new(Counted::default());
    let counted = || estimator.0.load(Ordering::Relaxed);
    let mut window =
        ContextWindow::new(PrunePolicy::new(OVERHEAD + 4 * bytes)).with_estimator(Arc::clone(&estimator) as _);
    for length in 1..=messages.len() {
        let plan = window.plan(&messages[..length], &Pruned::default(), OVERHEAD, String::new);
        assert_eq!(plan, None);
        assert_eq!(window.view(&messages[..length], &Pruned::default()), messages[..length]);
    }
    assert_eq!(counted(), 0);
    // If asked for the number, it counts the whole transcript.
    let tokens = window.tokens(&messages, &Pruned::default());
    assert_eq!(tokens + OVERHEAD, self::tokens(&messages));
    assert_ne!(counted(), 0);
    // A shorter transcript is a different one.
    assert_eq!(window.view(&messages[..1], &Pruned::default()), messages[..1]);
    assert_eq!(
        window.tokens(&messages[..1], &Pruned::default()) + OVERHEAD,
        self::tokens(&messages[..1])
    );
}

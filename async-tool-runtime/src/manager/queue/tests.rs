//! Rules of the queue, by simulation and by random exploration.

use std::collections::{BTreeMap, BinaryHeap};

use super::*;

const NORMAL: Class = Class::New(Priority::Normal);

fn queue(slots: usize) -> Queue<u64> {
    Queue::new(slots, usize::MAX, usize::MAX, None, [])
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn next(queue: &mut Queue<u64>, now: u64) -> Option<(u64, Slot)> {
    queue.dispatching = true;
    let next = queue.dispatch(at(now));
    queue.dispatching = false;
    next
}

/// Pseudorandom numbers, the same in every run.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// Keeps tasks of every session waiting for `until` milliseconds; returns the time for which each has held slots.
fn saturate(queue: &mut Queue<usize>, lengths: &[u64], until: u64) -> Vec<u64> {
    let sessions: Vec<_> = (0..lengths.len())
        .map(|session| SessionId::new(session.to_string()))
        .collect();
    let mut draw = Draw(1);
    let mut held = vec![0; lengths.len()];
    for (number, session) in sessions.iter().enumerate() {
        // The first session brings a crowd before the other sessions come.
        for _ in 0..if number == 0 { 1000 } else { 1 } {
            queue.wait(session, 0, NORMAL, number, at(0));
        }
    }
    let mut ends = BinaryHeap::new();
    let mut slots = BTreeMap::new();
    let mut now = 0;
    for started in 0_u64.. {
        queue.begin_dispatch();
        while let Some((number, slot)) = queue.dispatch(at(now)) {
            // Half to one and a half times the usual length.
            let length = lengths[number] / 2 + draw.below(lengths[number] + 1);
            held[number] += length;
            let key = (std::cmp::Reverse(now + length), started * 1000 + slots.len() as u64);
            ends.push(key);
            slots.insert(key.1, slot);
            queue.wait(&sessions[number], 0, NORMAL, number, at(0));
        }
        let Some((std::cmp::Reverse(end), key)) = ends.pop() else {
            break;
        };
        now = end;
        if now > until {
            break;
        }
        queue.release(slots.remove(&key).unwrap(), at(now));
    }
    held
}

#[test]
fn equal_sessions_get_equal_shares_however_long_their_tasks_are() {
    for (slots, lengths) in [
        (1, &[100, 100, 100][..]),
        (1, &[10, 1000, 200]),
        (3, &[50, 500, 50, 2000]),
        (8, &[100, 1000, 10, 10, 400]),
        (16, &[1000, 10, 100]),
    ] {
        let held = saturate(
            &mut Queue::new(slots, usize::MAX, usize::MAX, None, []),
            lengths,
            400_000,
        );
        let (most, least) = (*held.iter().max().unwrap() as f64, *held.iter().min().unwrap() as f64);
        println!(
            "{slots} slots, tasks of {lengths:?} ms: shares {held:?}, most to least {:.3}",
            most / least
        );
        assert!(most / least <= 1.1, "{slots} slots, {lengths:?}: {held:?}");
    }
}

#[test]
fn shares_follow_the_weights() {
    for slots in [1, 8] {
        let weigh = |session: &SessionId| if session.as_str() == "1" { 3 } else { 1 };
        let mut queue = Queue::new(slots, usize::MAX, usize::MAX, Some(Box::new(weigh)), []);
        let held = saturate(&mut queue, &[100, 100], 400_000);
        let ratio = held[1] as f64 / held[0] as f64;
        assert!((2.7..=3.3).contains(&ratio), "{slots} slots: {held:?}");
    }
}

#[test]
fn a_session_that_was_away_has_not_saved_up_for_a_rush() {
    let mut queue = queue(1);
    let (busy, back) = (SessionId::new("busy"), SessionId::new("back"));
    let mut now = 0;
    for task in 0..100 {
        queue.wait(&busy, 0, NORMAL, task, at(0));
        let (_, slot) = next(&mut queue, now).unwrap();
        now += 100;
        queue.release(slot, at(now));
    }
    let mut of_back = 0;
    for _ in 0..10 {
        queue.wait(&busy, 0, NORMAL, 1, at(0));
        queue.wait(&back, 0, NORMAL, 2, at(0));
    }
    for _ in 0..10 {
        let (who, slot) = next(&mut queue, now).unwrap();
        of_back += u64::from(who == 2);
        now += 100;
        queue.release(slot, at(now));
    }
    assert!((4..=6).contains(&of_back), "{of_back} of 10");
}

#[test]
fn what_was_begun_goes_first_then_by_priority_and_children_before_those_that_are_new() {
    let mut queue = queue(1);
    let session = SessionId::new("s");
    let low = Class::New(Priority::Low);
    for (task, class) in [
        (6, low),
        (4, NORMAL),
        (5, Class::Child(Priority::Low)),
        (3, Class::Child(Priority::Normal)),
        (2, Class::New(Priority::High)),
        (1, Class::Resumed),
    ] {
        queue.wait(&session, 0, class, task, at(0));
    }
    for expected in 1..=6 {
        let (task, slot) = next(&mut queue, 0).unwrap();
        assert_eq!(task, expected);
        queue.release(slot, at(1));
    }
}

#[test]
fn a_task_that_waits_for_many_leaves_other_sessions_their_share() {
    let mut queue = queue(1);
    let (family, other) = (SessionId::new("family"), SessionId::new("other"));
    for _ in 0..1000 {
        queue.wait(&family, 0, Class::Child(Priority::Normal), 1, at(0));
        queue.wait(&other, 0, NORMAL, 2, at(0));
    }
    let mut of_other = 0;
    for now in 0..100 {
        let (who, slot) = next(&mut queue, now * 10).unwrap();
        of_other += u64::from(who == 2);
        queue.release(slot, at(now * 10 + 10));
    }
    assert_eq!(of_other, 50);
}

#[test]
fn a_tool_at_its_limit_holds_nobody_else_up() {
    let mut queue = Queue::new(4, usize::MAX, usize::MAX, None, [1]);
    let session = SessionId::new("s");
    for task in [10, 11, 12] {
        queue.wait(&session, 1, Class::New(Priority::High), task, at(0));
    }
    queue.wait(&session, 0, Class::New(Priority::Low), 20, at(0));
    let (first, slot) = next(&mut queue, 0).unwrap();
    let (second, _slot) = next(&mut queue, 0).unwrap();
    assert_eq!((first, second), (10, 20));
    assert!(next(&mut queue, 0).is_none());
    assert!(queue.try_start(&session, 1, at(0)).is_none());
    queue.release(slot, at(1));
    assert_eq!(next(&mut queue, 1).unwrap().0, 11);
}

#[test]
fn in_a_session_who_came_first_goes_first_whichever_tools_have_a_limit() {
    let mut queue = Queue::new(1, usize::MAX, usize::MAX, None, [5, 5]);
    let session = SessionId::new("s");
    let child = Class::Child(Priority::Normal);
    for (task, lane, class) in [(2, 2, NORMAL), (3, 0, NORMAL), (4, 1, NORMAL), (1, 1, child)] {
        queue.wait(&session, lane, class, task, at(0));
    }
    for expected in 1..=4 {
        let (task, slot) = next(&mut queue, 0).unwrap();
        assert_eq!(task, expected);
        queue.release(slot, at(1));
    }
}

#[test]
fn a_session_at_its_limit_waits_and_others_go_on() {
    let mut queue = Queue::new(10, usize::MAX, 2, None, []);
    let (one, other) = (SessionId::new("one"), SessionId::new("other"));
    let first = queue.try_start(&one, 0, at(0)).unwrap();
    let _second = queue.try_start(&one, 0, at(0)).unwrap();
    assert!(queue.try_start(&one, 0, at(0)).is_none());
    queue.wait(&one, 0, NORMAL, 1, at(0));
    assert!(queue.try_start(&other, 0, at(0)).is_some());
    assert!(next(&mut queue, 0).is_none());
    queue.release(first, at(1));
    assert_eq!(next(&mut queue, 1).unwrap().0, 1);
}

/// Checks random calls against the plain rules, however tasks arrive, start, end and are cancelled.
#[test]
fn limits_hold_nothing_is_lost_and_no_free_slot_is_left_over_random_histories() {
    for seed in 0..300 {
        let mut draw = Draw(seed);
        let slots = 1 + draw.below(6) as usize;
        let session_limit = 1 + draw.below(4) as usize;
        let lanes = [usize::MAX, 1 + draw.below(3) as usize, 1 + draw.below(3) as usize];
        let blocking_limit = 1 + draw.below(3) as usize;
        let mut queue = Queue::new(slots, usize::MAX, session_limit, None, lanes[1..].iter().copied())
            .with_blocking_slots(blocking_limit);
        let sessions: Vec<_> = (0..4).map(|session| SessionId::new(session.to_string())).collect();
        let mut waiting: BTreeMap<u64, (Ticket, usize, usize)> = BTreeMap::new();
        let mut running: Vec<(Slot, usize, usize)> = Vec::new();
        let mut seen = 0;
        for step in 0..400_u64 {
            // The last three lanes are those of blocking calls.
            let (session, lane) = (draw.below(4) as usize, draw.below(6) as usize);
            assert_eq!(queue.blocking(lane % 3), lane % 3 + 3);
            match draw.below(6) {
                0..=2 => {
                    let classes = [
                        NORMAL,
                        Class::Child(Priority::Normal),
                        Class::New(Priority::High),
                        Class::Resumed,
                    ];
                    let class = classes[draw.below(4) as usize];
                    if let Some(slot) = queue.try_start(&sessions[session], lane, at(step)) {
                        running.push((slot, session, lane));
                        seen += 1;
                    } else {
                        let ticket = queue.wait(&sessions[session], lane, class, step, at(step));
                        waiting.insert(step, (ticket, session, lane));
                    }
                }
                3 => {
                    if let Some((&task, &(ticket, ..))) = waiting.iter().next() {
                        assert_eq!(queue.remove(ticket), Some(task));
                        assert_eq!(queue.remove(ticket), None);
                        waiting.remove(&task);
                    }
                }
                _ if !running.is_empty() => {
                    let (slot, ..) = running.swap_remove(draw.below(running.len() as u64) as usize);
                    queue.release(slot, at(step));
                }
                _ => {}
            }
            if queue.begin_dispatch() {
                while let Some((task, slot)) = queue.dispatch(at(step)) {
                    let (_, session, lane) = waiting.remove(&task).expect("it waited, and was served once");
                    running.push((slot, session, lane));
                    seen += 1;
                }
            }
            let of_session = |session| running.iter().filter(|(_, of, _)| *of == session).count();
            let of_tool = |tool| running.iter().filter(|(.., of)| of % 3 == tool).count();
            let blocking = running.iter().filter(|(.., of)| *of >= 3).count();
            assert!(running.len() <= slots, "seed {seed}");
            assert!(
                (0..4).all(|session| of_session(session) <= session_limit),
                "seed {seed}"
            );
            assert!((0..3).all(|tool| of_tool(tool) <= lanes[tool]), "seed {seed}");
            assert!(blocking <= blocking_limit, "seed {seed}");
            // The steps are the numbers and the times of the tasks.
            let oldest = waiting.keys().next().map(|step| at(*step));
            assert_eq!(queue.oldest().map(|(_, since)| since), oldest, "seed {seed}");
            if let Some((entry, _)) = queue.oldest() {
                let (held_by, task) = queue.held_by(entry).expect("it waits");
                let (_, session, lane) = waiting[task];
                let is_full = match held_by {
                    HeldBy::Manager(_) => running.len() == slots,
                    HeldBy::Blocking(_) => lane >= 3 && blocking == blocking_limit,
                    HeldBy::Session(_) => of_session(session) == session_limit,
                    HeldBy::Tool(_) => of_tool(lane % 3) == lanes[lane % 3],
                };
                assert!(is_full, "seed {seed}: {held_by:?}");
            }
            assert_eq!(
                (queue.running, queue.waiting),
                (running.len(), waiting.len()),
                "seed {seed}"
            );
            let could_start = |&(_, session, lane): &(Ticket, usize, usize)| {
                running.len() < slots
                    && of_session(session) < session_limit
                    && of_tool(lane % 3) < lanes[lane % 3]
                    && (lane < 3 || blocking < blocking_limit)
            };
            assert!(
                !waiting.values().any(could_start),
                "seed {seed}: a slot is free for one who waits"
            );
        }
        assert!(seen > 0);
    }
}

#[test]
fn sessions_without_tasks_are_forgotten() {
    let mut queue = queue(1);
    for session in 0..100_000 {
        let slot = queue.try_start(&SessionId::new(session.to_string()), 0, at(0)).unwrap();
        queue.release(slot, at(0));
    }
    assert!(queue.by_session.len() <= REMEMBERED + 2, "{}", queue.by_session.len());
    assert!(queue.shares.len() <= REMEMBERED + 2);
}

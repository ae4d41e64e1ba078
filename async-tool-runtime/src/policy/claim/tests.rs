//! The table of claims, compared with a direct implementation of its rule.

use std::collections::HashMap;

use super::*;

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

impl Table {
    fn is_granted(&self, id: ClaimId) -> bool {
        self.claims.get(&id).is_some_and(|entry| entry.blocked == 0)
    }

    fn is_empty(&self) -> bool {
        self.claims.is_empty() && self.queues.is_empty()
    }

    fn waiting(&self) -> usize {
        self.claims.values().filter(|entry| entry.blocked > 0).count()
    }
}

fn task(number: usize) -> TaskId {
    TaskId::from_u128(number as u128)
}

fn wants(list: &[(u64, Mode)]) -> Wants {
    let mut wants = Wants::new();
    for (value, mode) in list {
        let resource = Resource {
            kind: "x".into(),
            value: value.to_string().into(),
        };
        let wanted = wants.entry(resource).or_insert(*mode);
        *wanted = (*wanted).max(*mode);
    }
    wants
}

/// A claim in the rule's terms: its order among all claims of each resource is fixed when it comes.
#[derive(Clone)]
struct Known {
    task: usize,
    above: Vec<usize>,
    /// True if it has ended, and keeps the resources that its descendants use.
    is_over: bool,
    /// Access and key for each resource; the claim with the lesser key goes first.
    wants: BTreeMap<Resource, (Mode, Vec<usize>)>,
}

#[derive(Default)]
struct Rule(Vec<Known>);

impl Rule {
    fn is_in_the_way(before: &Known, known: &Known) -> bool {
        known.wants.iter().any(|(resource, (mode, key))| {
            before.wants.get(resource).is_some_and(|(other, before_key)| {
                let is_above = match before.is_over {
                    true => key.starts_with(before_key),
                    false => known.above.contains(&before.task),
                };
                !is_above && before_key < key && (*mode == Mode::Write || *other == Mode::Write)
            })
        })
    }

    fn is_granted(&self, known: &Known) -> bool {
        !self.0.iter().any(|before| Self::is_in_the_way(before, known))
    }

    fn enter(&self, task: usize, above: &[usize], wants: &Wants) -> Result<Known, Refusal> {
        let mut keyed = BTreeMap::new();
        for (resource, mode) in wants {
            let holders = above
                .iter()
                .filter_map(|task| self.0.iter().find(|known| known.task == *task && !known.is_over));
            let nearest = holders
                .filter(|known| self.is_granted(known))
                .find_map(|known| known.wants.get(resource));
            if let Some((Mode::Read, _)) = nearest
                && *mode == Mode::Write
            {
                return Err(Refusal::OnlyRead(resource.clone()));
            }
            let mut key = nearest.map(|(_, key)| key.clone()).unwrap_or_default();
            key.push(task);
            keyed.insert(resource.clone(), (*mode, key));
        }
        let known = Known {
            task,
            above: above.to_vec(),
            is_over: false,
            wants: keyed,
        };
        let mut with = Self(self.0.clone());
        with.0.push(known.clone());
        if with.is_stuck() {
            Err(Refusal::Circle(Vec::new()))
        } else {
            Ok(known)
        }
    }

    /// True if some claims would never end, given that each ends only after its descendants.
    fn is_stuck(&self) -> bool {
        let mut rest = Self(self.0.clone());
        while rest.0.iter().any(|known| !known.is_over) {
            let has_below = |task| rest.0.iter().any(|other| !other.is_over && other.above.contains(&task));
            let can_end = |known: &Known| !known.is_over && rest.is_granted(known) && !has_below(known.task);
            match rest.0.iter().position(can_end) {
                Some(at) => rest.end(at),
                None => return true,
            }
        }
        false
    }

    fn end(&mut self, at: usize) {
        self.0[at].is_over = true;
        // Backwards, because descendants come after their ancestors.
        for at in (0..self.0.len())
            .rev()
            .filter(|at| self.0[*at].is_over)
            .collect::<Vec<_>>()
        {
            let mut known = self.0.remove(at);
            let is_used = |resource: &Resource, key: &Vec<usize>| {
                let mut others = self.0.iter().filter_map(|other| other.wants.get(resource));
                others.any(|(_, below)| below.len() > key.len() && below.starts_with(key))
            };
            known.wants.retain(|resource, (_, key)| is_used(resource, key));
            if !known.wants.is_empty() {
                self.0.insert(at, known);
            }
        }
    }
}

#[test]
fn every_history_goes_as_the_rule_says() {
    let (mut circles, mut upgrades, mut waits) = (0, 0, 0);
    for seed in 0..600 {
        let mut draw = Draw(seed);
        let (mut table, mut rule) = (Table::default(), Rule::default());
        let mut ids = HashMap::new();
        // Ancestors of each task, also of tasks that claim nothing.
        let mut families: Vec<Vec<usize>> = vec![Vec::new()];
        for step in 0..40 {
            let what = format!("seed {seed}, step {step}");
            if draw.below(3) > 0 {
                let number = families.len();
                // Only a running task can submit a child.
                let runs = |parent: usize| match rule.0.iter().find(|known| known.task == parent) {
                    Some(known) => !known.is_over && rule.is_granted(known),
                    None => !ids.contains_key(&parent),
                };
                let parent = draw.below(number as u64) as usize;
                let above = if draw.below(2) == 0 && parent > 0 && runs(parent) {
                    let above = families[parent].iter().copied();
                    std::iter::once(parent).chain(above).collect()
                } else {
                    Vec::new()
                };
                families.push(above.clone());
                let list: Vec<_> = (0..draw.below(4))
                    .map(|_| (draw.below(4), if draw.below(2) == 0 { Mode::Read } else { Mode::Write }))
                    .collect();
                let wants = wants(&list);
                if wants.is_empty() {
                    continue;
                }
                let entered = table.enter(task(number), above.iter().copied().map(task).collect(), wants.clone());
                match (entered, rule.enter(number, &above, &wants)) {
                    (Ok((id, granted)), Ok(known)) => {
                        assert_eq!(granted.initialized(), rule.is_granted(&known), "{what}");
                        waits += usize::from(!granted.initialized());
                        ids.insert(number, id);
                        rule.0.push(known);
                    }
                    (Err(refusal), Err(expected)) => match (refusal, expected) {
                        (Refusal::Circle(circle), Refusal::Circle(_)) => {
                            assert!(
                                above.iter().any(|above| circle.first() == Some(&task(*above))),
                                "{what}"
                            );
                            assert_eq!(
                                circle.get(1),
                                Some(&task(number)),
                                "{what}: the ancestor waits for the task"
                            );
                            circles += 1;
                        }
                        (refusal, expected) => {
                            assert_eq!(refusal, expected, "{what}");
                            upgrades += 1;
                        }
                    },
                    (entered, expected) => panic!("{what}: {entered:?}, not {:?}", expected.map(|_| ())),
                }
            } else if rule.0.iter().any(|known| !known.is_over) {
                // Any claim may end: also one that waits, or that has descendants.
                let live: Vec<_> = (0..rule.0.len()).filter(|at| !rule.0[*at].is_over).collect();
                let at = live[draw.below(live.len() as u64) as usize];
                let gone = rule.0[at].task;
                rule.end(at);
                let others: Vec<_> = rule.0.iter().filter(|known| !known.is_over).collect();
                let before = others.iter().filter(|known| table.is_granted(ids[&known.task])).count();
                let granted = table.leave(ids[&gone]).len();
                let after = others.iter().filter(|known| table.is_granted(ids[&known.task])).count();
                assert_eq!(before + granted, after, "{what}");
            }
            for known in rule.0.iter().filter(|known| !known.is_over) {
                assert_eq!(table.is_granted(ids[&known.task]), rule.is_granted(known), "{what}");
            }
            let waiting = rule
                .0
                .iter()
                .filter(|known| !known.is_over && !rule.is_granted(known))
                .count();
            assert_eq!(table.waiting(), waiting, "{what}");
        }
        for known in rule.0.iter().filter(|known| !known.is_over) {
            table.leave(ids[&known.task]);
        }
        assert!(table.is_empty(), "seed {seed}: {table:?}");
    }
    // Enough that each case occurred.
    assert!(
        circles > 20 && upgrades > 20 && waits > 2_000,
        "{circles} {upgrades} {waits}"
    );
}

#[test]
fn a_long_line_is_cleared_as_fast_as_it_formed() {
    let mut table = Table::default();
    let ids: Vec<_> = (0..5_000)
        .map(|number| {
            table
                .enter(task(number), Vec::new(), wants(&[(1, Mode::Write)]))
                .unwrap()
                .0
        })
        .collect();
    assert_eq!(table.waiting(), ids.len() - 1);
    for (number, id) in ids.iter().enumerate() {
        assert_eq!(table.leave(*id).len(), usize::from(number + 1 < ids.len()));
    }
    assert!(table.is_empty());
}

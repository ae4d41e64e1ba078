//! The table of resources, compared with the rule it stands for.

use super::*;

/// A generator of numbers that look random, the same in every run.
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

/// A claim as the rule sees it: its order among all others on each resource is written down when it comes.
#[derive(Clone)]
struct Known {
    task: usize,
    above: Vec<usize>,
    /// How each resource is used, and its key: whoever has the lesser key goes first.
    wants: BTreeMap<Resource, (Mode, Vec<usize>)>,
}

#[derive(Default)]
struct Rule(Vec<Known>);

impl Rule {
    fn is_in_the_way(before: &Known, known: &Known) -> bool {
        !known.above.contains(&before.task)
            && known.wants.iter().any(|(resource, (mode, key))| {
                let other = before.wants.get(resource);
                other.is_some_and(|(other, before)| before < key && (*mode == Mode::Write || *other == Mode::Write))
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
                .filter_map(|task| self.0.iter().find(|known| known.task == *task));
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
            wants: keyed,
        };
        let mut with = Self(self.0.clone());
        with.0.push(known.clone());
        if with.is_stuck() {
            Err(Refusal::Circle)
        } else {
            Ok(known)
        }
    }

    /// Whether some would never end, if all go on until those below them have ended.
    fn is_stuck(&self) -> bool {
        let mut rest = Self(self.0.clone());
        while !rest.0.is_empty() {
            let can_end =
                |known: &Known| rest.is_granted(known) && !rest.0.iter().any(|other| other.above.contains(&known.task));
            match rest.0.iter().position(can_end) {
                Some(at) => drop(rest.0.remove(at)),
                None => return true,
            }
        }
        false
    }
}

#[test]
fn every_history_goes_as_the_rule_says() {
    let (mut circles, mut upgrades, mut waits) = (0, 0, 0);
    for seed in 0..3_000 {
        let mut draw = Draw(seed);
        let (mut table, mut rule) = (Table::default(), Rule::default());
        let mut ids = HashMap::new();
        // The tasks above each task, also of those that want nothing.
        let mut families: Vec<Vec<usize>> = vec![Vec::new()];
        for step in 0..40 {
            let what = format!("seed {seed}, step {step}");
            if draw.below(3) > 0 {
                let number = families.len();
                // Only who runs has tasks below.
                let runs = |parent: usize| match rule.0.iter().find(|known| known.task == parent) {
                    Some(known) => rule.is_granted(known),
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
                    (Err(refusal), Err(expected)) => {
                        assert_eq!(refusal, expected, "{what}");
                        circles += usize::from(refusal == Refusal::Circle);
                        upgrades += usize::from(refusal != Refusal::Circle);
                    }
                    (entered, expected) => panic!("{what}: {entered:?}, not {:?}", expected.map(|_| ())),
                }
            } else if !rule.0.is_empty() {
                // Whoever: also one that waits, and one with others below it.
                let at = draw.below(rule.0.len() as u64) as usize;
                let gone = rule.0.remove(at);
                let before = rule.0.iter().filter(|known| table.is_granted(ids[&known.task])).count();
                let granted = table.leave(ids[&gone.task]).len();
                let after = rule.0.iter().filter(|known| table.is_granted(ids[&known.task])).count();
                assert_eq!(before + granted, after, "{what}");
            }
            for known in &rule.0 {
                assert_eq!(table.is_granted(ids[&known.task]), rule.is_granted(known), "{what}");
            }
            let waiting = rule.0.iter().filter(|known| !rule.is_granted(known)).count();
            assert_eq!(table.waiting(), waiting, "{what}");
        }
        for known in rule.0 {
            table.leave(ids[&known.task]);
        }
        assert!(table.is_empty(), "seed {seed}: {table:?}");
    }
    // So many that each case was played out.
    assert!(
        circles > 100 && upgrades > 100 && waits > 10_000,
        "{circles} {upgrades} {waits}"
    );
}

#[test]
fn a_long_line_is_cleared_as_fast_as_it_formed() {
    let mut table = Table::default();
    let ids: Vec<_> = (0..20_000)
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

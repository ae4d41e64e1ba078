//! Items of a turn, put together from all events that carry them.
//!
//! OpenAI's own events need none of this. Each rule is for servers that copy the API:
//!
//! | in the stream | rule |
//! |---|---|
//! | two items at one `output_index` | an index orders items; it doesn't identify them |
//! | an item that is done twice | an item with the ids and the content of a known one is that one |
//! | an index that is not the last one, other ids in the final output | the final output repeats items, and decides their order |
//! | one `call_id` for two calls | two calls; the second gets an id of ours |
//! | a call without `call_id` | it gets an id of ours |
//! | `arguments` as an object | taken |
//! | `arguments` only in their own events | taken from those |
//! | `arguments` empty, with more in the final output | such a call waits for the end of the turn |
//! | a call that is announced and never done | taken if its arguments are complete, otherwise an error |
//! | `status: in_progress` of a call that is done | such a call waits for the end of the turn, and for valid JSON |

use std::collections::HashSet;

use async_tool_wire::halves;
use serde_json::{Map, Value, json};

use super::item;

/// The items of a turn so far.
#[derive(Debug)]
pub(super) struct Output {
    entries: Vec<Entry>,
    announced: Vec<Announced>,
    /// Ids of calls on our side.
    used: HashSet<String>,
    /// Beginning of the ids that this adapter makes.
    own_ids: String,
}

/// An item.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) place: Option<u64>,
    pub(super) item: Value,
    /// True if the arguments came in their own events only.
    is_filled: bool,
    /// Id of the call on our side, once the call is given.
    pub(super) call: Option<String>,
}

/// A call whose item is not done.
#[derive(Debug, Default)]
struct Announced {
    place: Option<u64>,
    id: Option<String>,
    call_id: Option<String>,
    name: Option<String>,
    /// Arguments with which the item began; some servers send all of them there.
    first: String,
    arguments: String,
    /// True if an event has announced the item itself.
    is_added: bool,
    /// True if all arguments have come.
    is_complete: bool,
    is_done: bool,
}

/// An item that has just come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// It is at this index.
    New(usize),
    /// It has come before.
    Known,
    /// It is a call at this index, which waits for the end of the turn.
    Held(usize),
}

/// A call that a complete turn holds only in part.
#[derive(Debug)]
pub(super) struct CutOff;

impl Output {
    pub(super) fn new(own_ids: String) -> Self {
        Self {
            entries: Vec::new(),
            announced: Vec::new(),
            used: HashSet::new(),
            own_ids,
        }
    }

    pub(super) fn entry(&self, index: usize) -> &Entry {
        &self.entries[index]
    }

    /// True if the turn has a call.
    pub(super) fn has_calls(&self) -> bool {
        !self.used.is_empty()
    }

    /// Gives the call at this index an id that no other call of the turn has.
    pub(super) fn name_call(&mut self, index: usize) -> String {
        let entry = &mut self.entries[index];
        let given = item::text(&entry.item, "call_id");
        let id = match given {
            Some(id) if !self.used.contains(id) => id.to_owned(),
            _ => {
                let base = given.unwrap_or(&self.own_ids);
                let mut number = self.used.len() + 1;
                loop {
                    let id = format!("{base}_{number}");
                    if !self.used.contains(&id) {
                        break id;
                    }
                    number += 1;
                }
            }
        };
        self.used.insert(id.clone());
        entry.call = Some(id.clone());
        id
    }

    /// Takes an item of the stream that is not done.
    pub(super) fn announce(&mut self, event: &Value) {
        let Some(item) = event.get("item").filter(|item| item::is_call(item)) else {
            return;
        };
        let owned = |name: &str| item::text(item, name).map(str::to_owned);
        let announced = Announced {
            place: item::place(event),
            id: owned("id"),
            call_id: owned("call_id"),
            name: owned("name"),
            first: item::arguments(item).into(),
            is_added: true,
            ..Announced::default()
        };
        let is_known = self.announced.iter().any(|known| {
            let is_same = known.is_added && known.call_id == announced.call_id;
            is_same
                && (announced.id.is_some() && known.id == announced.id
                    || announced.call_id.is_some() && known.place == announced.place)
        });
        if !is_known {
            self.announced.push(announced);
        }
    }

    /// Takes a piece of a call's arguments, which may end with a half of a character, or all of them.
    pub(super) fn arguments(&mut self, event: &Value, is_whole: bool) {
        let (id, place) = (item::text(event, "item_id"), item::place(event));
        let open =
            |is_it: &dyn Fn(&Announced) -> bool| self.announced.iter().position(|known| !known.is_done && is_it(known));
        let index =
            open(&|known| id.is_some() && known.id.as_deref() == id).or_else(|| open(&|known| known.place == place));
        let index = index.unwrap_or_else(|| {
            self.announced.push(Announced {
                place,
                id: id.map(str::to_owned),
                ..Announced::default()
            });
            self.announced.len() - 1
        });
        let known = &mut self.announced[index];
        let field = if is_whole { "arguments" } else { "delta" };
        let text = match event.get(field) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        };
        if is_whole {
            if !text.is_empty() {
                known.arguments = text;
            }
            known.is_complete = true;
            if let Some(name) = item::text(event, "name") {
                known.name = Some(name.to_owned());
            }
        } else {
            known.arguments.push_str(&text);
        }
    }

    /// Takes an item that the stream calls done.
    pub(super) fn done(&mut self, event: &Value, item: &Value) -> Came {
        let place = item::place(event);
        if self.entries.iter().any(|known| known.is_again(place, item)) {
            return Came::Known;
        }
        let mut item = item.clone();
        let mut is_filled = false;
        if item::is_call(&item)
            && let Some(announced) = self.fulfil(place, &item)
            && item::arguments(&item).is_empty()
            && !announced.is_empty()
            && let Some(fields) = item.as_object_mut()
        {
            fields.insert("arguments".into(), Value::String(announced));
            is_filled = true;
        }
        let is_held = item::is_call(&item) && (is_cut_off(&item) || item::arguments(&item).is_empty());
        // A call that was held, and has come again in full.
        let held = self.entries.iter().position(|known| {
            let same = |name: &str| item::text(&known.item, name) == item::text(&item, name);
            let has_id = ["id", "call_id"].iter().any(|name| item::text(&item, name).is_some());
            known.is_held() && item::is_call(&item) && has_id && same("id") && same("call_id") && same("name")
        });
        let index = match held {
            Some(index) => {
                self.entries[index].item = item;
                index
            }
            None => self.push(place, item),
        };
        self.entries[index].is_filled = is_filled;
        if is_held { Came::Held(index) } else { Came::New(index) }
    }

    /// Marks an announced call as done; returns the arguments that came for it.
    fn fulfil(&mut self, place: Option<u64>, item: &Value) -> Option<String> {
        let (id, call_id) = (item::text(item, "id"), item::text(item, "call_id"));
        let is_it: [&dyn Fn(&Announced) -> bool; 4] = [
            &|known| id.is_some() && known.id.as_deref() == id && known.place == place,
            &|known| id.is_some() && known.id.as_deref() == id,
            &|known| call_id.is_some() && known.call_id.as_deref() == call_id,
            &|known| place.is_some() && known.place == place,
        ];
        let index = is_it
            .iter()
            .find_map(|is_it| self.announced.iter().position(|known| !known.is_done && is_it(known)))?;
        let known = &mut self.announced[index];
        known.is_done = true;
        Some(known.whole_arguments())
    }

    fn push(&mut self, place: Option<u64>, item: Value) -> usize {
        self.entries.push(Entry {
            place,
            item,
            is_filled: false,
            call: None,
        });
        self.entries.len() - 1
    }

    /// Takes the final output: a repetition of the items of the stream, and perhaps more. Returns the indices of items
    /// that no event has told, and of held calls that are complete now.
    pub(super) fn end(&mut self, output: &[Value], is_complete: bool) -> Result<Vec<usize>, CutOff> {
        let known = self.entries.len();
        let mut claims: Vec<Option<usize>> = vec![None; output.len()];
        let same = |one: &Value, other: &Value, name: &str| {
            item::text(one, name).is_some() && item::text(one, name) == item::text(other, name)
        };
        let rules: [&dyn Fn(&Entry, usize, &Value) -> bool; 6] = [
            &|entry, _, item| {
                let is_call = !item::is_call(item) || same(&entry.item, item, "call_id");
                same(&entry.item, item, "id") && is_call && entry.says(item)
            },
            &|entry, _, item| {
                let is_call = !item::is_call(item) || same(&entry.item, item, "call_id");
                is_call && entry.says(item)
            },
            &|entry, _, item| entry.says(item),
            &|entry, _, item| same(&entry.item, item, if item::is_call(item) { "call_id" } else { "id" }),
            &|entry, _, item| item::is_call(item) && same(&entry.item, item, "id"),
            &|entry, place, item| !item::is_call(item) && entry.place == u64::try_from(place).ok(),
        ];
        for is_it in rules {
            for (place, item) in output.iter().enumerate().filter(|(_, item)| item.is_object()) {
                if claims[place].is_some() {
                    continue;
                }
                claims[place] = (0..known).find(|index| {
                    let entry = &self.entries[*index];
                    let is_free = !claims.contains(&Some(*index));
                    is_free && item::kind(&entry.item) == item::kind(item) && is_it(entry, place, item)
                });
            }
        }
        let mut told = Vec::new();
        for (place, (item, claim)) in output
            .iter()
            .zip(claims)
            .enumerate()
            .filter(|(_, (item, _))| item.is_object())
        {
            let at = u64::try_from(place).ok();
            match claim {
                Some(index) => {
                    let entry = &mut self.entries[index];
                    entry.place = at;
                    let has_more = !item::arguments(item).is_empty() || item::arguments(&entry.item).is_empty();
                    if entry.is_held() && has_more {
                        entry.item = item.clone();
                    }
                }
                None => {
                    if item::is_call(item) {
                        self.fulfil(at, item);
                    }
                    told.push(self.push(at, item.clone()));
                }
            }
        }
        told.extend(self.announced_only());
        told.extend((0..known).filter(|index| self.entries[*index].is_held()));
        told.sort_by_key(|index| self.entries[*index].place.unwrap_or(u64::MAX));
        let is_whole = |item: &Value| !is_cut_off(item) || (is_complete && is_unmarked_end(item));
        let has_lost_call = told.iter().any(|index| {
            let item = &self.entries[*index].item;
            item::is_call(item) && !is_whole(item)
        });
        // An announced call is lost only if fewer calls came than were announced.
        if is_complete && (has_lost_call || self.missing() > 0) {
            return Err(CutOff);
        }
        told.retain(|index| {
            let item = &self.entries[*index].item;
            !item::is_call(item) || is_whole(item)
        });
        Ok(told)
    }

    /// Adds calls of which only the announcement and the arguments have come.
    fn announced_only(&mut self) -> Vec<usize> {
        let is_lost = |known: &&Announced| !known.is_done && known.is_complete && known.name.is_some();
        let lost = self.announced.iter().filter(is_lost).take(self.missing());
        let lost: Vec<_> = lost.map(Announced::item).collect();
        lost.into_iter().map(|(place, item)| self.push(place, item)).collect()
    }

    /// Number of calls that were announced and have not come.
    fn missing(&self) -> usize {
        let calls = self.entries.iter().filter(|entry| item::is_call(&entry.item)).count();
        let announced = self
            .announced
            .iter()
            .filter(|known| known.is_added || known.name.is_some());
        announced.count().saturating_sub(calls)
    }

    /// The items in their order, each call with its id on our side. A call that was not given is left out.
    pub(super) fn take_items(&mut self) -> Vec<(Value, Option<String>)> {
        let mut entries = std::mem::take(&mut self.entries);
        entries.retain(|entry| !entry.is_held());
        let mut last = 0;
        let mut places = Vec::with_capacity(entries.len());
        for entry in &entries {
            last = entry.place.unwrap_or(last);
            places.push(last);
        }
        let mut entries: Vec<_> = places.into_iter().zip(entries).collect();
        entries.sort_by_key(|(place, _)| *place);
        entries.into_iter().map(|(_, entry)| (entry.item, entry.call)).collect()
    }
}

impl Entry {
    /// True for a call that is not given.
    fn is_held(&self) -> bool {
        item::is_call(&self.item) && self.call.is_none()
    }

    /// True if the item says the same, or leaves out what came in other events.
    fn says(&self, item: &Value) -> bool {
        let is_bare =
            || item::is_call(item) && item::arguments(item).is_empty() && item::name(&self.item) == item::name(item);
        item::has_same_content(&self.item, item) || (self.is_filled && is_bare())
    }

    /// True if the item is this one, done a second time.
    fn is_again(&self, place: Option<u64>, item: &Value) -> bool {
        let ids = (item::text(&self.item, "id"), item::text(item, "id"));
        let may_be = match ids {
            (Some(known), Some(id)) => known == id,
            _ => self.place.is_none() || place.is_none() || self.place == place,
        };
        let is_call = item::text(&self.item, "call_id") == item::text(item, "call_id");
        may_be && is_call && is_cut_off(&self.item) == is_cut_off(item) && self.says(item)
    }
}

impl Announced {
    fn item(&self) -> (Option<u64>, Value) {
        let mut item = Map::new();
        item.insert("type".into(), json!("function_call"));
        for (name, value) in [("id", &self.id), ("call_id", &self.call_id), ("name", &self.name)] {
            if let Some(value) = value {
                item.insert(name.into(), json!(value));
            }
        }
        item.insert("arguments".into(), json!(self.whole_arguments()));
        (self.place, Value::Object(item))
    }

    fn whole_arguments(&self) -> String {
        let whole = halves::join(&self.arguments);
        if whole.trim().is_empty() {
            self.first.clone()
        } else {
            whole
        }
    }
}

fn is_cut_off(item: &Value) -> bool {
    matches!(item::text(item, "status"), Some("incomplete" | "in_progress"))
}

/// True for a call whose status was never set to its end, and whose arguments are complete.
fn is_unmarked_end(item: &Value) -> bool {
    item::text(item, "status") == Some("in_progress")
        && serde_json::from_str::<Map<String, Value>>(&item::arguments(item)).is_ok()
}

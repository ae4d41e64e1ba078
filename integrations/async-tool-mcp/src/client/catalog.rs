//! Tools that a server offers.

use std::{collections::BTreeSet, sync::Arc};

use async_tool_runtime::Effect;
use serde_json::{Value, json};

use super::{
    failure::{Failure, shown},
    reply,
    settings::Settings,
    wire::Connection,
};

/// Limit of pages and of tools, against a server whose list never ends.
const PAGES: usize = 200;
const TOOLS: usize = 10_000;

/// Tools that a server offers, by their names in the manager, in the server's order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Catalog {
    pub(super) tools: Vec<Arc<Offer>>,
}

/// Tool that a server offers.
#[derive(Debug, PartialEq)]
pub(super) struct Offer {
    /// Name in the manager: made of the characters that all providers of models take.
    pub(super) name: Arc<str>,
    /// Name on the server.
    pub(super) remote: String,
    pub(super) description: String,
    pub(super) input_schema: Value,
    pub(super) effect: Effect,
}

impl Catalog {
    /// Asks a server for its tools.
    pub(super) async fn fetch(connection: &Connection, settings: &Settings) -> Result<Self, Failure> {
        let mut tools = Vec::new();
        let mut params = json!({});
        for _ in 0..PAGES {
            let answer = connection.ask("tools/list", params, settings.control).await?;
            let page = reply::complete(answer)?;
            let Some(list) = page["tools"].as_array() else {
                return Err(Failure::Invalid("`tools/list` has no list of tools".to_owned()));
            };
            tools.extend(list.iter().cloned());
            match page["nextCursor"].as_str() {
                Some(cursor) if !list.is_empty() && tools.len() < TOOLS => params = json!({"cursor": cursor}),
                _ => return Ok(Self::of(&tools, settings)),
            }
        }
        tracing::warn!(target: "async_tool::mcp", pages = PAGES, "the list of tools doesn't end, and is cut");
        Ok(Self::of(&tools, settings))
    }

    /// Reads definitions. One that can't be read is left out, so that it doesn't cost the others.
    fn of(tools: &[Value], settings: &Settings) -> Self {
        let mut found: Vec<Arc<Offer>> = Vec::new();
        let (mut names, mut remotes) = (BTreeSet::new(), BTreeSet::new());
        for tool in tools {
            let Some(mut offer) = read(tool, settings) else {
                let name = tool["name"].as_str().unwrap_or("without a name");
                tracing::warn!(target: "async_tool::mcp", tool = shown(name), "the definition of a tool can't be used; the tool is left out");
                continue;
            };
            if !remotes.insert(offer.remote.clone()) {
                continue;
            }
            let mut count = 1;
            let usual = Arc::clone(&offer.name);
            while !names.insert(Arc::clone(&offer.name)) {
                count += 1;
                offer.name = numbered(&usual, count).into();
            }
            found.push(Arc::new(offer));
        }
        Self { tools: found }
    }

    /// Tool of this name on the server.
    pub(super) fn find(&self, remote: &str) -> Option<&Arc<Offer>> {
        self.tools.iter().find(|offer| offer.remote == remote)
    }

    pub(super) fn names(&self) -> Vec<Arc<str>> {
        self.tools.iter().map(|offer| Arc::clone(&offer.name)).collect()
    }
}

fn read(tool: &Value, settings: &Settings) -> Option<Offer> {
    let remote = tool["name"].as_str().filter(|name| !name.is_empty())?;
    let input_schema = tool.get("inputSchema").filter(|schema| schema.is_object())?;
    let kind = input_schema.get("type");
    if kind.is_some_and(|kind| kind != "object") {
        return None;
    }
    let description = tool["description"].as_str().or_else(|| tool["title"].as_str());
    let hint = |name: &str| settings.trusts_annotations && tool["annotations"][name] == true;
    let effect = if hint("readOnlyHint") {
        Effect::Read
    } else if hint("idempotentHint") {
        Effect::Idempotent
    } else {
        Effect::Once
    };
    Some(Offer {
        name: usual(&settings.prefix, remote).into(),
        remote: remote.to_owned(),
        description: description.unwrap_or_default().to_owned(),
        input_schema: input_schema.clone(),
        effect,
    })
}

/// Name that all providers of models take: 1 to 64 ASCII letters, digits, `_` and `-`, the first a letter or `_`.
fn usual(prefix: &str, remote: &str) -> String {
    let usual = |letter: char| match letter {
        letter if letter.is_ascii_alphanumeric() || letter == '-' => letter,
        _ => '_',
    };
    let name: String = prefix.chars().chain(remote.chars()).map(usual).collect();
    let begins_badly = name.starts_with(|first: char| first.is_ascii_digit() || first == '-');
    let name: String = begins_badly
        .then_some('_')
        .into_iter()
        .chain(name.chars())
        .take(64)
        .collect();
    // The agent's own tool has this name.
    if name == "task" { "remote_task".to_owned() } else { name }
}

fn numbered(name: &str, count: u32) -> String {
    let suffix = format!("_{count}");
    let kept = name.len().min(64 - suffix.len());
    format!("{}{suffix}", &name[..kept])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog(tools: Value, settings: &Settings) -> Catalog {
        Catalog::of(tools.as_array().unwrap(), settings)
    }

    #[test]
    fn names_become_usual_ones_and_stay_different() {
        let tool = |name: &str| json!({"name": name, "inputSchema": {"type": "object"}});
        let long = "x".repeat(100);
        let tools = json!([
            tool("a.b/c"),
            tool("a_b_c"),
            tool("a b c"),
            tool("task"),
            tool(&long),
            tool(&format!("{long}y")),
            tool("a.b/c"),
            tool("1-click"),
            tool("-x")
        ]);
        let names = catalog(tools, &Settings::default()).names();
        let expected = [
            "a_b_c",
            "a_b_c_2",
            "a_b_c_3",
            "remote_task",
            &"x".repeat(64),
            &format!("{}_2", "x".repeat(62)),
            "_1-click",
            "_-x",
        ];
        assert_eq!(names.iter().map(|name| &**name).collect::<Vec<_>>(), expected);
        let settings = Settings {
            prefix: "git.".to_owned(),
            ..Settings::default()
        };
        assert_eq!(&*catalog(json!([tool("log")]), &settings).names()[0], "git_log");
    }

    #[test]
    fn a_definition_that_cannot_be_used_costs_no_other_one() {
        let tools = json!([
            {"name": "no_schema"}, {"inputSchema": {"type": "object"}}, {"name": "", "inputSchema": {}}, 7, null,
            {"name": "of_text", "inputSchema": {"type": "string"}}, {"name": "text", "inputSchema": "{}"},
            {"name": "good", "inputSchema": {}, "description": 5, "title": "Good."},
        ]);
        let catalog = catalog(tools, &Settings::default());
        assert_eq!(catalog.tools.len(), 1);
        assert_eq!(
            (&*catalog.tools[0].name, &*catalog.tools[0].description),
            ("good", "Good.")
        );
    }

    #[test]
    fn annotations_become_effects() {
        for (annotations, effect) in [
            (json!(null), Effect::Once),
            (json!({}), Effect::Once),
            (json!({"readOnlyHint": true}), Effect::Read),
            (json!({"idempotentHint": true}), Effect::Idempotent),
            (
                json!({"idempotentHint": true, "readOnlyHint": false, "destructiveHint": true}),
                Effect::Idempotent,
            ),
            (json!({"readOnlyHint": "true"}), Effect::Once),
            (json!({"destructiveHint": false}), Effect::Once),
        ] {
            let tools = json!([{"name": "a", "inputSchema": {}, "annotations": annotations}]);
            assert_eq!(
                catalog(tools.clone(), &Settings::default()).tools[0].effect,
                effect,
                "{annotations}"
            );
            let wary = Settings {
                trusts_annotations: false,
                ..Settings::default()
            };
            assert_eq!(catalog(tools, &wary).tools[0].effect, Effect::Once, "{annotations}");
        }
    }
}

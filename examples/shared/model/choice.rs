//! The choice itself: a function of what was asked, what is set, and who answers.

use std::{error::Error, fmt, str::FromStr};

use async_tool_runtime::RulePlanner;

use super::{
    ModelName, NameError,
    provider::{PROVIDERS, variables_of},
};

/// What the command line asks for by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The built-in rule planner.
    Planner,
    /// A model.
    Model(ModelName),
}

impl FromStr for Asked {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text {
            "planner" => Ok(Self::Planner),
            _ => text.parse().map(Self::Model),
        }
    }
}

/// Which model it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The built-in rule planner.
    Planner,
    /// A language model.
    Model(Wanted),
}

/// A language model, and how to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its name.
    pub name: ModelName,
    /// Where its server is, if not at the provider's own address.
    pub base_url: Option<String>,
    /// The variable that holds the key, if one is needed.
    pub key: Option<&'static str>,
    /// Why this one.
    pub source: Source,
}

/// Why a model was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// It was named.
    Named,
    /// Its provider's key is in the environment.
    Key,
    /// Its server answered; what the server is.
    Answered(&'static str),
}

/// A server that answered, and a model that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// What the server is.
    pub server: &'static str,
    /// Where it is.
    pub base_url: String,
    /// One of its models, with the provider whose protocol it speaks.
    pub name: ModelName,
}

impl Wanted {
    /// A model that was named. Its key is looked for in the environment.
    ///
    /// # Errors
    ///
    /// [`ChoiceError::NoKey`] if it is known to need a key, and none is set. A server at another address needs none.
    pub fn named(name: ModelName, base_url: Option<&str>, is_set: impl Fn(&str) -> bool) -> Result<Self, ChoiceError> {
        let variables = variables_of(name.provider());
        let key = variables.iter().copied().find(|variable| is_set(variable));
        if key.is_none() && !variables.is_empty() && base_url.is_none() {
            return Err(ChoiceError::NoKey { name, variables });
        }
        Ok(Self {
            name,
            base_url: base_url.map(str::to_owned),
            key,
            source: Source::Named,
        })
    }

    /// The model of the first provider whose key is set.
    fn by_key(base_url: Option<&str>, is_set: impl Fn(&str) -> bool) -> Option<Self> {
        PROVIDERS.iter().find_map(|provider| {
            let key = provider.variables.iter().copied().find(|variable| is_set(variable))?;
            Some(Self {
                name: ModelName::new(provider.name, provider.model).ok()?,
                base_url: base_url.map(str::to_owned),
                key: Some(key),
                source: Source::Key,
            })
        })
    }

    fn served(served: Served) -> Self {
        Self {
            name: served.name,
            base_url: Some(served.base_url),
            key: None,
            source: Source::Answered(served.server),
        }
    }
}

/// Chooses, in the order of the module's documentation. `is_set` tells whether a variable is in the environment; `probe` is asked who
/// answers at an address, or without one at those where local servers are, and only if nothing else decides.
pub(super) async fn choose(
    asked: Option<Asked>,
    base_url: Option<&str>,
    is_set: impl Fn(&str) -> bool,
    probe: impl AsyncFnOnce(Option<&str>) -> Option<Served>,
) -> Result<Choice, ChoiceError> {
    match asked {
        Some(Asked::Planner) if base_url.is_some() => return Err(ChoiceError::PlannerHasNoServer),
        Some(Asked::Planner) => return Ok(Choice::Planner),
        Some(Asked::Model(name)) => return Wanted::named(name, base_url, is_set).map(Choice::Model),
        None => {}
    }
    if let Some(wanted) = Wanted::by_key(base_url, is_set) {
        return Ok(Choice::Model(wanted));
    }
    match (probe(base_url).await, base_url) {
        (Some(served), _) => Ok(Choice::Model(Wanted::served(served))),
        (None, Some(url)) => Err(ChoiceError::NobodyAnswers(url.to_owned())),
        (None, None) => Ok(Choice::Planner),
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Planner => f.write_str(RulePlanner::LABEL),
            Self::Model(wanted) => fmt::Display::fmt(wanted, f),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.name, f)?;
        if let Some(url) = &self.base_url {
            write!(f, " at {url}")?;
        }
        match (self.source, self.key) {
            (Source::Key, Some(variable)) => write!(f, ", because {variable} is set"),
            (Source::Answered(server), _) => write!(f, ", because {server} answers"),
            (Source::Named | Source::Key, _) => Ok(()),
        }
    }
}

/// The model that was asked for can't be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChoiceError {
    /// Its provider wants a key, and none is in the environment.
    NoKey {
        /// The model.
        name: ModelName,
        /// The variables that were looked at.
        variables: &'static [&'static str],
    },
    /// There is an address, but no model and no key, and no server with models answers there.
    NobodyAnswers(String),
    /// There is an address for the planner, which is a part of the program.
    PlannerHasNoServer,
}

impl fmt::Display for ChoiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKey { name, variables } => write!(
                f,
                "`{name}` needs a key: set {}, or name another server with `--base-url`",
                variables.join(" or ")
            ),
            Self::NobodyAnswers(url) => write!(
                f,
                "no server at {url} says what models it has; name one with `--model provider/name`"
            ),
            Self::PlannerHasNoServer => {
                f.write_str("`--model planner` is a part of the program: leave out `--base-url`")
            }
        }
    }
}

impl Error for ChoiceError {}

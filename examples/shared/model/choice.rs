//! The choice of a model, from the command line, the environment and the servers that answer.

use std::{error::Error, fmt, str::FromStr};

use async_tool_runtime::RulePlanner;

use super::{
    ModelName, NameError,
    provider::{PROVIDERS, variables_of},
};

/// Model that the command line names.
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

/// Model that was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The built-in rule planner.
    Planner,
    /// A language model.
    Model(Wanted),
}

/// A language model, with its address and key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Name of the model.
    pub name: ModelName,
    /// Address of the server; `None`: the provider's own.
    pub base_url: Option<String>,
    /// Environment variable with the key; `None` if no key is needed.
    pub key: Option<&'static str>,
    /// Reason for the choice.
    pub source: Source,
}

/// Reason for the choice of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The command line names it.
    Named,
    /// Its provider's key is in the environment.
    Key,
    /// Its server answered; has the name of the server's software.
    Answered(&'static str),
}

/// A server that answered, with one of its models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// Name of the server's software.
    pub server: &'static str,
    /// Address of the server.
    pub base_url: String,
    /// One of its models, with the provider whose protocol it speaks.
    pub name: ModelName,
}

impl Wanted {
    /// A model that the command line names; its key comes from the environment.
    ///
    /// # Errors
    ///
    /// [`ChoiceError::NoKey`] if its provider needs a key and none is set. With a `base_url` no key is needed.
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

    /// Default model of the first provider whose key is set.
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

/// Chooses a model, in the order of the module's documentation.
///
/// `is_set` is true for a variable that is in the environment. `probe` looks for a server at an address, or without one at the
/// addresses of local servers; it is called only if nothing else decides.
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

/// A command line whose model can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChoiceError {
    /// The provider needs a key, and none is in the environment.
    NoKey {
        /// Name of the model.
        name: ModelName,
        /// Environment variables that may hold the key.
        variables: &'static [&'static str],
    },
    /// There is an address without a model and without a key, and the server there lists no models.
    NobodyAnswers(String),
    /// There is an address for the planner, which needs no server.
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
                "no server at {url} lists its models; name one with `--model provider/name`"
            ),
            Self::PlannerHasNoServer => f.write_str("`--model planner` needs no server: leave out `--base-url`"),
        }
    }
}

impl Error for ChoiceError {}

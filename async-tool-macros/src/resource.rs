//! Arguments that name the resources a tool reads and writes.

use syn::{LitStr, ext::IdentExt};

use crate::{
    entry::{Entry, nearest},
    errors::Errors,
    parameter::Parameter,
};

/// A list of resources, such as `reads = "path, file:source"`.
pub(crate) struct Resources {
    key: String,
    pub(crate) literal: LitStr,
}

impl Resources {
    pub(crate) fn parse(entry: &Entry, errors: &Errors) -> Option<Self> {
        let literal = entry.string(errors)?;
        let key = entry.key.to_string();
        Some(Self { key, literal })
    }

    /// Checks that the arguments exist. Called once the parameters are read.
    pub(crate) fn check(&self, parameters: &[Parameter], errors: &Errors) {
        let Self { key, literal } = self;
        let names = parameters.iter().filter_map(Parameter::name).collect::<Vec<_>>();
        // The macro can't know names that serde changes; the manager's build checks those.
        let is_complete = parameters.iter().all(|parameter| !parameter.is_renamed_by_serde());
        for part in literal.value().split(',') {
            let (kind, argument) = part.split_once(':').unwrap_or((part, part));
            let (kind, argument) = (kind.trim(), argument.trim());
            if kind.is_empty() || argument.is_empty() {
                let message = format!(
                    "`{key}` must be names of arguments with commas between them, each alone or as `kind:argument`: write \
                     `{key} = \"path\"`"
                );
                errors.push(literal, message);
            } else if is_complete && !names.iter().any(|name| name == argument) {
                let meant = parameters
                    .iter()
                    .find(|parameter| parameter.ident.unraw() == argument)
                    .and_then(Parameter::name)
                    .or_else(|| nearest(argument, names.iter().map(String::as_str)).map(str::to_owned));
                let meant = meant.map_or_else(String::new, |name| format!("write `{name}`; "));
                let known = match &*names {
                    [] => "the tool has none".to_owned(),
                    names => {
                        let names = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>();
                        format!("the arguments are {}", names.join(", "))
                    }
                };
                let message =
                    format!("`{key}` must name arguments of the tool, and `{argument}` is none: {meant}{known}");
                errors.push(literal, message);
            }
        }
    }
}

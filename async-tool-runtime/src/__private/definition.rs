//! Definition of a tool, and the reading of its arguments.

use std::sync::{Arc, OnceLock};

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Note, note::ALIAS};
use crate::{
    schema::{is_duration, show_values_as_text},
    tool::{
        Aliases, Arguments, BoundCall, Constraints, FunctionTool, ToolDefinition, ToolError, ToolErrorKind,
        flattened::{self, Flattened, Rest},
        output::{OutputSchema, Probe},
    },
};

/// Schema key that holds the parameter's number. It identifies a property independently of serde's name for it. Generated code writes
/// it too.
const MARK: &str = "x-parameter";

/// Operations on the arguments struct of a tool.
///
/// The struct is generic, so that its derives compile for any types of the user's, and only [`argument`](super::argument()) refuses a type. Therefore a
/// struct that can't be read has these methods too: see [`UnreadableArguments`].
pub trait ReadableArguments<A> {
    /// Builds the definition of a tool whose arguments are read as `A`, without a notice.
    fn __async_tool_define(self, name: &str, description: &str, output: OutputSchema) -> Definition;

    /// Reads the arguments of a call. The error names the position, the expected form and the value found.
    fn __async_tool_bind(self, definition: &Definition, arguments: &Arguments) -> Result<A, ToolError>;
}

impl<A: DeserializeOwned + JsonSchema> ReadableArguments<A> for &Probe<A> {
    fn __async_tool_define(self, name: &str, description: &str, output: OutputSchema) -> Definition {
        let mut input = crate::schema::of_input::<A>();
        crate::tool::restore_order::<A>(&mut input);
        let definition = ToolDefinition::new(name, crate::schema::join_paragraphs(description), input);
        Definition::new(match output {
            Some(schema) => definition.with_output_schema(schema()),
            None => definition,
        })
    }

    fn __async_tool_bind(self, definition: &Definition, arguments: &Arguments) -> Result<A, ToolError> {
        let Definition {
            shown,
            constraints,
            aliases,
            ..
        } = definition;
        crate::tool::bind(&shown.input_schema, constraints, &aliases.resolve(arguments))
    }
}

/// Fallback for a struct with a field that [`argument`](super::argument()) refuses, so that the compiler reports the mistake once. Never called,
/// because the build fails.
pub trait UnreadableArguments<A> {
    /// Never called.
    fn __async_tool_define(self, name: &str, description: &str, output: OutputSchema) -> Definition;

    /// Never called.
    fn __async_tool_bind(self, definition: &Definition, arguments: &Arguments) -> Result<A, ToolError>;
}

impl<A> UnreadableArguments<A> for Probe<A> {
    fn __async_tool_define(self, name: &str, description: &str, _: OutputSchema) -> Definition {
        Definition::new(ToolDefinition::new(name, description, Value::Null))
    }

    fn __async_tool_bind(self, definition: &Definition, _: &Arguments) -> Result<A, ToolError> {
        let message = format!("the arguments of `{}` can't be read", definition.shown.name);
        Err(ToolError::new(ToolErrorKind::Internal, message))
    }
}

/// Definition and constraints of a tool, built once and shared by its calls.
#[derive(Clone, Debug)]
pub struct Definition {
    shown: ToolDefinition,
    constraints: Arc<Constraints>,
    /// Checks that serde doesn't make; `None` without flattened arguments.
    flattened: Option<Arc<Flattened>>,
    aliases: Aliases,
}

/// The definition in the static, made on first use.
pub fn once(cell: &OnceLock<Definition>, define: impl FnOnce() -> Definition) -> Definition {
    cell.get_or_init(define).clone()
}

impl Definition {
    fn new(shown: ToolDefinition) -> Self {
        let constraints = Constraints::of(&shown.input_schema).into();
        Self {
            shown,
            constraints,
            flattened: None,
            aliases: Aliases::NONE,
        }
    }

    /// Adds keywords from parameter attributes to the properties, which are marked with the parameter's number.
    #[must_use]
    pub fn with(mut self, notes: &[(usize, Note)]) -> Self {
        let mut aliases = Aliases::NONE;
        let schema = Arc::make_mut(&mut self.shown.input_schema);
        let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
        for (name, property) in properties.into_iter().flatten() {
            let is_duration = is_duration(property);
            let Some(property) = property.as_object_mut() else {
                continue;
            };
            let Some(mark) = property.remove(MARK) else { continue };
            for (number, (keyword, value)) in notes {
                match value {
                    Some(_) if mark != *number => {}
                    Some(Value::String(alias)) if *keyword == ALIAS => aliases.add(alias, name),
                    Some(value) => drop(property.insert((*keyword).to_owned(), value.clone())),
                    None => {}
                }
            }
            if is_duration {
                show_values_as_text(property);
            }
        }
        let mut definition = Self::new(self.shown);
        let properties = &definition.shown.input_schema["properties"];
        aliases.exclude(|alias| properties.get(alias).is_some());
        definition.aliases = aliases;
        definition
    }

    /// Says that the fields of some arguments are arguments themselves. `groups` has the schema of each that is optional.
    #[must_use]
    pub fn flattened<const N: usize>(mut self, groups: [Option<Value>; N]) -> Self {
        flattened::close(Arc::make_mut(&mut self.shown.input_schema));
        let flattened = Flattened::new(&self.shown.input_schema, groups);
        let mut definition = Self::new(self.shown);
        definition.aliases = self.aliases;
        definition.flattened = Some(flattened.into());
        definition
    }

    /// Checks the arguments of a call with flattened ones, after they were read.
    pub fn check_flattened(&self, sent: &Arguments, rest: &Rest, absent: &[bool]) -> Result<(), ToolError> {
        match &self.flattened {
            Some(flattened) => flattened.check(sent, rest, absent),
            None => Ok(()),
        }
    }

    /// Builds the tool, which binds its calls with `binder`.
    pub fn tool<B>(self, binder: B) -> FunctionTool
    where
        B: Fn(&Self, &Arguments) -> Result<BoundCall, ToolError> + Send + Sync + 'static,
    {
        let aliases = self.aliases.clone();
        FunctionTool::from_parts(self.shown.clone(), move |arguments| binder(&self, arguments))
            .typed()
            .aliases(aliases)
    }
}

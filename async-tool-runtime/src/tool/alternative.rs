//! Alternatives of a schema: it accepts a value that fits one of them.

use serde_json::{Map, Value};

/// Schemas that hold for one place: a value fits the union if it fits one of them. Each of them is a list of schemas that hold together.
pub(super) type Union<'a> = Vec<Vec<&'a Value>>;

/// Objects of keywords that a value must fit together, without references and choices.
pub(super) struct Alternative<'a>(Vec<&'a Map<String, Value>>);

/// Most alternatives of a place. A schema with more is left alone: schemas from elsewhere can make them multiply.
const MOST: usize = 256;

/// Most references and choices inside each other. Stops at schemas that refer to themselves.
const DEEPEST: usize = 16;

/// Alternatives of a union; `None` if they are too many, or a reference leads nowhere.
pub(super) fn alternatives<'a>(root: &'a Value, union: &Union<'a>) -> Option<Vec<Alternative<'a>>> {
    let mut all = Vec::new();
    for together in union {
        let mut sets = vec![Vec::new()];
        for schema in together {
            sets = product(&sets, &expand(root, schema, 0)?)?;
        }
        all.extend(sets.into_iter().map(Alternative));
    }
    (all.len() <= MOST).then_some(all)
}

type Sets<'a> = Vec<Vec<&'a Map<String, Value>>>;

fn expand<'a>(root: &'a Value, schema: &'a Value, depth: usize) -> Option<Sets<'a>> {
    if depth > DEEPEST {
        return None;
    }
    let object = match schema {
        Value::Bool(true) => return Some(vec![Vec::new()]),
        Value::Object(object) => object,
        _ => return Some(Vec::new()),
    };
    let mut sets = vec![vec![object]];
    if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
        let target = root.pointer(reference.strip_prefix('#')?)?;
        sets = product(&sets, &expand(root, target, depth + 1)?)?;
    }
    for part in list(object, "allOf") {
        sets = product(&sets, &expand(root, part, depth + 1)?)?;
    }
    for keyword in ["anyOf", "oneOf"] {
        let mut choices = Vec::new();
        for choice in list(object, keyword) {
            choices.extend(expand(root, choice, depth + 1)?);
        }
        if object.contains_key(keyword) {
            sets = product(&sets, &choices)?;
        }
    }
    Some(sets)
}

fn product<'a>(left: &Sets<'a>, right: &Sets<'a>) -> Option<Sets<'a>> {
    if left.len() * right.len() > MOST {
        return None;
    }
    let pairs = left.iter().flat_map(|one| right.iter().map(move |other| (one, other)));
    Some(pairs.map(|(one, other)| [one.as_slice(), other].concat()).collect())
}

impl<'a> Alternative<'a> {
    /// JSON types of the values that fit.
    pub(super) fn kinds(&self) -> Kinds {
        let parts = self.0.iter().map(|part| Kinds::of(part));
        parts.fold(Kinds::ANY, Kinds::and)
    }

    /// Objects of keywords that a value must fit together.
    pub(super) fn parts(&self) -> impl Iterator<Item = &'a Map<String, Value>> {
        self.0.iter().copied()
    }

    /// The values that fit, in words for a model.
    pub(super) fn in_words(&self) -> String {
        let words = self.kinds().in_words();
        let names: Vec<_> = self.required().map(|name| format!("`{name}`")).collect();
        if self.kinds().object && !names.is_empty() {
            return format!("{words} with {}", names.join(", "));
        }
        words
    }

    /// True if a text may fit. Patterns and lengths are left aside.
    pub(super) fn allows_text(&self, text: &str) -> bool {
        self.kinds().string
            && self.0.iter().all(|part| {
                let is_constant = |value: &Value| value == text;
                part.get("const").is_none_or(is_constant)
                    && part
                        .get("enum")
                        .and_then(Value::as_array)
                        .is_none_or(|values| values.iter().any(is_constant))
            })
    }

    /// Schemas of a field, which hold together; empty if the alternative says nothing about it.
    pub(super) fn field(&self, name: &str) -> Vec<&'a Value> {
        let named: Vec<_> = self
            .0
            .iter()
            .filter_map(|part| part.get("properties")?.get(name))
            .collect();
        if !named.is_empty() {
            return named;
        }
        // A map: schemars describes the values of one with integer keys under a pattern.
        let others = self.0.iter().filter_map(|part| {
            let by_pattern = part.get("patternProperties").and_then(Value::as_object);
            let by_pattern = by_pattern.and_then(|patterns| patterns.values().next());
            by_pattern.or_else(|| part.get("additionalProperties"))
        });
        others.filter(|schema| schema.is_object()).collect()
    }

    /// Schemas of an item, which hold together; empty if the alternative says nothing about it.
    pub(super) fn item(&self, index: usize) -> Vec<&'a Value> {
        let schemas = self.0.iter().filter_map(|part| {
            let place = part.get("prefixItems").and_then(|places| places.get(index));
            place.or_else(|| part.get("items"))
        });
        schemas.filter(|schema| schema.is_object()).collect()
    }

    pub(super) fn requires(&self, name: &str) -> bool {
        self.required().any(|field| field == name)
    }

    /// Names of the fields that an object must have.
    pub(super) fn required(&self) -> impl Iterator<Item = &'a str> {
        let required = self.0.iter().flat_map(|part| list(part, "required"));
        required.filter_map(Value::as_str)
    }

    /// True if the fields that are constants in this alternative, such as a tag, have their values, or are `null`.
    pub(super) fn has_tags_of(&self, fields: &Map<String, Value>) -> bool {
        let mut present = fields.iter().filter(|(_, value)| !value.is_null());
        present.all(|(name, value)| {
            self.field(name).iter().all(|schema| {
                let is_constant = |constant: &Value| constant == value;
                schema.get("const").is_none_or(is_constant)
                    && schema
                        .get("enum")
                        .and_then(Value::as_array)
                        .is_none_or(|values| values.iter().any(is_constant))
            })
        })
    }

    /// True if all fields are known and none is missing.
    pub(super) fn has_names_of(&self, fields: &Map<String, Value>) -> bool {
        let mut required = self.0.iter().flat_map(|part| list(part, "required"));
        required.all(|name| name.as_str().is_some_and(|name| fields.contains_key(name)))
            && (!self.is_closed() || fields.keys().all(|name| !self.field(name).is_empty()))
    }

    /// True if no field may come that isn't declared.
    pub(super) fn is_closed(&self) -> bool {
        let closes = |part: &&Map<String, Value>| {
            let rule = part
                .get("additionalProperties")
                .or_else(|| part.get("unevaluatedProperties"));
            rule == Some(&Value::Bool(false))
        };
        self.0.iter().any(closes)
    }
}

fn list<'a>(schema: &'a Map<String, Value>, keyword: &str) -> &'a [Value] {
    schema.get(keyword).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Set of JSON types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "one flag for each type")]
pub(super) struct Kinds {
    pub(super) null: bool,
    pub(super) boolean: bool,
    pub(super) number: bool,
    /// True also wherever any number fits.
    pub(super) integer: bool,
    pub(super) string: bool,
    pub(super) array: bool,
    pub(super) object: bool,
}

impl Kinds {
    pub(super) const ANY: Self = Self::from_flags([true; 7]);
    pub(super) const NONE: Self = Self::from_flags([false; 7]);

    const fn from_flags([null, boolean, number, integer, string, array, object]: [bool; 7]) -> Self {
        Self {
            null,
            boolean,
            number,
            integer,
            string,
            array,
            object,
        }
    }

    const fn flags(self) -> [bool; 7] {
        let Self {
            null,
            boolean,
            number,
            integer,
            string,
            array,
            object,
        } = self;
        [null, boolean, number, integer, string, array, object]
    }

    /// Types that the keywords of one schema allow.
    fn of(schema: &Map<String, Value>) -> Self {
        let named = match schema.get("type") {
            Some(Value::String(only)) => Self::named(std::slice::from_ref(only)),
            Some(Value::Array(names)) => Self::named(names.iter().filter_map(Value::as_str)),
            _ => Self::ANY,
        };
        let constants = match (schema.get("const"), schema.get("enum")) {
            (Some(constant), _) => std::slice::from_ref(constant),
            (None, Some(Value::Array(constants))) => constants,
            _ => return named,
        };
        let constants = constants.iter().map(Self::of_value);
        named.and(constants.fold(Self::NONE, Self::or))
    }

    fn named<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Self {
        names.into_iter().fold(Self::NONE, |kinds, name| {
            let one = match name.as_ref() {
                "null" => Self {
                    null: true,
                    ..Self::NONE
                },
                "boolean" => Self {
                    boolean: true,
                    ..Self::NONE
                },
                "number" => Self {
                    number: true,
                    integer: true,
                    ..Self::NONE
                },
                "integer" => Self {
                    integer: true,
                    ..Self::NONE
                },
                "string" => Self {
                    string: true,
                    ..Self::NONE
                },
                "array" => Self {
                    array: true,
                    ..Self::NONE
                },
                "object" => Self {
                    object: true,
                    ..Self::NONE
                },
                _ => Self::NONE,
            };
            kinds.or(one)
        })
    }

    /// Type of a value, as a set.
    pub(super) fn of_value(value: &Value) -> Self {
        let name = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        Self::named([name])
    }

    /// The types in words: `a string or null`.
    pub(super) fn in_words(self) -> String {
        if self == Self::ANY {
            return "any value".to_owned();
        }
        let words = [
            (self.boolean, "a boolean"),
            (self.number, "a number"),
            (self.integer && !self.number, "an integer"),
            (self.string, "a string"),
            (self.array, "an array"),
            (self.object, "an object"),
            (self.null, "null"),
        ];
        let words: Vec<_> = words
            .into_iter()
            .filter_map(|(is_in, word)| is_in.then_some(word))
            .collect();
        words.join(" or ")
    }

    pub(super) fn and(self, other: Self) -> Self {
        self.with(other, |left, right| left && right)
    }

    pub(super) fn or(self, other: Self) -> Self {
        self.with(other, |left, right| left || right)
    }

    fn with(self, other: Self, join: fn(bool, bool) -> bool) -> Self {
        let (left, right) = (self.flags(), other.flags());
        Self::from_flags(std::array::from_fn(|index| join(left[index], right[index])))
    }

    /// True for lists, and lists and null.
    pub(super) fn is_only_array(self) -> bool {
        Self { null: false, ..self }
            == Self {
                array: true,
                ..Self::NONE
            }
    }
}

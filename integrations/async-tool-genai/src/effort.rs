//! Reasoning effort, which the ending of a model's name asks for.

/// Models whose own names end like an effort.
const OWN_NAMES: &[&str] = &[
    "deepseek-r1-zero",
    "qwen3.8-max",
    "qwen3p8-max",
    "accounts/fireworks/models/qwen3p8-max",
];

/// Effort of a reasoning model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    None,
    Minimal,
    Low,
    Medium,
    High,
    XHigh,
    Max,
}

impl Effort {
    /// Splits a model's name into the effort that its ending asks for, and the name that is sent.
    pub(crate) fn of_model(name: &str) -> (Option<Self>, &str) {
        let Some((rest, ending)) = name.rsplit_once('-') else {
            return (None, name);
        };
        let effort = match ending {
            "zero" | "none" => Self::None,
            "minimal" => Self::Minimal,
            "low" => Self::Low,
            "medium" => Self::Medium,
            "high" => Self::High,
            "xhigh" => Self::XHigh,
            "max" => Self::Max,
            _ => return (None, name),
        };
        if OWN_NAMES.contains(&name) {
            return (None, name);
        }
        (Some(effort), rest)
    }

    /// OpenAI's word.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::XHigh => "xhigh",
            Self::Max => "max",
        }
    }

    /// Budget of thinking tokens, for models that take a number.
    pub(crate) const fn budget(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Minimal | Self::Low => 1_024,
            Self::Medium => 8_000,
            Self::High | Self::XHigh | Self::Max => 24_000,
        }
    }
}

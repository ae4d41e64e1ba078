//! Reasoning effort, which the ending of a model's name asks for.

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
        if ends_like_an_effort(name) {
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

/// True for models whose own names end like an effort, on any server.
fn ends_like_an_effort(name: &str) -> bool {
    let own = name.rsplit('/').next().unwrap_or(name);
    own == "deepseek-r1-zero" || own.ends_with("-codex-max") || own.starts_with("qwen") && own.ends_with("-max")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ending_that_is_a_part_of_the_name_asks_for_no_effort() {
        for name in [
            "gpt-5.1-codex-max",
            "openai/gpt-5.1-codex-max",
            "qwen3-max",
            "qwen/qwen-max",
            "qwen/qwen-vl-max",
            "qwen/qwen3.7-max",
            "accounts/fireworks/models/qwen3p8-max",
            "deepseek-r1-zero",
            "gpt-5-mini",
            "o4",
        ] {
            assert_eq!(Effort::of_model(name), (None, name));
        }
        for (name, effort, sent) in [
            ("gpt-5-high", Effort::High, "gpt-5"),
            ("gpt-5.1-codex-max-high", Effort::High, "gpt-5.1-codex-max"),
            ("claude-opus-4-8-max", Effort::Max, "claude-opus-4-8"),
            ("deepseek-v4-pro-max", Effort::Max, "deepseek-v4-pro"),
            ("gpt-5.1-none", Effort::None, "gpt-5.1"),
        ] {
            assert_eq!(Effort::of_model(name), (Some(effort), sent));
        }
    }
}

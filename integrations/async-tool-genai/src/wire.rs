//! The wire formats.

/// Format of requests and answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// OpenAI's Chat Completions.
    Chat,
    /// OpenAI's Responses.
    Responses,
    /// Anthropic's Messages.
    Anthropic,
    /// Google's generateContent.
    Gemini,
    /// AWS Bedrock's Converse.
    Bedrock,
    /// Ollama's chat API.
    Ollama,
}

impl Wire {
    /// True if user and assistant must alternate, and answers to calls must be a user turn of their own.
    pub(crate) const fn takes_turns(self) -> bool {
        matches!(self, Self::Anthropic | Self::Gemini | Self::Bedrock)
    }

    /// True if a conversation with calls but without declared tools is refused.
    pub(crate) const fn wants_tools_for_old_calls(self) -> bool {
        matches!(self, Self::Anthropic | Self::Bedrock)
    }

    /// True if a function's name must begin with a letter.
    pub(crate) const fn wants_a_letter_first(self) -> bool {
        matches!(self, Self::Gemini | Self::Bedrock)
    }
}

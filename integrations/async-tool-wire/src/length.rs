//! Words by which servers say that a conversation is too long.

/// Words of servers, in lower case, with a server that uses them.
const TOO_LONG: &[&str] = &[
    "context_length_exceeded",                // OpenAI, Azure: code
    "maximum context length",                 // OpenAI Chat, vLLM, SGLang, Mistral, OpenRouter, DeepSeek, Fireworks
    "context window of this model",           // OpenAI Responses
    "exceeds the context window",             // OpenAI Responses
    "context window exceeds limit",           // MiniMax
    "input tokens exceed",                    // OpenAI: a configured limit
    "tokens_limit_reached",                   // GitHub Models: code
    "model_max_prompt_tokens_exceeded",       // GitHub Copilot: code
    "prompt token count",                     // GitHub Copilot
    "prompt is too long",                     // Anthropic, Fireworks
    "exceed context limit",                   // Anthropic
    "request_too_large",                      // Anthropic: type
    "input token count",                      // Gemini, Vertex
    "request payload size exceeds",           // Gemini
    "input is too long",                      // Bedrock
    "too many input tokens",                  // Bedrock
    "expected maxlength",                     // Bedrock: one text
    "total number of tokens in the prompt",   // Cohere
    "total text bytes",                       // Cohere
    "exceeded model token limit",             // Moonshot
    "prompt exceeds max length",              // Zhipu
    "range of input length should be",        // DashScope
    "maximum prompt length",                  // xAI
    "reduce the length of the messages",      // Groq
    "`inputs` must have less than",           // text-generation-inference
    "`inputs` tokens + `max_new_tokens`",     // text-generation-inference, Together
    "longer than the maximum model length",   // vLLM
    "longer than the model's context length", // SGLang
    "exceed_context_size_error",              // llama-server: type
    "exceeds the available context size",     // llama-server, Ollama
    "input is too large to process",          // llama-server
    "context size has been exceeded",         // llama-server, LM Studio
    "input length exceeds",                   // Ollama
    "context length exceeded",                // LM Studio
    "greater than the context length",        // LM Studio
    "when context the overflows",             // LM Studio
    "exceeds the model's context",            // gateways
];

/// Words of a refusal by a rate limit that no pause mends: the request alone is more than the limit allows.
const OVER_A_RATE: &[&str] = &[
    "request too large for", // OpenAI, Groq: "… on tokens per min (TPM): Limit …, Requested …"
    "must be reduced in order to run successfully", // OpenAI
];

/// OpenAI's codes for a text and a list that are over their limits. The list of tools and the ids of calls have limits too, so the
/// error must also name a part of the conversation.
const OVER_A_LIMIT: &[&str] = &["string_above_max_length", "array_above_max_length"];

/// True if an answer with this status says that the request is too long: a shorter one may be taken. `body` is the answer's body, or the
/// error in a stream; that has the status 200.
///
/// A rate limit also speaks of length, as in "tokens per minute". It counts only if the request alone is more than it allows.
///
/// ```
/// use async_tool_wire::is_too_long;
///
/// assert!(is_too_long(400, r#"{"error": {"message": "no", "code": "context_length_exceeded"}}"#));
/// assert!(is_too_long(413, "<html>Payload Too Large</html>"));
/// assert!(!is_too_long(429, "reduce the length of the messages, or try again in 20s"));
/// assert!(!is_too_long(400, "no such tool"));
/// ```
#[must_use]
pub fn is_too_long(status: u16, body: &str) -> bool {
    let body = body.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|words| body.contains(words));
    match status {
        413 => true,
        429 => says(OVER_A_RATE),
        // Local servers have answered 500 to a prompt that is too long; proxies in front of them say nothing of it.
        0..=500 => {
            says(TOO_LONG) || says(OVER_A_RATE) || says(OVER_A_LIMIT) && part_at_fault(&body).is_some_and(is_content)
        }
        _ => false,
    }
}

/// Path of the part of a request that an error of OpenAI's is about: its `param`, or the path that its message quotes. `body` is in lower
/// case, and may be more than JSON.
fn part_at_fault(body: &str) -> Option<&str> {
    let param = body.split_once("\"param\"").and_then(|(_, rest)| {
        let value = rest.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
        value.split('"').next()
    });
    let quoted = || {
        body.split_once("invalid '")
            .and_then(|(_, rest)| rest.split('\'').next())
    };
    param.or_else(quoted)
}

/// True for the conversation and for texts in it, which a shorter conversation may leave out.
fn is_content(path: &str) -> bool {
    let mut fields = path.split('.').map(|field| field.split('[').next().unwrap_or_default());
    let first = fields.next().unwrap_or_default();
    let last = fields.next_back().unwrap_or(first);
    matches!(first, "messages" | "input") && !matches!(last, "id" | "call_id" | "tool_call_id" | "name" | "tool_calls")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_server_s_words_are_known() {
        for (status, body) in [
            (
                400,
                r#"{"error":{"message":"This model's maximum context length is 8192 tokens.","code":"context_length_exceeded"}}"#,
            ),
            (
                400,
                "Your input exceeds the context window of this model. Please adjust your input and try again.",
            ),
            (
                400,
                "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 300000 tokens.",
            ),
            (
                400,
                r#"{"error":{"message":"Invalid 'input[3].output': string too long. Expected a string with maximum length 10485760","code":"string_above_max_length"}}"#,
            ),
            (
                400,
                r#"{"error":{"message":"Invalid 'messages': array too long. Expected an array with maximum length 2048, but got an array with length 2100 instead.","param":"messages","code":"array_above_max_length"}}"#,
            ),
            (
                400,
                r#"{"error":{"message":"one is too long","param":"messages[2].tool_calls[0].function.arguments","code":"string_above_max_length"}}"#,
            ),
            (
                429,
                "Request too large for gpt-5 in organization org-1 on tokens per min (TPM): Limit 30000, Requested 45000. The input or output tokens must be reduced in order to run successfully.",
            ),
            (
                413,
                r#"{"error":{"message":"Request body too large for gpt-4o model. Max size: 8000 tokens.","code":"tokens_limit_reached"}}"#,
            ),
            (413, "<html><h1>413 Request Entity Too Large</h1></html>"),
            (
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}"#,
            ),
            (
                400,
                "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
            ),
            (
                413,
                r#"{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}"#,
            ),
            (
                400,
                r#"{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}"#,
            ),
            (
                400,
                "Unable to submit request because the input token count is 40000 but the model only supports up to 32768.",
            ),
            (400, "Request payload size exceeds the limit: 20971520 bytes."),
            (400, r#"{"message":"Input is too long for requested model."}"#),
            (
                400,
                "Malformed input request: expected maxLength: 2500000, actual: 3000000, please reformat your input and try again.",
            ),
            (
                400,
                "Prompt contains 65673 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
            ),
            (
                400,
                "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 4292",
            ),
            (400, "Invalid request: Your request exceeded model token limit: 8192"),
            (
                400,
                r#"{"error":{"code":"1261","message":"Prompt exceeds max length"}}"#,
            ),
            (
                400,
                "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 30720]",
            ),
            (
                400,
                "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
            ),
            (400, "invalid params, context window exceeds limit (2013)"),
            (
                422,
                "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4097. Given: 5000 `inputs` tokens",
            ),
            (
                400,
                "The decoder prompt (length 9000) is longer than the maximum model length of 4096.",
            ),
            (
                400,
                "The input (9000 tokens) is longer than the model's context length (8192 tokens).",
            ),
            (
                400,
                r#"{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error"}}"#,
            ),
            (500, "input is too large to process. increase the physical batch size"),
            (500, "the input length exceeds the context length"),
            (200, "Context size has been exceeded."),
            (
                200,
                "Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens",
            ),
            (400, "prompt token count of 140000 exceeds the limit of 128000"),
        ] {
            assert!(is_too_long(status, body), "{status} {body}");
        }
    }

    #[test]
    fn other_refusals_are_not_about_length() {
        for (status, body) in [
            (
                429,
                "Rate limit reached for gpt-5 on tokens per min (TPM): Limit 30000, Used 25000, Requested 7000. Please try again in 4s.",
            ),
            (
                429,
                "This request would exceed your organization's rate limit of 30,000 input tokens per minute",
            ),
            (429, "Too many tokens, please wait before trying again."),
            (
                200,
                "throttlingException: Too many tokens, please wait before trying again.",
            ),
            (503, "maximum context length"),
            (
                400,
                r#"{"error":{"message":"Invalid schema for function 'send'","code":"invalid_function_parameters"}}"#,
            ),
            (
                400,
                "max_tokens: 100000 > 64000, which is the maximum allowed number of output tokens",
            ),
            (401, "Incorrect API key provided"),
            (
                400,
                r#"{"error":{"message":"Invalid 'tools': array too long. Expected an array with maximum length 128, but got an array with length 130 instead.","type":"invalid_request_error","param":"tools","code":"array_above_max_length"}}"#,
            ),
            (
                400,
                r#"{"error":{"message":"Invalid 'tools': array too long.","param":null,"code":"array_above_max_length"}}"#,
            ),
            (
                400,
                r#"{"error":{"message":"Invalid 'messages[1].tool_calls[0].id': string too long. Expected a string with maximum length 40, but got a string with length 46 instead.","param":"messages[1].tool_calls[0].id","code":"string_above_max_length"}}"#,
            ),
            (
                400,
                r#"{"error":{"message":"Invalid 'messages[2].tool_call_id': string too long.","code":"string_above_max_length"}}"#,
            ),
            (
                400,
                r#"{"error":{"message":"Invalid 'messages[1].tool_calls': array too long.","code":"array_above_max_length"}}"#,
            ),
            (
                400,
                r#"{"error":{"message":"Invalid 'input[2].call_id': string too long.","code":"string_above_max_length"}}"#,
            ),
            (
                400,
                r#"{"error":{"message":"no","param":"input[2].name","code":"string_above_max_length"}}"#,
            ),
            (400, r#"{"error":{"message":"no","code":"string_above_max_length"}}"#),
        ] {
            assert!(!is_too_long(status, body), "{status} {body}");
        }
    }
}

//! Names of the deployed resources.

use clap::Args;

/// Names of the functions, tables and queues of one deployment. All begin with its prefix.
#[derive(Args, Clone, Debug)]
pub struct Names {
    /// First part of the names of all functions, tables and queues.
    #[arg(long, default_value = "async-tool", global = true)]
    pub prefix: String,
}

impl Names {
    /// Names that begin with `prefix`.
    pub fn new(prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into() }
    }

    /// Function behind `call_api`.
    #[must_use]
    pub fn api(&self) -> String {
        self.of("api")
    }

    /// Function behind `order_report`, for programs that poll [`completions`](Self::completions).
    #[must_use]
    pub fn report(&self) -> String {
        self.of("report")
    }

    /// The same function for the agent in a function: its failures go to [`inbox`](Self::inbox).
    #[must_use]
    pub fn agent_report(&self) -> String {
        self.of("agent-report")
    }

    /// Function with the agent.
    #[must_use]
    pub fn agent(&self) -> String {
        self.of("agent")
    }

    /// Table of the orders.
    #[must_use]
    pub fn orders(&self) -> String {
        self.of("orders")
    }

    /// Table of the messages that the agent in a function has begun to handle.
    #[must_use]
    pub fn received(&self) -> String {
        self.of("received")
    }

    /// Queue of completions that a program polls.
    #[must_use]
    pub fn completions(&self) -> String {
        self.of("completions")
    }

    /// Queue that wakes the agent in a function.
    #[must_use]
    pub fn inbox(&self) -> String {
        self.of("inbox")
    }

    /// Queue of the messages that were received too often.
    #[must_use]
    pub fn dead(&self) -> String {
        self.of("dead")
    }

    fn of(&self, what: &str) -> String {
        format!("{}-{what}", self.prefix)
    }
}

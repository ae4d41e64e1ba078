//! A live view of the program in the browser, for those that have the option `--inspect`.

use anyhow::Context as _;
use async_tool_runtime::AsyncAgent;
use clap::Args;

/// Option of a program with a live view.
#[derive(Args, Clone, Copy, Debug)]
pub struct InspectArguments {
    /// Opens a live view for the browser, and prints its address.
    #[arg(long)]
    inspect: bool,
}

/// Live view of a program; it ends when it is dropped.
#[derive(Debug)]
pub struct View {
    #[cfg(feature = "inspect")]
    server: async_tool_inspector::InspectorServer,
}

impl InspectArguments {
    /// Builds and runs the program again, with the feature, if the view was asked for and the program was built without it.
    /// Normal builds then need no web server.
    ///
    /// # Errors
    ///
    /// If the program was not started by Cargo, or can't be built.
    #[allow(clippy::exit, reason = "the program that was built has run in place of this one")]
    pub fn build(self, example: &str) -> anyhow::Result<()> {
        if !self.inspect || cfg!(feature = "inspect") {
            return Ok(());
        }
        // The features that the program has now stay.
        let features = if cfg!(feature = "models") {
            "inspect,models"
        } else {
            "inspect"
        };
        let command = format!("cargo run --features {features} --example {example} -- --inspect");
        let needs = || format!("`--inspect` needs a program with the feature `inspect`: {command}");
        let cargo = std::env::var_os("CARGO").with_context(needs)?;
        let folder = std::env::var_os("CARGO_MANIFEST_DIR").with_context(needs)?;
        eprintln!("building again, with the live view: {command}");
        let status = std::process::Command::new(cargo)
            .args(["run", "--features", features, "--example", example, "--manifest-path"])
            .arg(std::path::Path::new(&folder).join("Cargo.toml"))
            .arg("--")
            .args(std::env::args_os().skip(1))
            .status()
            .with_context(needs)?;
        std::process::exit(status.code().unwrap_or(1));
    }

    /// Opens the view, if it was asked for.
    ///
    /// # Errors
    ///
    /// If no port of the loopback interface is free.
    #[cfg(feature = "inspect")]
    pub async fn open(self, title: &str, agent: &AsyncAgent) -> anyhow::Result<Option<View>> {
        if !self.inspect {
            return Ok(None);
        }
        let inspector = async_tool_inspector::Inspector::new().title(title).agent(agent);
        let server = inspector
            .serve_quietly("127.0.0.1:0")
            .await
            .context("can't open the view")?;
        crate::console::say(format_args!("view:  {}", server.link()));
        Ok(Some(View { server }))
    }

    /// Opens nothing: the program was built without the view.
    ///
    /// # Errors
    ///
    /// None.
    #[cfg(not(feature = "inspect"))]
    pub async fn open(self, _title: &str, _agent: &AsyncAgent) -> anyhow::Result<Option<View>> {
        Ok(None)
    }
}

/// Longest wait for a browser.
#[cfg(feature = "inspect")]
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

impl View {
    /// Waits until the page is open, or some seconds if no browser comes.
    pub async fn wait_for_browser(&self) {
        #[cfg(feature = "inspect")]
        {
            crate::console::say(format_args!(
                "the conversation begins when the page is open, or in {} seconds\n",
                PATIENCE.as_secs()
            ));
            let _no_browser_came = tokio::time::timeout(PATIENCE, self.server.viewed()).await;
        }
    }

    /// Keeps the view after the session, until the program is interrupted.
    ///
    /// # Errors
    ///
    /// If interrupts can't be received.
    pub async fn keep(self) -> anyhow::Result<()> {
        crate::console::say("the view stays open until ctrl-c");
        tokio::signal::ctrl_c().await.context("can't wait for ctrl-c")?;
        #[cfg(feature = "inspect")]
        self.server.stop();
        Ok(())
    }
}

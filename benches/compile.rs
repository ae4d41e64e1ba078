//! Build time of the macro: `cargo bench -p async-tool-benches --bench compile`.
//!
//! The bench generates two crates with 200 tools each, under the target directory. One uses `#[async_tool]`; the other implements `Tool`
//! by hand for the same tools. Both are checked and built; their common dependencies are built beforehand and not measured. The budget
//! is the ratio of the two times in the same run: at most 1.5.
//!
//! Then the bench counts the dependencies of a crate with one tool, and those of its floor: serde, schemars and tokio. The budget is the
//! floor plus 15.

use std::{
    collections::BTreeSet,
    error::Error,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

const TOOLS: usize = 200;
const ROUNDS: usize = 3;

fn main() -> Result<(), Box<dyn Error>> {
    // `cargo test --benches` checks only that the bench starts.
    if std::env::args().any(|argument| argument == "--test") {
        return Ok(());
    }
    let runtime = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../async-tool-runtime")
        .canonicalize()?;
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile");
    let dependency = format!("async-tool-runtime = {{ path = {runtime:?} }}\n");
    let floor = "schemars = \"1\"\nserde = { version = \"1\", features = [\"derive\"] }\n";
    let tokio = "tokio = { version = \"1\", features = [\"macros\", \"rt\", \"time\"] }\n";

    let by_macro = Generated::write(&place, "by_macro", &dependency, &source(macro_tool))?;
    let by_hand_needs = format!("{dependency}{floor}serde_json = \"1\"\n");
    let by_hand = Generated::write(&place, "by_hand", &by_hand_needs, &source(hand_tool))?;

    println!("{TOOLS} tools, best of {ROUNDS} builds of the crate without its dependencies:");
    for command in ["check", "build"] {
        let (by_macro, by_hand) = (by_macro.time(command)?, by_hand.time(command)?);
        let ratio = by_macro.as_secs_f64() / by_hand.as_secs_f64();
        println!(
            "  cargo {command:5}  by macro {by_macro:>7.2?}  by hand {by_hand:>7.2?}  ratio {ratio:.2} (budget 1.5)"
        );
    }

    let one_tool = Generated::write(&place, "one_tool", &dependency, "")?.count_crates()?;
    let floor = Generated::write(&place, "floor", &format!("{floor}{tokio}"), "")?.count_crates()?;
    println!("dependencies of a crate with one tool: {one_tool}; floor {floor} (budget: floor + 15)");
    Ok(())
}

fn source(tool: fn(usize) -> String) -> String {
    let mut source = String::from("//! Generated.\n#![allow(dead_code)]\n");
    for number in 0..TOOLS {
        source.push_str(&tool(number));
    }
    source
}

fn macro_tool(number: usize) -> String {
    format!(
        "
        /// Tool {number}.
        #[async_tool_runtime::async_tool]
        pub async fn tool_{number}(
            /// The topic.
            topic: String,
            /// The number of sources.
            #[arg(default = 5)] sources: u32,
        ) -> Result<String, String> {{
            Ok(format!(\"{{sources}} of {{topic}}\"))
        }}
        "
    )
}

fn hand_tool(number: usize) -> String {
    let mut tool = String::new();
    let _never_fails = write!(
        tool,
        r#"
        pub mod tool_{number} {{
            use std::sync::OnceLock;
            use async_tool_runtime::{{Tool, ToolDefinition, ToolError, ToolErrorKind, tool::{{Arguments as Sent, BoundCall}}}};
            use serde_json::Value;

            #[derive(serde::Deserialize, schemars::JsonSchema)]
            #[serde(deny_unknown_fields)]
            struct Arguments {{
                /// The topic.
                topic: String,
                /// The number of sources.
                #[serde(default = "five")]
                sources: u32,
            }}

            fn five() -> u32 {{ 5 }}

            pub struct Tool{number};

            impl Tool for Tool{number} {{
                fn definition(&self) -> &ToolDefinition {{
                    static DEFINITION: OnceLock<ToolDefinition> = OnceLock::new();
                    DEFINITION.get_or_init(|| {{
                        ToolDefinition::new("tool_{number}", "Tool {number}.", schemars::schema_for!(Arguments).to_value())
                    }})
                }}

                fn bind(&self, arguments: &Sent) -> Result<BoundCall, ToolError> {{
                    let Arguments {{ topic, sources }} = serde_json::from_value(Value::clone(arguments))
                        .map_err(|error| ToolError::new(ToolErrorKind::InvalidArguments, error.to_string()))?;
                    Ok(BoundCall::future(move |_| async move {{
                        let said = run(topic, sources).await.map_err(ToolError::failed)?;
                        serde_json::to_value(said).map_err(ToolError::from_error)
                    }}))
                }}
            }}

            async fn run(topic: String, sources: u32) -> Result<String, String> {{
                Ok(format!("{{sources}} of {{topic}}"))
            }}
        }}
        "#
    );
    tool
}

/// A generated crate.
struct Generated(PathBuf);

impl Generated {
    fn write(place: &Path, name: &str, dependencies: &str, source: &str) -> Result<Self, Box<dyn Error>> {
        let root = place.join(name);
        fs::create_dir_all(root.join("src"))?;
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[dependencies]\n{dependencies}[workspace]\n"
        );
        fs::write(root.join("Cargo.toml"), manifest)?;
        fs::write(root.join("src/lib.rs"), source)?;
        Ok(Self(root))
    }

    /// Best time of a build in which only this crate has changed.
    fn time(&self, command: &str) -> Result<Duration, Box<dyn Error>> {
        self.cargo(&[command])?;
        let mut best = Duration::MAX;
        for round in 0..ROUNDS {
            // A new comment, so that cargo rebuilds the crate.
            let lib = self.0.join("src/lib.rs");
            let source = fs::read_to_string(&lib)?;
            fs::write(&lib, format!("{source}\n// {command} {round}\n"))?;
            let start = Instant::now();
            self.cargo(&[command])?;
            best = best.min(start.elapsed());
        }
        Ok(best)
    }

    fn count_crates(&self) -> Result<usize, Box<dyn Error>> {
        let tree = self.cargo(&["tree", "--prefix", "none", "--edges", "normal,build", "--format", "{p}"])?;
        let crates: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
        // Without the crate itself.
        Ok(crates.len() - 1)
    }

    fn cargo(&self, arguments: &[&str]) -> Result<String, Box<dyn Error>> {
        let output = Command::new(env!("CARGO"))
            .args(arguments)
            .current_dir(&self.0)
            .env("CARGO_TARGET_DIR", self.0.with_file_name("target"))
            .env("CARGO_INCREMENTAL", "0")
            .output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
        Ok(String::from_utf8(output.stdout)?)
    }
}

//! A tool that takes its time.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, mpsc},
    time::Duration,
};

use serde_json::Value;
use tokio::{task::spawn_blocking, time::sleep};

use super::world::World;
use crate::tool::{
    Arguments, BoundCall, Requirement, Run, Tool, ToolContext, ToolDefinition, ToolError, ToolErrorKind, ToolOptions,
};

/// How long a tool hangs, in virtual time.
const HANGS: Duration = Duration::from_secs(60 * 60);
/// How long a blocking function may hold up everything else, in real time.
const BLOCKS: Duration = Duration::from_secs(1);

type Blocking = Box<dyn FnOnce(ToolContext) -> Result<Value, ToolError> + Send>;

pub(super) struct SimTool {
    world: Arc<World>,
    tool: Arc<dyn Tool>,
}

impl SimTool {
    pub(super) fn new(world: Arc<World>, tool: Arc<dyn Tool>) -> Self {
        Self { world, tool }
    }
}

impl Tool for SimTool {
    fn definition(&self) -> &ToolDefinition {
        self.tool.definition()
    }

    fn options(&self) -> &ToolOptions {
        self.tool.options()
    }

    fn requirements(&self) -> &[Requirement] {
        self.tool.requirements()
    }

    fn bind(&self, arguments: &Arguments) -> Result<BoundCall, ToolError> {
        let call = self.tool.bind(arguments)?;
        let world = self.world.clone();
        Ok(BoundCall::future(move |cx| async move {
            let longest = world.tools_take;
            // Drawn at once, so that what a blocking function does meanwhile can't change who draws what.
            let (before, after) = (world.some_time(longest), world.some_time(longest));
            let faults = world.faults;
            let (hangs, fails, panics) = (
                world.chance(faults.tool_hangs),
                world.chance(faults.tool_failures),
                world.chance(faults.tool_panics),
            );
            world.wait(before).await;
            if hangs {
                sleep(HANGS).await;
            }
            if fails {
                return Err(ToolError::new(
                    ToolErrorKind::Unavailable,
                    "out of order, says the simulation",
                ));
            }
            if panics {
                // Not `panic!`: what is meant to happen need not be printed for every seed.
                resume_unwind(Box::new("a panic, says the simulation"));
            }
            let result = match call.0 {
                Run::Async(run) => run(cx).await,
                Run::Blocking(run) => at_once(run, cx).await,
            };
            world.wait(after).await;
            result
        }))
    }
}

/// Runs a blocking function on its own thread, and lets nothing else happen meanwhile: threads would decide who is first. One that
/// waits for somebody here gets on after [`BLOCKS`].
async fn at_once(run: Blocking, cx: ToolContext) -> Result<Value, ToolError> {
    let (give, given) = mpsc::channel();
    let running = spawn_blocking(move || {
        // Nobody listens if the attempt has been given up.
        let _ = give.send(catch_unwind(AssertUnwindSafe(|| run(cx))));
    });
    let ended = match given.recv_timeout(BLOCKS) {
        Ok(ended) => Some(ended),
        Err(_) => {
            let _ = running.await;
            given.try_recv().ok()
        }
    };
    match ended {
        Some(Ok(result)) => result,
        Some(Err(panic)) => resume_unwind(panic),
        None => Err(ToolError::new(ToolErrorKind::Internal, "the runtime was shut down")),
    }
}

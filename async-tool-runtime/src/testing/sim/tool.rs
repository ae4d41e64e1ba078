//! A simulated tool.

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

/// Virtual time that a tool hangs.
const HANGS: Duration = Duration::from_secs(60 * 60);
/// Real time for which everything else waits for a blocking function, at most.
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

    fn needs_manager(&self) -> bool {
        self.tool.needs_manager()
    }

    fn bind(&self, arguments: &Arguments) -> Result<BoundCall, ToolError> {
        let call = self.tool.bind(arguments)?;
        let world = self.world.clone();
        Ok(BoundCall::future(move |cx| async move {
            let longest = world.tools_take;
            // Drawn before the function runs: a blocking function may draw on its own thread, and must not change these numbers.
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
                    "simulated failure of the tool",
                ));
            }
            if panics {
                // `panic!` would print a message for every seed.
                resume_unwind(Box::new("simulated panic of the tool"));
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

/// Runs a blocking function on its own thread and blocks this one meanwhile, so that threads don't decide the order of events.
///
/// A function that waits for something on this thread would deadlock, so the block ends after [`BLOCKS`].
async fn at_once(run: Blocking, cx: ToolContext) -> Result<Value, ToolError> {
    let (give, given) = mpsc::channel();
    let running = spawn_blocking(move || {
        // The receiver is gone if the attempt was dropped.
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

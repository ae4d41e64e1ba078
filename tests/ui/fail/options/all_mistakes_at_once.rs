//! All mistakes of a function are reported at once, and callers see nothing of them.

use async_tool_runtime::async_tool;

#[async_tool(name = "", timeuot = "5s", grace = "soon", rate = "often", retry(atempts = 3, total = 60), cache())]
unsafe fn work<T>(_: T, #[arg(mni = 1)] first: &mut u8, #[inject] #[arg(default)] second: u8) -> u8 {
    *first + second
}

fn main() {
    let _ = work::tool();
    let _ = unsafe { work((), &mut 1, 2) };
}

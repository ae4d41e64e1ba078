//! A service whose methods are tools that share its state: `cargo run --example methods`.

use std::{error::Error, sync::Arc};

use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, async_tools};
use serde_json::{Value, json};
use tokio::sync::Mutex;

#[derive(Default)]
struct Notebook {
    notes: Mutex<Vec<String>>,
}

#[async_tools]
impl Notebook {
    /// Writes a note; returns the number of notes.
    #[async_tool]
    async fn write_note(&self, text: String) -> usize {
        let mut notes = self.notes.lock().await;
        notes.push(text);
        notes.len()
    }

    /// Finds the notes that contain a word.
    #[async_tool(effect = "read")]
    async fn find_notes(&self, word: &str) -> Vec<String> {
        let notes = self.notes.lock().await;
        notes.iter().filter(|note| note.contains(word)).cloned().collect()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let notebook = Arc::new(Notebook::default());
    let manager = AsyncToolManager::builder().tools(notebook.tools()).build()?;

    // A model would make these calls; here the program makes them itself.
    let session = SessionId::new("methods");
    let calls = [
        ("write_note", json!({"text": "buy tea"})),
        ("write_note", json!({"text": "water the plants"})),
        ("find_notes", json!({"word": "tea"})),
        // A wrong call is refused before anything runs; the error says how to correct it.
        ("find_notes", json!({"words": "tea"})),
    ];
    for (index, (tool, arguments)) in calls.into_iter().enumerate() {
        println!("call:    {tool} {arguments}");
        match manager.submit(&session, ToolCall::new(format!("call_{index}"), tool, arguments)) {
            Ok(task) => {
                let result = task.outcome().await;
                println!("result:  {}", result.outcome.value().unwrap_or(&Value::Null));
            }
            Err(refused) => println!("refused: {refused}"),
        }
    }

    println!("host:    the notebook has the notes {:?}", notebook.notes.lock().await);
    Ok(())
}

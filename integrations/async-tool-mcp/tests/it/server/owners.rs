//! Tasks belong to a principal.

use std::time::Duration;

use async_tool_runtime::{async_tool, tools};
use serde_json::json;

use super::stand::{Http, serve, with_tasks};

/// Keeps a secret.
#[async_tool(effect = "read")]
async fn secret() -> &'static str {
    tokio::time::sleep(Duration::from_secs(1)).await;
    "the secret"
}

#[tokio::test(start_paused = true)]
async fn others_get_byte_for_byte_the_answer_for_an_unknown_id() {
    let client = Http::new(serve(tools![secret]), with_tasks());
    let (ann, bob) = (
        client.header("authorization", "Bearer ann"),
        client.header("authorization", "Bearer bob"),
    );
    let id = ann.start("secret", json!({})).await;
    for others in [&bob, &client] {
        for ended in [false, true] {
            if ended {
                ann.until(&id, "completed").await;
            }
            for (method, further) in [
                ("tasks/get", json!({})),
                ("tasks/update", json!({"inputResponses": {}})),
                ("tasks/cancel", json!({})),
            ] {
                let ask = |id: String| {
                    let mut params = further.clone();
                    params["taskId"] = json!(id);
                    others.ask(method, params)
                };
                // As long as the true one, so that no length tells.
                let (theirs, unknown) = (ask(id.clone()).await, ask(format!("mcp-{:032}-0000", 0)).await);
                assert_eq!(theirs.last["error"]["code"], -32602);
                assert_eq!((theirs.status, theirs.text), (unknown.status, unknown.text), "{method}");
            }
        }
    }
    assert_eq!(
        ann.task(&id).await["status"],
        "completed",
        "a cancel of others does nothing"
    );
}

#[derive(Clone)]
struct User(&'static str);

#[tokio::test(start_paused = true)]
async fn a_program_can_name_the_principal() {
    let router = |user| {
        let server = serve(tools![secret]).principal(|request| request.get::<User>().map(|user| user.0.to_owned()));
        (server, User(user))
    };
    let (server, user) = router("ann");
    let client = Http::layered(server.clone(), user, with_tasks());
    let other = Http::layered(server, User("bob"), with_tasks());
    let id = client
        .header("authorization", "Bearer one")
        .start("secret", json!({}))
        .await;
    // The token doesn't count then.
    client.header("authorization", "Bearer two").task(&id).await;
    let reply = other
        .header("authorization", "Bearer one")
        .ask("tasks/get", json!({"taskId": id}))
        .await;
    assert_eq!(reply.last["error"]["code"], -32602);
}

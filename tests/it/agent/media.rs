//! Images, sounds and files: in messages of the user and in results of tools.

use std::sync::Arc;

use async_tool_runtime::{
    AgentEventKind, AsyncAgent, Message, Model,
    agent::{
        AgentError, Ledger, REDACTED,
        custom::{Agent, Transactional, TurnContext, TurnInput, TurnReply},
    },
    content::{Attachment, Content, ContentError, Media, MediaRule, MediaRules},
    context::{AnswerContent, ApproximateTokens, PrunePolicy, SaidPart, TokenEstimator as _},
    journal::{Entry, MemoryJournal, check_journal},
    model::{self, Capabilities, ModelError, ModelRequest, ModelStream},
};
use serde_json::json;

use crate::stand::{Log, calls, manager, tool_of};

const IMAGES: MediaRules = MediaRules::of(&[MediaRule::new("image/*").in_results(true)]);

fn png(size: usize) -> Media {
    Media::bytes("image/png", vec![7_u8; size]).with_name("a.png")
}

/// A model that takes images, notes its requests, and answers with these turns; after them it says "done".
fn seeing(turns: Vec<fn() -> ModelStream>) -> (impl Model, Log<ModelRequest>) {
    let log = Log::new();
    let noted = log.clone();
    let model = model::from_fn(move |request: ModelRequest| {
        let turn = turns.get(noted.len()).copied();
        noted.note(request);
        async move { Ok(turn.map_or_else(|| ModelStream::text("done"), |turn| turn())) }
    });
    (model.with_capabilities(Capabilities::default().with_media(IMAGES)), log)
}

#[tokio::test(start_paused = true)]
async fn an_image_of_the_user_is_kept_and_reaches_the_model_in_its_place() {
    let journal = Arc::new(MemoryJournal::new());
    let (model, log) = seeing(vec![]);
    let agent = AsyncAgent::builder(model, manager([]))
        .journal(journal.clone())
        .session("s")
        .start()
        .await
        .unwrap();
    let mut events = agent.events();
    let image = png(100);
    agent
        .send(Content::from("Compare ").with(image.clone()).with(" with it."))
        .await
        .unwrap();
    let told = AgentEventKind::UserMessage {
        text: "Compare  with it.".to_owned(),
        media: vec![Attachment::new(8, image.clone())],
    };
    assert_eq!(events.next().await.unwrap().kind, told);
    agent.run_until_idle().await.unwrap();
    let sent = Message::User {
        text: "Compare  with it.".to_owned(),
        media: vec![Attachment::new(8, image)],
    };
    assert_eq!(*log.all()[0].messages[0], sent);
    agent.leave().await.unwrap();

    // The next process sees the same.
    let entries = journal.entries(&"s".into());
    let stored: Vec<Entry> = serde_json::from_str(&serde_json::to_string(&entries).unwrap()).unwrap();
    assert_eq!(stored, entries);
    let (model, _) = seeing(vec![]);
    let agent = AsyncAgent::builder(model, manager([]))
        .journal(journal)
        .session("s")
        .resume()
        .await
        .unwrap();
    assert_eq!(*agent.transcript().await.unwrap()[0], sent);
    agent.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_the_model_does_not_take_is_refused_before_it_is_kept() {
    let journal = Arc::new(MemoryJournal::new());
    let (model, log) = seeing(vec![]);
    let agent = AsyncAgent::builder(model, manager([]))
        .journal(journal.clone())
        .session("s")
        .start()
        .await
        .unwrap();
    let refused = [
        (
            Media::bytes("audio/wav", [1]),
            "the message can't be sent: the model takes no audio/wav as bytes: it takes image/*",
        ),
        (
            png(33 * 1024 * 1024),
            "the message can't be sent: the media have 34603008 bytes together, and at most 33554432 are taken; send smaller ones, or a URL",
        ),
        (
            png(3).withheld(),
            "the message can't be sent: [image \"a.png\": image/png, 3 bytes, not shown any more] has no bytes any more; send the original",
        ),
    ];
    for (media, text) in refused {
        let error = agent.send(media).await.unwrap_err();
        assert_eq!(error.to_string(), text);
        assert!(matches!(error, AgentError::Content(_)));
    }
    assert_eq!(journal.entries(&"s".into()).len(), 1, "only the beginning");
    // The session goes on.
    agent.run_to_completion("hello").await.unwrap();
    assert_eq!(log.len(), 1);
    agent.close().await.unwrap();

    // A model that says nothing of media takes text only.
    let deaf = model::from_fn(async |_| Ok(ModelStream::text("done")));
    let agent = AsyncAgent::builder(deaf, manager([])).start().await.unwrap();
    let error = agent.run_to_completion(png(1)).await.unwrap_err();
    assert!(error.to_string().contains("it takes text only"), "{error}");
    let not_taken = |error| matches!(error, AgentError::Content(ContentError::NotTaken { .. }));
    assert!(not_taken(agent.send(png(1)).await.unwrap_err()));
    agent.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_result_has_a_description_and_the_image_beside_it() {
    let draw = tool_of("draw", |_, _| async {
        Ok(json!({"caption": "x".repeat(10), "charts": [png(5_000_000), "and", png(2)]}))
    });
    let journal = Arc::new(MemoryJournal::new());
    let (model, log) = seeing(vec![|| calls([("draw", json!({}))]), || {
        calls([("task", json!({"action": "result", "tasks": ["t1"]}))])
    }]);
    let agent = AsyncAgent::builder(model, manager([draw]))
        .journal(journal.clone())
        .session("s")
        .start()
        .await
        .unwrap();
    agent.run_to_completion("go").await.unwrap();
    let requests = log.all();
    let Message::Answers(answers) = &**requests[1].messages.last().unwrap() else {
        panic!()
    };
    assert_eq!(
        answers[0].to_model_json(),
        json!({
            "caption": "xxxxxxxxxx",
            "charts": [
                {"media": 1, "type": "image/png", "name": "a.png", "bytes": 5_000_000},
                "and",
                {"media": 2, "type": "image/png", "name": "a.png", "bytes": 2},
            ],
        })
    );
    assert_eq!(answers[0].media(), [png(5_000_000), png(2)]);
    // The `task` tool says type, size and name, and shows the images again.
    let Message::Answers(answers) = &**requests[2].messages.last().unwrap() else {
        panic!()
    };
    let AnswerContent::Report(report) = &answers[0].content else {
        panic!()
    };
    let report = report.to_string();
    assert!(report.contains("5000000") && report.len() < 2_000, "{report}");
    assert_eq!(answers[0].media(), [png(5_000_000), png(2)]);
    agent.close().await.unwrap();
    check_journal(&journal.entries(&"s".into())).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_result_that_the_model_waits_for_brings_its_images() {
    let draw = tool_of("draw", |_, _| async {
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
        Ok(json!({"chart": png(20_000)}))
    });
    let journal = Arc::new(MemoryJournal::new());
    let (model, log) = seeing(vec![
        || calls([("draw", json!({})), ("draw", json!({"again": true}))]),
        || calls([("task", json!({"action": "wait", "tasks": ["t1", "t2"], "seconds": 100}))]),
    ]);
    let agent = AsyncAgent::builder(model, manager([draw]))
        .journal(journal.clone())
        .session("s")
        .start()
        .await
        .unwrap();
    agent.send("go").await.unwrap();
    agent.run_until_idle().await.unwrap();
    let requests = log.all();
    let Message::Answers(answers) = &**requests.last().unwrap().messages.last().unwrap() else {
        panic!("{requests:?}")
    };
    assert!(matches!(answers[0].content, AnswerContent::Report(_)), "{answers:?}");
    assert_eq!(answers[0].media(), [png(20_000), png(20_000)]);
    let before = agent.transcript().await.unwrap();
    agent.leave().await.unwrap();
    check_journal(&journal.entries(&"s".into())).unwrap();

    // The entry names the tasks, so nothing is stored twice.
    let entries = journal.entries(&"s".into());
    let ledger = Ledger::fold(&entries).unwrap();
    assert_eq!(ledger.transcript().messages(), &before[..]);
    let stored = serde_json::to_string(&entries).unwrap();
    let data = png(20_000).to_base64().unwrap();
    assert_eq!(stored.matches(&data).count(), 2, "one for each result");
}

#[tokio::test(start_paused = true)]
async fn content_is_a_result_alone_and_a_late_one_too() {
    let photo = tool_of("photo", |_, _| async {
        tokio::time::sleep(std::time::Duration::from_secs(3_600)).await;
        Ok(serde_json::to_value(Content::from("The harbour: ").with(png(9))).unwrap())
    });
    let (model, log) = seeing(vec![|| calls([("photo", json!({}))])]);
    let agent = AsyncAgent::builder(model, manager([photo])).start().await.unwrap();
    agent.send("go").await.unwrap();
    agent.run_until_idle().await.unwrap();
    let requests = log.all();
    let Message::Delivery { text, results, .. } = &**requests.last().unwrap().messages.last().unwrap() else {
        panic!("{requests:?}");
    };
    assert!(
        text.contains(r#"["The harbour: ",{"bytes":9,"media":1,"name":"a.png","type":"image/png"}]"#),
        "{text}"
    );
    assert_eq!(results[0].media, [png(9)]);
    agent.close().await.unwrap();
}

/// An agent with a loop of its own that takes images, and notes what it gets.
#[derive(Clone)]
struct Viewer(Log<String>);

impl Agent for Viewer {
    type Error = ModelError;

    fn media(&self) -> MediaRules {
        IMAGES
    }

    async fn turn(&mut self, input: TurnInput, cx: TurnContext) -> Result<TurnReply, ModelError> {
        for part in input.said(&self.media()) {
            self.0.note(match part {
                SaidPart::Text(text) => text.into_owned(),
                SaidPart::Media(media) => format!("<{}>", media.name().unwrap_or_default()),
                other => panic!("{other:?}"),
            });
        }
        if !input.user_text().is_empty() {
            cx.call("draw", json!({}))?;
        }
        Ok("seen".into())
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_with_its_own_loop_gets_images_in_their_places_and_refuses_others() {
    let draw = tool_of("draw", |_, _| async {
        Ok(json!([png(2), Media::bytes("audio/wav", [1])]))
    });
    let log = Log::new();
    let agent = AsyncAgent::wrap(Transactional::new(Viewer(log.clone())), manager([draw]))
        .start()
        .await
        .unwrap();
    let error = agent.send(Media::bytes("audio/wav", [1])).await.unwrap_err();
    assert!(error.to_string().ends_with("it takes image/*"), "{error}");
    agent
        .run_to_completion(Content::from("Compare ").with(png(100)).with(" with it."))
        .await
        .unwrap();
    agent.close().await.unwrap();
    let parts = log.all();
    assert_eq!(parts[..3], ["Compare ", "<a.png>", " with it."]);
    assert!(parts[3].ends_with("\nOutput of the tool of t1, media 1:"), "{parts:?}");
    assert_eq!(parts[4], "<a.png>");
    let other = "\nOutput of the tool of t1, media 2: [audio: audio/wav, 1 byte; it can't be shown to you]";
    assert_eq!(parts[5], other);
}

#[test]
fn media_count_as_tokens_whatever_their_bytes() {
    let tokens = |content: Content| ApproximateTokens.count_message(&Message::user(content));
    let image = tokens(png(10).into());
    assert_eq!(image, tokens(png(1_000_000).into()));
    assert!((1_000..2_000).contains(&image), "{image}");
    assert!(tokens(Media::bytes("text/plain", vec![b'a'; 30_000]).into()) >= 10_000);
    assert!(tokens(png(10).withheld().into()) < 40);
}

#[tokio::test(start_paused = true)]
async fn old_images_give_way_when_the_conversation_is_pruned() {
    let look = tool_of("look", |_, _| async { Ok(json!(png(10))) });
    let (model, log) = seeing(vec![
        || calls([("look", json!({}))]),
        || ModelStream::text("seen"),
        || calls([("look", json!({}))]),
        || ModelStream::text("seen"),
        || calls([("look", json!({}))]),
    ]);
    let policy = PrunePolicy::new(5_000).with_keep_recent(1);
    let agent = AsyncAgent::builder(model, manager([look]))
        .prune(policy)
        .start()
        .await
        .unwrap();
    for _ in 0..3 {
        agent.run_to_completion("look").await.unwrap();
    }
    let shown = |request: &ModelRequest| {
        let answers = request.messages.iter().filter_map(|message| match &**message {
            Message::Answers(answers) => Some(answers),
            _ => None,
        });
        answers.flatten().flat_map(|answer| answer.media().to_vec()).count()
    };
    let counts: Vec<usize> = log.all().iter().map(shown).collect();
    assert_eq!(counts.iter().max(), Some(&2), "{counts:?}");
    assert!(counts.last() >= Some(&1), "{counts:?}");
    agent.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn old_images_of_the_user_give_way_before_any_words() {
    let (model, log) = seeing(vec![]);
    let policy = PrunePolicy::new(6_000).with_target(5_200).with_keep_recent(1);
    let agent = AsyncAgent::builder(model, manager([]))
        .prune(policy)
        .start()
        .await
        .unwrap();
    for number in 0..8 {
        let said = Content::from(format!("look {number}")).with(png(10));
        agent.run_to_completion(said).await.unwrap();
    }
    for (number, request) in log.all().iter().enumerate() {
        let said = request.messages.iter().filter_map(|message| match &**message {
            Message::User { text, media } => Some((text.as_str(), !media[0].media.is_withheld())),
            _ => None,
        });
        let said: Vec<_> = said.collect();
        assert_eq!(said.len(), number + 1, "all words stay: {said:?}");
        assert_eq!(said[number], (format!("look {number}").as_str(), true));
        let shown = said.iter().filter(|(_, is_shown)| *is_shown).count();
        assert!(shown <= 3, "{said:?}");
    }
    agent.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_model_that_refuses_the_conversation_as_too_long_gets_it_without_its_images() {
    let log = Log::new();
    let noted = log.clone();
    let model = model::from_fn(move |request: ModelRequest| {
        let images = request.messages.iter().filter_map(|message| match &**message {
            Message::User { media, .. } => Some(
                media
                    .iter()
                    .filter(|attachment| !attachment.media.is_withheld())
                    .count(),
            ),
            _ => None,
        });
        let images: usize = images.sum();
        noted.note(images);
        async move {
            match images {
                0 | 1 => Ok(ModelStream::text("done")),
                _ => Err(ModelError::too_long("too many images")),
            }
        }
    });
    let model = model.with_capabilities(Capabilities::default().with_media(IMAGES));
    let agent = AsyncAgent::builder(model, manager([])).start().await.unwrap();
    for _ in 0..3 {
        agent
            .run_to_completion(Content::from("look").with(png(10)))
            .await
            .unwrap();
    }
    assert_eq!(log.all().last(), Some(&1));
    agent.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn secrets_in_names_urls_and_texts_of_media_are_not_kept() {
    let login = tool_of("login", |_, _| async { Ok(json!("hunter2-secret")) }).sensitive_result(true);
    let fetch = tool_of("fetch", |_, _| async {
        let file = Media::bytes("text/plain", *b"the password is hunter2-secret.").with_name("hunter2-secret.txt");
        Ok(json!([
            file,
            Media::url("image/png", "https://example.org/?key=hunter2-secret")
        ]))
    });
    let journal = Arc::new(MemoryJournal::new());
    let (model, log) = seeing(vec![|| calls([("login", json!({}))]), || calls([("fetch", json!({}))])]);
    let agent = AsyncAgent::builder(model, manager([login, fetch]))
        .journal(journal.clone())
        .session("s")
        .start()
        .await
        .unwrap();
    agent.run_to_completion("go").await.unwrap();
    let said =
        Content::from("is it hunter2-secret ").with(Media::url("image/png", "https://example.org/hunter2-secret"));
    agent.run_to_completion(said.with(" there?")).await.unwrap();
    agent.close().await.unwrap();
    let entries = journal.entries(&"s".into());
    let texts = entries.iter().flat_map(|entry| match entry {
        Entry::Settled { result } => result.media.clone(),
        Entry::UserMessage { media, .. } => media.iter().map(|attachment| attachment.media.clone()).collect(),
        _ => Vec::new(),
    });
    for media in texts {
        let bytes = media
            .as_bytes()
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let all = format!("{media:?} {media} {bytes:?}");
        assert!(!all.contains("hunter2") && all.contains(REDACTED), "{all}");
    }
    let last = entries.iter().rev().find_map(|entry| match entry {
        Entry::UserMessage { text, media, .. } if !media.is_empty() => Some((text.as_str(), media[0].at)),
        _ => None,
    });
    assert_eq!(last, Some(("is it [redacted]  there?", "is it [redacted] ".len())));
    // The model saw all of it.
    let requests = log.all();
    let Message::Answers(answers) = &**requests[2].messages.last().unwrap() else {
        panic!()
    };
    assert_eq!(answers[0].media()[0].name(), Some("hunter2-secret.txt"));
}

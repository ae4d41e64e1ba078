//! Search for notes.

use async_tool_sqlite::{Memory, NewNote};
use proptest::prelude::*;

use crate::fixture::Place;

async fn memory(place: &Place, texts: &[&str]) -> Memory {
    let memory = place.open().memory("user");
    for text in texts {
        memory.remember(*text).await.unwrap();
    }
    memory
}

async fn found(memory: &Memory, query: &str) -> Vec<String> {
    let found = memory.recall(query, 10).await.unwrap();
    found.into_iter().map(|found| found.note.text).collect()
}

#[tokio::test]
async fn a_note_is_found_by_words_in_any_order_without_accents_and_by_their_beginnings() {
    let place = Place::new();
    let texts = [
        "Herr Müller trinkt Kaffee mit Milch",
        "Deployments go through staging on Fridays",
        "The user prefers dark roasted beans",
        "L'été, elle habite à Paris",
        "The server is 10.0.0.17, its owner c++@example.com",
        "Mu\u{308}nster is spelt with two code points",
        "उपयोगकर्ता को हिन्दी पसंद है",
        "사용자는 커피를 좋아합니다",
        "Пользователь живёт в Москве",
    ];
    let memory = memory(&place, &texts).await;
    for (query, expected) in [
        ("muller", 0),
        ("MÜLLER", 0),
        ("milch kaffee", 0),
        ("Kaff", 0),
        ("deploy", 1),
        ("deployed friday", 1),
        ("stag", 1),
        ("roasting preferences", 2),
        ("ete paris", 3),
        ("10.0.0.17", 4),
        ("example.com", 4),
        ("munster", 5),
        ("हिन्दी", 6),
        ("커피", 7),
        ("москве", 8),
        ("МОСКВ", 8),
    ] {
        assert_eq!(found(&memory, query).await, [texts[expected]], "{query}");
    }
    assert!(found(&memory, "elephant").await.is_empty());
}

#[tokio::test]
async fn a_note_in_a_script_without_spaces_is_found_by_what_is_in_it() {
    let place = Place::new();
    let texts = [
        "東京都に住んでいます。コーヒーが好き",
        "用户喜欢喝咖啡，住在北京",
        "ผู้ใช้ชอบกาแฟ",
        "会議はTeamsで金曜日",
    ];
    let memory = memory(&place, &texts).await;
    for (query, expected) in [
        ("東京", 0),
        ("東京都", 0),
        ("京都", 0),
        ("コーヒー", 0),
        ("好", 0),
        ("咖啡", 1),
        ("北京 咖啡", 1),
        ("北", 1),
        ("กาแฟ", 2),
        ("teams", 3),
        ("金曜日Teams", 3),
    ] {
        let found = found(&memory, query).await;
        assert_eq!(
            found.first().map(String::as_str),
            Some(texts[expected]),
            "{query}: {found:?}"
        );
    }
    // A whole question has more words than the note; a partial match is enough.
    assert_eq!(found(&memory, "ユーザーはコーヒーが飲めますか？").await, [texts[0]]);
    assert!(found(&memory, "大阪").await.is_empty());
}

#[tokio::test]
async fn notes_with_all_words_come_alone_and_else_those_with_any_of_them() {
    let place = Place::new();
    let memory = memory(&place, &["green tea", "black tea", "black coffee", "a blue car"]).await;
    assert_eq!(found(&memory, "black tea").await, ["black tea"]);
    let mut some = found(&memory, "green coffee").await;
    some.sort();
    assert_eq!(some, ["black coffee", "green tea"]);
}

#[tokio::test]
async fn of_notes_that_fit_alike_the_newest_comes_first_and_there_is_a_limit() {
    let place = Place::new();
    let memory = memory(&place, &[]).await;
    for number in 100..300 {
        memory.remember(format!("meeting number {number}")).await.unwrap();
    }
    let found = memory.recall("meeting", 3).await.unwrap();
    let texts: Vec<_> = found.iter().map(|found| found.note.text.as_str()).collect();
    assert_eq!(
        texts,
        ["meeting number 299", "meeting number 298", "meeting number 297"]
    );
    assert!(found.iter().all(|found| found.score > 0.0));
    assert_eq!(memory.recall("meeting", usize::MAX).await.unwrap().len(), 100);
    assert_eq!(memory.recall("meeting", 0).await.unwrap().len(), 0);
    assert_eq!(memory.recall("", 2).await.unwrap()[0].note.text, "meeting number 299");
}

#[tokio::test]
async fn the_text_of_an_answer_is_bounded() {
    let place = Place::new();
    let memory = place.open().memory("user").max_note_bytes(100_000);
    for number in 0..10 {
        memory
            .remember(format!("{number} {}", "long ".repeat(6_000)))
            .await
            .unwrap();
    }
    assert_eq!(memory.recall("long", 10).await.unwrap().len(), 2);
    memory.remember("huge ".repeat(19_000)).await.unwrap();
    assert_eq!(
        memory.recall("huge", 10).await.unwrap().len(),
        1,
        "the first is given however long it is"
    );
}

#[tokio::test]
async fn a_note_is_found_by_its_tags() {
    let place = Place::new();
    let memory = memory(&place, &["prefers aisle seats"]).await;
    memory
        .remember(NewNote::new("never before nine").tags(["meetings", "会議"]))
        .await
        .unwrap();
    assert_eq!(found(&memory, "meeting").await, ["never before nine"]);
    assert_eq!(found(&memory, "会議").await, ["never before nine"]);
    assert_eq!(found(&memory, "meetings nine").await, ["never before nine"]);
}

#[tokio::test]
async fn no_query_is_an_error() {
    let place = Place::new();
    let memory = memory(&place, &["an ordinary note", "another AND one"]).await;
    for query in [
        "",
        " ",
        "\"",
        "\"\"\"",
        "'",
        "a\"b",
        "AND",
        "AND AND",
        "NOT",
        "OR note",
        "NEAR(a b)",
        "NEAR(",
        "*",
        "-",
        "-note",
        "note*",
        "^note",
        "text:note",
        "{text}:note",
        "(",
        ")",
        "((((",
        "a + b",
        "🚀",
        "note 🚀",
        "\0",
        "no\0te",
        "\u{FFFD}",
        "%",
        "_",
        ";--",
        "\u{200D}",
        "\u{301}",
        "ー",
        "。",
        "ⅷ",
        "½",
        "𝒜",
        "\u{1F1E9}\u{1F1EA}",
        "\u{E000}",
    ] {
        memory
            .recall(query, 5)
            .await
            .unwrap_or_else(|error| panic!("{query:?}: {error}"));
    }
    assert_eq!(found(&memory, "note 🚀").await, ["an ordinary note"]);
    assert_eq!(found(&memory, "\"ordinary AND").await[0], "an ordinary note");
    let long = "note ".repeat(1_000_000);
    assert_eq!(found(&memory, &long).await, ["an ordinary note"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_kept_is_found_by_itself(texts in prop::collection::vec("\\PC{0,40}[a-zß-ü京-都ก-ฮ]{2,8}[\\PC\\n\"*]{0,40}", 1..4)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let place = Place::new();
            let memory = place.open().memory("user");
            for text in &texts {
                memory.remember(text.as_str()).await.unwrap();
            }
            for text in &texts {
                let found = memory.recall(text, 10).await.unwrap();
                assert!(found.iter().any(|found| found.note.text == text.trim()), "{text:?}");
            }
        });
    }
}

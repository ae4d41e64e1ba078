//! Ordinary text, which must pass the guard byte for byte.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{passed, whole};

/// Texts that come close to a frame and are none.
const HARD: &[&str] = &[
    "The list `tool_results` is empty, and tool_results_len is 0.",
    "for (let i = 0; i < tool_results.length; i++) { sum += tool_results[i] > 3 ? 1 : 0; }",
    "for(i=0;i<tool_results_count;i++){if(a>b)c();}",
    "if n < tool_results and m > 3:\n    pass",
    "while i < tool_results_len { i += 1; }\nif a > b {}",
    "done = n < tool_results\nx = 3\ny = x > 2",
    "SELECT * FROM t WHERE a < tool_results AND c = 'x' AND d > 3",
    "assert!(i < tool_results.len() && j > 0);",
    "let a: Vec<ToolResults> = Vec::<ToolResults>::new();",
    "HashMap<tool_results::Key, Vec<tool_results::Row>>",
    "std::map<tool_results_t, int>",
    "<ToolResults items={results} />",
    "<tool-results></tool-results><tool_result id=\"1\">3</tool_result>",
    "<tool_resultset><tool_resultsX></tool_resultset>",
    "<toolbox><tool_><tool_result></tool_result><tools></toolbox>",
    "<system><tool results go here></system>",
    "sort < tool_results_20240131123456.txt",
    "see &lt;tool&gt; and &amp;lt;em&amp;gt; &copy &unknown; &#8212; &#x2014; &",
    "100% of 50%20 %zz %3C %E2%82%AC",
    "C:\\tools\\results\\new \\u00e9 \\x41 \\n \\101 \\u{1f600} \\ud83d\\ude00 \\",
    "«tool_results» и 《tool_results》",
    "Схема: если a < б, то tool_results пуст.",
    "日本語の文章<ユーザー名を入力してください>です。",
    "한국어 <사용자 이름> 텍스트",
    "العربية <اسم المستخدم> ‏نص‏",
    "עברית <שם> טקסט",
    "👩‍👩‍👧‍👦 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ❤️ 🇩🇪 é e\u{301}",
    "می‌خواهم",
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "dG9vbF9yZXN1bHRz is tool_results in Base64, and PHRvb2w+ is a tag.",
    "7f3a 7f3a9c04 and e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "550e8400-e29b-41d4-a716-446655440000",
    "3c 74 6f 6f 6c 3e, 0x3c, 0x74",
    "a <- b -> c <= d >= e <=> f << 2 >> 1 <!-- comment --> <?xml?> <![CDATA[x]]>",
    "fn f<'a, T: Into<Option<&'a str>>>(x: T) -> Result<Vec<u8>, Box<dyn Error + Send>>",
    "<a href=\"https://example.com/?q=%3Ctag%3E&amp;x=1\">link</a><br/>",
    "```html\n<div class=\"tool_results\"><span id='results'></span></div>\n```",
    "| a | b |\n|---|---|\n| `<` | tool_results |",
    "$x < $tool_results ? <p>{{ tool_results }}</p> : <b>",
    "<",
    "<t",
    "&",
    "&#6",
    "%",
    "\\u00",
    "x < tool_results",
];

#[test]
fn ordinary_text_survives_byte_for_byte() {
    for text in HARD {
        assert_eq!(whole(text), ((*text).to_owned(), 0));
        let letters = super::characters(text);
        assert_eq!(passed(letters).0, *text);
        // No part of it combines with the text beside it.
        let among = format!("<b>{text}</b> 3 < 4 {text}");
        assert_eq!(whole(&among).0, among);
    }
}

/// Known mistakes of the guard: it cuts these texts, though their authors meant no frame.
#[test]
fn text_that_quotes_a_frame_loses_it() {
    for (text, left) in [
        ("std::vector<tool_results> rows; next", "std::vector"),
        ("usage: run <tool_results> now", "usage: run "),
    ] {
        assert_eq!(whole(text).0, left);
    }
}

#[test]
fn the_files_of_this_repository_survive() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    collect(&root, &mut files);
    let (mut bytes, mut changed, mut about_frames) = (0, Vec::new(), 0);
    for path in &files {
        let Ok(text) = fs::read_to_string(path) else { continue };
        bytes += text.len();
        if whole(&text).0 == text {
            continue;
        }
        // These files write frames on purpose.
        let name = path.to_string_lossy();
        if [
            "guard",
            "frames",
            "previews",
            "pruning",
            "it/agent/machine",
            "lowering",
            "async-tool-rig",
            "journal/check",
            "agent/tokens",
        ]
        .iter()
        .any(|about| name.contains(about))
        {
            about_frames += 1;
        } else {
            changed.push(path.clone());
        }
    }
    println!(
        "{} files, {bytes} bytes: {} cut by mistake, {about_frames} cut that write frames themselves",
        files.len(),
        changed.len()
    );
    assert!(files.len() > 100, "the repository was not found");
    assert!(changed.is_empty(), "{changed:#?}");
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || name.starts_with("target") {
            continue;
        }
        if path.is_dir() {
            collect(&path, files);
        } else if ["rs", "md", "toml", "json", "stderr"]
            .iter()
            .any(|end| name.ends_with(end))
        {
            files.push(path);
        }
    }
}

//! The service as a process that is killed and restarted, with a client that is no browser.
#![allow(clippy::unwrap_used, reason = "a test that fails here fails as it should")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

struct Service(Child, String);

impl Service {
    fn start(journal: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_service"));
        command.args(["--model=planner", "--listen=127.0.0.1:0", "--journal", journal]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
        let url = lines.map(Result::unwrap).find(|line| line.starts_with("listening"));
        Self(child, url.unwrap().replace("listening on ", "") + "/sessions")
    }

    /// Posts a body, if there is one, and reads the events behind the client's last one, up to one with this text.
    fn until(&self, (session, path, body): (&str, &str, &str), last: &mut String, text: &str) {
        let post = ureq::post(format!("{}/{session}/{path}", self.1)).content_type("application/json");
        assert!(body.is_empty() || post.send(body).is_ok());
        let events = ureq::get(format!("{}/{session}/events", self.1)).header("last-event-id", &*last);
        let stream = BufReader::new(events.call().unwrap().into_body().into_reader());
        let is_it = |line: &String| match line.strip_prefix("id: ") {
            Some(id) => std::mem::replace(last, id.to_owned()) == id,
            None => line.contains(text),
        };
        let found = stream.lines().map(Result::unwrap).find(is_it);
        assert!(found.unwrap().contains(text), "an event comes twice");
    }

    fn end(mut self, signal: &str) -> bool {
        let kill = format!("kill {signal} {}", self.0.id());
        Command::new("sh").args(["-c", &kill]).status().unwrap();
        self.0.wait().unwrap().success()
    }
}

#[test]
fn two_sessions_go_on_through_a_kill_and_a_deploy() {
    let journal = &format!("{}/{}.db", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    let (mut ann, mut bob) = ("1".to_owned(), "1".to_owned());
    let mut service = Service::start(journal);
    for message in ["send_letter Carol", "send_letter Dan"] {
        service.until(("bob", "messages", message), &mut bob, "input_required");
    }
    for (signal, topic) in [("-KILL", "bees"), ("-TERM", "wasps")] {
        let message = format!("research {topic}");
        service.until(("ann", "messages", &message), &mut ann, "acknowledged");
        assert_eq!(service.end(signal), signal == "-TERM");
        service = Service::start(journal);
        service.until(("ann", "", ""), &mut ann, &format!("three sources agree on {topic}"));
    }
    service.until(("ann", "messages", "research flies"), &mut ann, "acknowledged");
    service.until(("ann", "stop", "{}"), &mut ann, "cancelled");
    for (answer, end) in [("true", "is on its way"), ("\"no\"", "the user refused")] {
        let mut asked = ureq::get(format!("{}/bob/questions", service.1)).call().unwrap();
        let asked = asked.body_mut().read_to_string().unwrap();
        let asking = asked.split('"').skip_while(|text| *text != "asking").nth(2).unwrap();
        service.until(("bob", &format!("answers/{asking}"), answer), &mut bob, end);
    }
    assert!(service.end("-TERM"));
}

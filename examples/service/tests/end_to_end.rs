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
        Self(child, url.unwrap().replace("listening on ", ""))
    }

    /// Reply to a `POST` with a body, or else a `GET`.
    fn ask(&self, path: &str, body: &str, last: &str) -> impl BufRead + use<> {
        let url = format!("{}/sessions/{path}", self.1);
        let reply = match body {
            "" => ureq::get(url).header("last-event-id", last).call(),
            _ => ureq::post(url).content_type("application/json").send(body),
        };
        BufReader::new(reply.unwrap().into_body().into_reader())
    }

    /// Reads the events behind the last one that the client has, up to one with this text.
    fn until(&self, session: &str, last: &mut String, text: &str) {
        let stream = self.ask(&format!("{session}/events"), "", last);
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
    service.ask("bob/messages", "send_letter Carol", "");
    service.until("bob", &mut bob, "input_required");
    for (signal, topic) in [("-KILL", "bees"), ("-TERM", "wasps")] {
        service.ask("ann/messages", &format!("research {topic}"), "");
        service.until("ann", &mut ann, "acknowledged");
        assert_eq!(service.end(signal), signal == "-TERM");
        service = Service::start(journal);
        service.until("ann", &mut ann, &format!("three sources agree on {topic}"));
    }
    service.ask("ann/messages", "research flies", "");
    service.until("ann", &mut ann, "acknowledged");
    service.ask("ann/stop", "{}", "");
    service.until("ann", &mut ann, "cancelled");
    let mut asked = String::new();
    service.ask("bob/questions", "", "").read_line(&mut asked).unwrap();
    let asking = asked.split('"').skip_while(|text| *text != "asking").nth(2).unwrap();
    service.ask(&format!("bob/answers/{asking}"), "true", "");
    service.until("bob", &mut bob, "a letter of bob is on its way to Carol");
    assert!(service.end("-TERM"));
}

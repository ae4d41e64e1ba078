//! Cost of an inspector for its agent: a busy session without viewers, and with many.
//!
//! ```text
//! cargo run --release -p async-tool-inspector --example load
//! cargo run --release -p async-tool-inspector --example load -- 10000   # a session of so many tasks
//! ```
//!
//! A hundred tasks report progress ten times a second each: 1,000 events a second. Meanwhile, the user of another session of the same manager
//! says something again and again, and waits for the answer. The viewers are a process of their own.

use std::{
    env,
    error::Error,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use async_tool_inspector::{Inspector, InspectorServer};
use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner, ToolContext, async_tool, tools};

/// Tasks that report at the same time.
const REPORTERS: usize = 100;
/// Viewers in the last phase.
const VIEWERS: usize = 100;
/// Times that the phases are measured.
const ROUNDS: usize = 2;
/// Length of a phase.
const PHASE: Duration = Duration::from_secs(10);

type Failure = Box<dyn Error + Send + Sync>;

/// Reports its progress ten times a second.
#[async_tool(effect = "read", background = "always", dedupe = "allow")]
async fn report(#[inject] cx: ToolContext) {
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    for step in 0_u32.. {
        ticks.tick().await;
        cx.progress()
            .report(f64::from(step % 100) / 100.0, format!("step {step}"));
    }
}

/// Adds two numbers.
#[async_tool(effect = "read")]
fn add(a: i64, b: i64) -> i64 {
    a + b
}

/// Does nothing.
#[async_tool(effect = "read", background = "never")]
async fn nothing(round: u32) -> u32 {
    round
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["view", address, cookie, count] => view(address, cookie, count.parse()?),
        [] => runtime()?.block_on(load()),
        [tasks] => runtime()?.block_on(long(tasks.parse()?)),
        _ => Err("usage: load [TASKS]".into()),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?)
}

/// Compares the phases.
async fn load() -> Result<(), Failure> {
    let manager = AsyncToolManager::builder().tools(tools![report, add]).build()?;
    let busy = AsyncAgent::builder(RulePlanner::new(), manager.clone())
        .session("busy")
        .start()
        .await?;
    let calls = vec!["report"; REPORTERS].join(" ; ");
    busy.send(calls).await?;
    println!(
        "{:<26} {:>9} {:>10} {:>10} {:>12} {:>15}",
        "", "events/s", "p50", "p99", "CPU, host", "CPU, inspector"
    );
    // Each is measured twice, in turns, because a machine has other things to do as well.
    for round in 1..=ROUNDS {
        phase("no inspector", &busy, &manager).await?;
        let inspector = Inspector::new().manager(&manager).agent(&busy);
        let server = inspector.serve_quietly("127.0.0.1:0").await?;
        if round == 1 {
            phase("inspector, no viewers", &busy, &manager).await?;
        }
        let cookie = log_in(&server)?;
        for (count, name) in [(1, "1 viewer"), (VIEWERS, "100 viewers")] {
            let mut viewers = viewers(&server, &cookie, count)?;
            phase(name, &busy, &manager).await?;
            println!("    {}", end(&mut viewers)?);
        }
    }
    phase("no inspector", &busy, &manager).await?;
    busy.close().await?;
    Ok(())
}

/// Measures a phase: events of the busy session, and answers of another one, which is new: a longer conversation takes longer.
async fn phase(name: &str, busy: &AsyncAgent, manager: &AsyncToolManager) -> Result<(), Failure> {
    let quick = AsyncAgent::builder(RulePlanner::new(), manager.clone()).start().await?;
    let before = cpu();
    let begin = Instant::now();
    let mut events = busy.events();
    let counter = tokio::spawn(async move {
        let mut count = 0_u64;
        while let Ok(Some(_)) = tokio::time::timeout_at((begin + PHASE).into(), events.next()).await {
            count += 1;
        }
        count
    });
    let mut times = Vec::new();
    while begin.elapsed() < PHASE {
        let start = Instant::now();
        quick.run_to_completion(format!("add a={} b=1", times.len())).await?;
        times.push(start.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let count = counter.await?;
    let after = cpu();
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    // The thread of an earlier inspector may have ended meanwhile.
    let share = |after: f64, before: f64| format!("{:.1} %", (after - before).max(0.0) / PHASE.as_secs_f64() * 100.0);
    println!(
        "{name:<26} {:>9.0} {:>10.0?} {:>10.0?} {:>12} {:>15}",
        count as f64 / PHASE.as_secs_f64(),
        at(0.5),
        at(0.99),
        share(after.0, before.0),
        share(after.1, before.1),
    );
    quick.close().await?;
    Ok(())
}

/// Shows a session of many tasks.
async fn long(tasks: usize) -> Result<(), Failure> {
    let manager = AsyncToolManager::builder().tools(tools![nothing]).build()?;
    let agent = AsyncAgent::builder(RulePlanner::new(), manager.clone())
        .session("long")
        .start()
        .await?;
    for round in 0..tasks.div_ceil(50) {
        let calls: Vec<String> = (0..50)
            .map(|call| format!("nothing round={}", round * 50 + call))
            .collect();
        agent.run_to_completion(calls.join(" ; ")).await?;
    }
    let server = Inspector::new()
        .manager(&manager)
        .agent(&agent)
        .serve_quietly("127.0.0.1:0")
        .await?;
    let cookie = log_in(&server)?;
    let begin = Instant::now();
    let mut stream = ask(&server.address().to_string(), &cookie, "long")?;
    let bytes = until(&mut stream, "event: snapshot", "\n\n")?;
    println!(
        "{tasks} tasks: a snapshot of {:.1} MB after {:.0?}",
        bytes as f64 / 1e6,
        begin.elapsed()
    );
    drop(stream);
    let begin = Instant::now();
    let mut stream = ask(&server.address().to_string(), &cookie, "long")?;
    until(&mut stream, "event: snapshot", "\n\n")?;
    println!("the next viewer gets it after {:.0?}", begin.elapsed());
    agent.close().await?;
    Ok(())
}

/// CPU time of the other threads, and of the inspector's thread, in seconds; zero where the system doesn't tell.
fn cpu() -> (f64, f64) {
    let (mut host, mut inspector) = (0.0, 0.0);
    for thread in fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let Ok(stat) = fs::read_to_string(thread.path().join("stat")) else {
            continue;
        };
        let Some((name, rest)) = stat.rsplit_once(')') else {
            continue;
        };
        let times = rest.split_whitespace().skip(11).take(2);
        let ticks: f64 = times.filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
        // The kernel cuts names to 15 bytes.
        match name.contains("(async-tool-insp") {
            true => inspector += ticks / 100.0,
            false => host += ticks / 100.0,
        }
    }
    (host, inspector)
}

/// Logs in; returns the cookie.
fn log_in(server: &InspectorServer) -> Result<String, Failure> {
    let address = server.address();
    let link = server.link();
    let (_, token) = link.split_once("#token=").ok_or("the link has a token")?;
    let body = format!("{{\"token\":\"{token}\"}}");
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "POST /api/login HTTP/1.1\r\nhost: {address}\r\norigin: http://{address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let cookie = answer.lines().find_map(|line| line.strip_prefix("set-cookie: "));
    let cookie = cookie
        .and_then(|cookie| cookie.split(';').next())
        .ok_or("the login failed")?;
    Ok(cookie.to_owned())
}

/// Starts a process with viewers, and waits until each has its snapshot.
fn viewers(server: &InspectorServer, cookie: &str, count: usize) -> Result<Child, Failure> {
    let mut child = Command::new(env::current_exe()?)
        .args(["view", &server.address().to_string(), cookie, &count.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().ok_or("the output is piped")?;
    let mut lines = BufReader::new(output);
    let mut ready = String::new();
    lines.read_line(&mut ready)?;
    child.stdout = Some(lines.into_inner());
    Ok(child)
}

/// Ends the viewers; returns what they have seen.
fn end(viewers: &mut Child) -> Result<String, Failure> {
    drop(viewers.stdin.take());
    let mut told = String::new();
    if let Some(output) = &mut viewers.stdout {
        output.read_to_string(&mut told)?;
    }
    viewers.wait()?;
    Ok(told.trim().to_owned())
}

/// The process with viewers: each reads until the input is closed.
fn view(address: &str, cookie: &str, count: usize) -> Result<(), Failure> {
    let readers: Vec<_> = (0..count)
        .map(|_| {
            let (address, cookie) = (address.to_owned(), cookie.to_owned());
            thread::spawn(move || -> Result<TcpStream, Failure> {
                let mut stream = ask(&address, &cookie, "busy")?;
                until(&mut stream, "event: snapshot", "\n\n")?;
                Ok(stream)
            })
        })
        .collect();
    let mut streams = Vec::new();
    for reader in readers {
        streams.push(reader.join().map_err(|_| "a viewer panicked")??);
    }
    println!("ready");
    let begin = Instant::now();
    let counters: Vec<_> = streams
        .into_iter()
        .map(|mut stream| {
            thread::spawn(move || -> (u64, u64) {
                let (mut frames, mut bytes, mut buffer) = (0, 0, vec![0; 64 * 1_024]);
                while begin.elapsed() < PHASE {
                    match stream.read(&mut buffer) {
                        Ok(0) | Err(_) => break,
                        Ok(count) => {
                            bytes += count as u64;
                            frames += String::from_utf8_lossy(&buffer[..count])
                                .matches("event: update")
                                .count() as u64;
                        }
                    }
                }
                (frames, bytes)
            })
        })
        .collect();
    let (mut frames, mut bytes) = (0, 0);
    for counter in counters {
        let (more, of) = counter.join().map_err(|_| "a viewer panicked")?;
        frames += more;
        bytes += of;
    }
    let mut rest = String::new();
    std::io::stdin().read_to_string(&mut rest)?;
    let seconds = PHASE.as_secs_f64() * count as f64;
    println!(
        "each viewer got {:.1} updates a second, {:.0} KB a second",
        frames as f64 / seconds,
        bytes as f64 / seconds / 1e3
    );
    Ok(())
}

/// Asks for the events of a session.
fn ask(address: &str, cookie: &str, session: &str) -> Result<TcpStream, Failure> {
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "GET /api/events?session={session} HTTP/1.1\r\nhost: {address}\r\ncookie: {cookie}\r\n\r\n"
    )?;
    Ok(stream)
}

/// Reads until a text, and another one behind it; returns the number of bytes.
fn until(stream: &mut TcpStream, first: &str, then: &str) -> Result<usize, Failure> {
    let (mut read, mut buffer, mut found) = (Vec::new(), vec![0; 256 * 1_024], None);
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Err(String::from_utf8_lossy(&read).into_owned().into());
        }
        read.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&read);
        found = found.or_else(|| text.find(first));
        let tail = text.len().saturating_sub(count + 16);
        if let Some(start) = found
            && text.get(tail.max(start)..).is_some_and(|tail| tail.contains(then))
        {
            return Ok(read.len());
        }
    }
}

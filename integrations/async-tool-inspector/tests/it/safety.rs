//! Without a token nothing is readable, and a page of another site does nothing.

use async_tool_inspector::Inspector;
use axum::{
    Router,
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use serde_json::json;

use crate::stand::{Browser, ORIGIN, PAGE, agent, get, post, read, send, split};

/// All requests of data.
const DATA: [(&str, &str); 7] = [
    ("GET", "/api/info"),
    ("GET", "/api/events?session=ann"),
    ("GET", "/api/task?session=ann&task=01890000-0000-7000-8000-000000000000"),
    ("GET", "/api/transcript?session=ann"),
    ("GET", "/api/questions?session=ann"),
    ("POST", "/api/act"),
    ("POST", "/api/logout"),
];

fn request(method: &str, path: &str) -> Request<Body> {
    let request = match method {
        "GET" => get(path),
        _ => post(path, &json!({"act": "send", "session": "ann", "text": "hello"})),
    };
    assert_eq!(request.method(), Method::from_bytes(method.as_bytes()).unwrap());
    request
}

#[tokio::test(start_paused = true)]
async fn without_the_cookie_nothing_is_readable_and_nothing_happens() {
    let agent = agent().await;
    let (router, access) = Inspector::new().agent(&agent).router();
    for (method, path) in DATA {
        for cookie in [
            "",
            "async-tool-inspector-4000=",
            "async-tool-inspector-4000=0000",
            "other=1",
        ] {
            let mut request = request(method, path);
            request.headers_mut().insert(header::COOKIE, cookie.parse().unwrap());
            let (status, error) = read(send(&router, request).await).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {path} {cookie}");
            assert_eq!(error["error"]["kind"], "unauthorized");
        }
    }
    for token in ["", "0", &split(&access.link(PAGE)).1[..63]] {
        let login = send(&router, post("/api/login", &json!({"token": token}))).await;
        assert_eq!(login.status(), StatusCode::UNAUTHORIZED);
        assert!(login.headers().get(header::SET_COOKIE).is_none());
    }
    assert_eq!(agent.transcript().await.unwrap().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_token_works_once_and_the_cookie_until_the_logout() {
    let (router, access) = Inspector::new().router();
    let (page, token) = split(&access.link(PAGE));
    assert_eq!(page, PAGE);
    let login = || post("/api/login", &json!({"token": token}));
    let first = send(&router, login()).await;
    assert_eq!(first.status(), StatusCode::OK);
    let set = first.headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
    for word in [
        "async-tool-inspector-4000=",
        "; HttpOnly",
        "; SameSite=Strict",
        "; Path=/",
    ] {
        assert!(set.contains(word), "{set}");
    }
    assert!(!set.contains("Secure"), "browsers drop such a cookie without TLS");
    assert_eq!(send(&router, login()).await.status(), StatusCode::UNAUTHORIZED);

    let browser = Browser {
        router,
        access,
        cookie: set.split(';').next().unwrap().to_owned(),
    };
    browser.data("/api/info").await;
    let mut logout = post("/api/logout", &json!({}));
    browser.sign(&mut logout);
    let response = send(&browser.router, logout).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(
        response.headers()[header::SET_COOKIE]
            .to_str()
            .unwrap()
            .contains("Max-Age=0")
    );
    assert_eq!(browser.get("/api/info").await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_pointed_here_reads_nothing() {
    let agent = agent().await;
    let browser = Browser::open(Inspector::new().agent(&agent)).await;
    for host in [
        "evil.example",
        "evil.example:4000",
        "127.0.0.1.evil.example:4000",
        "10.0.0.1:4000",
        "[::]:4000",
        "",
        "a b",
    ] {
        for (method, path) in DATA.into_iter().chain([("GET", "/"), ("POST", "/api/login")]) {
            let mut request = request(method, path);
            browser.sign(&mut request);
            request.headers_mut().insert(header::HOST, host.parse().unwrap());
            let origin = format!("http://{host}");
            if method == "POST"
                && let Ok(origin) = origin.parse()
            {
                request.headers_mut().insert(header::ORIGIN, origin);
            }
            let (status, error) = read(send(&browser.router, request).await).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{method} {path} for {host}");
            assert_eq!(error["error"]["kind"], "forbidden");
        }
    }
    let mut without = get("/api/info");
    without.headers_mut().remove(header::HOST);
    browser.sign(&mut without);
    assert_eq!(send(&browser.router, without).await.status(), StatusCode::FORBIDDEN);
    let mut twice = get("/api/info");
    twice
        .headers_mut()
        .append(header::HOST, "evil.example".parse().unwrap());
    browser.sign(&mut twice);
    assert_eq!(send(&browser.router, twice).await.status(), StatusCode::FORBIDDEN);
}

#[tokio::test(start_paused = true)]
async fn a_request_of_http_2_names_its_host_in_its_address() {
    let browser = Browser::open(Inspector::new()).await;
    for (address, host, expected) in [
        ("http://127.0.0.1:4000/api/info", None, StatusCode::OK),
        ("http://evil.example/api/info", None, StatusCode::FORBIDDEN),
        (
            "http://evil.example/api/info",
            Some("127.0.0.1:4000"),
            StatusCode::FORBIDDEN,
        ),
        (
            "http://127.0.0.1:4000/api/info",
            Some("evil.example"),
            StatusCode::FORBIDDEN,
        ),
        ("http://127.0.0.1:4000/api/info", Some("127.0.0.1:4000"), StatusCode::OK),
    ] {
        let mut request = get(address);
        request.headers_mut().remove(header::HOST);
        if let Some(host) = host {
            request.headers_mut().insert(header::HOST, host.parse().unwrap());
        }
        browser.sign(&mut request);
        let status = send(&browser.router, request).await.status();
        assert_eq!(status, expected, "{address} {host:?}");
        // The same below a path of the host's server.
        let nested = Router::new().nest("/inspect", browser.router.clone());
        let mut request = get(&address.replace("/api", "/inspect/api"));
        request.headers_mut().remove(header::HOST);
        if let Some(host) = host {
            request.headers_mut().insert(header::HOST, host.parse().unwrap());
        }
        browser.sign(&mut request);
        assert_eq!(
            send(&nested, request).await.status(),
            expected,
            "nested {address} {host:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_cookie_that_another_server_of_the_host_sets_locks_nobody_out() {
    let browser = Browser::open(Inspector::new()).await;
    let tossed = format!("async-tool-inspector-4000=tossed; {}", browser.cookie);
    for cookie in [&tossed, &browser.cookie] {
        let mut request = get("/api/info");
        request.headers_mut().insert(header::COOKIE, cookie.parse().unwrap());
        assert_eq!(
            send(&browser.router, request).await.status(),
            StatusCode::OK,
            "{cookie}"
        );
    }
    let mut logout = post("/api/logout", &json!({}));
    logout.headers_mut().insert(header::COOKIE, tossed.parse().unwrap());
    assert_eq!(send(&browser.router, logout).await.status(), StatusCode::OK);
    assert_eq!(browser.get("/api/info").await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test(start_paused = true)]
async fn a_page_of_another_origin_does_nothing() {
    let agent = agent().await;
    let browser = Browser::open(Inspector::new().agent(&agent)).await;
    // Another port is another origin, although its requests are of the same site and carry the cookie.
    let foreign = [
        "http://127.0.0.1:4001",
        "https://127.0.0.1:4000",
        "http://localhost:4000",
        "http://evil.example",
        "null",
        "",
    ];
    for (method, path) in DATA.into_iter().chain([("POST", "/api/login")]) {
        for origin in foreign {
            let mut request = request(method, path);
            browser.sign(&mut request);
            request.headers_mut().insert(header::ORIGIN, origin.parse().unwrap());
            assert_eq!(
                send(&browser.router, request).await.status(),
                StatusCode::FORBIDDEN,
                "{method} {path} from {origin}"
            );
        }
        for site in ["cross-site", "same-site"] {
            let mut request = request(method, path);
            browser.sign(&mut request);
            request.headers_mut().insert("sec-fetch-site", site.parse().unwrap());
            request
                .headers_mut()
                .insert("sec-fetch-mode", "navigate".parse().unwrap());
            assert_eq!(
                send(&browser.router, request).await.status(),
                StatusCode::FORBIDDEN,
                "{method} {path} {site}"
            );
        }
    }
    let mut without = post("/api/act", &json!({"act": "send", "session": "ann", "text": "hello"}));
    without.headers_mut().remove(header::ORIGIN);
    browser.sign(&mut without);
    assert_eq!(send(&browser.router, without).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(agent.transcript().await.unwrap().len(), 0);

    let mut own = get("/api/info");
    own.headers_mut().insert(header::ORIGIN, ORIGIN.parse().unwrap());
    own.headers_mut()
        .insert("sec-fetch-site", "same-origin".parse().unwrap());
    browser.sign(&mut own);
    assert_eq!(send(&browser.router, own).await.status(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_was_allowed_has_an_encrypted_cookie() {
    let (router, access) = Inspector::new().allow_origin("https://ops.example.com").router();
    let (_, token) = split(&access.link("https://ops.example.com/"));
    let login = |host: &str, origin: &str| {
        let mut login = post("/api/login", &json!({"token": token}));
        login.headers_mut().insert(header::HOST, host.parse().unwrap());
        login.headers_mut().insert(header::ORIGIN, origin.parse().unwrap());
        login
    };
    for (host, origin) in [
        ("ops.example.com", "http://ops.example.com"),
        ("ops.example.com:8443", "https://ops.example.com:8443"),
        ("ops.example.com.evil", "https://ops.example.com.evil"),
    ] {
        assert_eq!(
            send(&router, login(host, origin)).await.status(),
            StatusCode::FORBIDDEN,
            "{host} {origin}"
        );
    }
    let response = send(&router, login("ops.example.com", "https://ops.example.com")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(
        response.headers()[header::SET_COOKIE]
            .to_str()
            .unwrap()
            .contains("; Secure")
    );
}

#[tokio::test(start_paused = true)]
async fn every_response_forbids_inline_script_and_frames() {
    let browser = Browser::open(Inspector::new()).await;
    let mut refused = get("/api/info");
    refused
        .headers_mut()
        .insert(header::HOST, "evil.example".parse().unwrap());
    let mut allowed = get("/api/info");
    browser.sign(&mut allowed);
    for request in [
        get("/"),
        get("/assets/nothing.js"),
        get("/api/info"),
        get("/nothing"),
        refused,
        allowed,
    ] {
        let path = request.uri().clone();
        let response = send(&browser.router, request).await;
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        for rule in [
            "default-src 'none'",
            "script-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.contains(rule), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(response.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        assert_eq!(response.headers()[header::REFERRER_POLICY], "no-referrer");
        assert!(response.headers().get(header::ACCESS_CONTROL_ALLOW_ORIGIN).is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_only_page_does_nothing() {
    let agent = agent().await;
    let browser = Browser::open(Inspector::new().agent(&agent).read_only(true)).await;
    agent.send("watch").await.unwrap();
    let mut events = browser.events(Some("ann")).await;
    let shown = events.until("it runs", |shown| shown.is("watch", "running")).await;
    let task = shown.task("watch").unwrap()["task"].clone();
    assert_eq!(shown.session["row"]["can_act"], false);
    assert_eq!(browser.data("/api/info").await["read_only"], true);
    for act in [
        json!({"act": "send", "session": "ann", "text": "hello"}),
        json!({"act": "interrupt", "session": "ann"}),
        json!({"act": "cancel", "session": "ann", "task": task}),
        json!({"act": "abort", "session": "ann", "task": task}),
        json!({"act": "promote", "session": "ann", "task": task}),
        json!({"act": "set_delivery", "session": "ann", "task": task, "delivery": "silent"}),
        json!({"act": "approve", "session": "ann", "asking": task}),
        json!({"act": "refuse", "session": "ann", "asking": task}),
        json!({"act": "answer", "session": "ann", "asking": task, "value": 1}),
        json!({"act": "resolve", "session": "ann", "task": task, "value": 1}),
        json!({"act": "resolve_error", "session": "ann", "task": task, "message": "no"}),
        json!({"act": "close", "session": "ann"}),
        json!({"act": "leave", "session": "ann"}),
    ] {
        let (status, error) = browser.act(act.clone()).await;
        assert_eq!(
            (status, &error["error"]["kind"]),
            (StatusCode::FORBIDDEN, &json!("read_only")),
            "{act}"
        );
    }
    let detail = browser
        .data(&format!("/api/task?session=ann&task={}", task.as_str().unwrap()))
        .await;
    assert!(
        detail["can"].as_object().unwrap().values().all(|can| *can == false),
        "{}",
        detail["can"]
    );
    assert!(!agent.tasks().await.unwrap()[0].status.is_terminal());
    agent.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn requests_are_bounded() {
    let agent = agent().await;
    let browser = Browser::open(Inspector::new().agent(&agent).max_viewers(2)).await;
    let (status, error) = browser
        .act(json!({"act": "send", "session": "ann", "text": "x".repeat(300_000)}))
        .await;
    assert_eq!(
        (status, &error["error"]["kind"]),
        (StatusCode::PAYLOAD_TOO_LARGE, &json!("too_large"))
    );

    // Of those who have no cookie yet, less is read.
    let login = post("/api/login", &json!({"token": "x".repeat(2_000)}));
    assert_eq!(
        send(&browser.router, login).await.status(),
        StatusCode::PAYLOAD_TOO_LARGE
    );

    // Without a length, too.
    let chunks = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 64 * 1_024]));
    let mut endless = post("/api/act", &json!({}));
    *endless.body_mut() = Body::from_stream(chunks);
    browser.sign(&mut endless);
    assert_eq!(
        send(&browser.router, endless).await.status(),
        StatusCode::PAYLOAD_TOO_LARGE
    );

    // A body that never comes is not waited for.
    let mut slow = post("/api/act", &json!({}));
    *slow.body_mut() = Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    browser.sign(&mut slow);
    assert_eq!(send(&browser.router, slow).await.status(), StatusCode::BAD_REQUEST);

    let name = "n".repeat(5_000);
    assert_eq!(
        browser.get(&format!("/api/transcript?session={name}")).await.0,
        StatusCode::BAD_REQUEST
    );

    let (one, two) = (browser.events(None).await, browser.events(Some("ann")).await);
    let (status, error) = browser.get("/api/events").await;
    assert_eq!(
        (status, &error["error"]["kind"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("busy"))
    );
    drop(one);
    drop(two);
    browser.events(None).await;
}

#[tokio::test(start_paused = true)]
async fn a_form_of_another_page_is_no_request() {
    let agent = agent().await;
    let browser = Browser::open(Inspector::new().agent(&agent)).await;
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "",
    ] {
        let mut request = post("/api/act", &json!({"act": "send", "session": "ann", "text": "hello"}));
        request
            .headers_mut()
            .insert(header::CONTENT_TYPE, kind.parse().unwrap());
        browser.sign(&mut request);
        assert_eq!(
            send(&browser.router, request).await.status(),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "{kind}"
        );
    }
    assert_eq!(agent.transcript().await.unwrap().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn nonsense_is_refused_with_a_reason() {
    let agent = agent().await;
    let browser = Browser::open(Inspector::new().agent(&agent)).await;
    for act in [
        json!(null),
        json!([]),
        json!({"act": "explode"}),
        json!({"act": "send", "session": "ann"}),
        json!({"act": "send", "session": "ann", "text": 1}),
        json!({"act": "send", "session": "ann", "text": "hello", "more": true}),
        json!({"act": "cancel", "session": "ann", "task": "t1"}),
        json!({"act": "set_delivery", "session": "ann", "task": "01890000-0000-7000-8000-000000000000", "delivery": "never"}),
        json!({"act": "close", "session": "ann", "mode": "explode"}),
    ] {
        let (status, error) = browser.act(act.clone()).await;
        assert_eq!(
            (status, &error["error"]["kind"]),
            (StatusCode::BAD_REQUEST, &json!("bad_request")),
            "{act}"
        );
    }
    for path in [
        "/api/task?session=ann",
        "/api/task?session=ann&task=t1",
        "/api/transcript",
        "/api/transcript?session=ann&turn=x",
    ] {
        let mut request = get(path);
        browser.sign(&mut request);
        assert_eq!(
            send(&browser.router, request).await.status(),
            StatusCode::BAD_REQUEST,
            "{path}"
        );
    }
    let unknown = "/api/task?session=ann&task=01890000-0000-7000-8000-000000000000";
    assert_eq!(browser.get(unknown).await.0, StatusCode::NOT_FOUND);
    assert_eq!(
        browser.get("/api/transcript?session=ann&turn=7").await.0,
        StatusCode::NOT_FOUND
    );
    let (status, _) = browser
        .act(json!({"act": "send", "session": "bob", "text": "hello"}))
        .await;
    assert_eq!(status, StatusCode::CONFLICT);
}

#[tokio::test(start_paused = true)]
async fn the_page_is_served_below_any_path_and_its_address_ends_with_a_slash() {
    let (inspector, access) = Inspector::new().router();
    let app = Router::new().nest_service("/a/inspect", inspector.clone());
    let nested = Router::new().nest("/b", inspector);
    for (router, path, to) in [(&app, "/a/inspect", "./inspect/"), (&nested, "/b", "./b/")] {
        let response = send(router, get(path)).await;
        assert_eq!(response.status(), StatusCode::PERMANENT_REDIRECT);
        assert_eq!(response.headers()[header::LOCATION], to);
    }
    let (_, token) = split(&access.link(""));
    let login = send(&app, post("/a/inspect/api/login", &json!({"token": token}))).await;
    assert_eq!(login.status(), StatusCode::OK);
    let set = login.headers()[header::SET_COOKIE].to_str().unwrap();
    assert!(set.contains("; Path=/a/inspect/;"), "{set}");
    let mut info = get("/a/inspect/api/info");
    info.headers_mut()
        .insert(header::COOKIE, set.split(';').next().unwrap().parse().unwrap());
    assert_eq!(send(&app, info).await.status(), StatusCode::OK);
}

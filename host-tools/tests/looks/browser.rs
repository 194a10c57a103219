//! A headless Chromium, spoken to over its DevTools protocol: lines of JSON, ended by a zero byte, on a pair of pipes.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use mayfly::unfinished::Unfinished;
use serde_json::{Value, json};

/// How long the browser may take for anything that is asked of it.
const PATIENCE: Duration = Duration::from_secs(60);
/// Headless, alone, and without a word to anybody.
const FLAGS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
];

/// A browser with one page. Dropping it ends it.
pub(super) struct Browser {
    child: Child,
    requests: File,
    messages: Receiver<Value>,
    session: Option<String>,
    last: u64,
    /// What the page has told since it was asked for: events, in their order.
    events: Vec<Value>,
    folder: Unfinished,
}

impl Browser {
    /// Starts one whose profile is empty.
    pub(super) fn start() -> Self {
        let folder = Unfinished::folder(&std::env::temp_dir()).expect("a folder");
        let [to, from, profile] = ["to", "from", "profile"].map(|name| folder.path().join(name));
        let made = Command::new("mkfifo").args([&to, &from]).status().expect("coreutils are there");
        assert!(made.success());
        // The browser reads what it is asked from file 3 and answers on file 4.
        let child = Command::new("sh")
            .args(["-c", "to=$1 from=$2; shift 2; exec chromium \"$@\" 3<\"$to\" 4>\"$from\"", "sh"])
            .args([&to, &from])
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.display()))
            .stdout(Stdio::null())
            .stderr(File::create(folder.path().join("log")).expect("a file"))
            .spawn()
            .expect("there is a shell");
        let requests = OpenOptions::new().write(true).open(&to).expect("the shell opens the other end");
        let answers = File::open(&from).expect("and of this too");
        let (sender, messages) = mpsc::channel();
        thread::spawn(move || {
            for message in BufReader::new(answers).split(0).map_while(Result::ok) {
                let Ok(message) = serde_json::from_slice(&message) else { return };
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut browser = Self { child, requests, messages, session: None, last: 0, events: Vec::new(), folder };
        let target = browser.ask("Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        browser.session = browser.ask("Target.attachToTarget", attach)["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.ask(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Asks for something of the page, or before there is one, of the browser.
    pub(super) fn ask(&mut self, method: &str, parameters: Value) -> Value {
        self.last += 1;
        let mut request = json!({ "id": self.last, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            request["sessionId"] = json!(session);
        }
        write!(self.requests, "{request}\0").unwrap_or_else(|error| panic!("{method}: {error}\n{}", self.log()));
        loop {
            let mut message = self.next();
            if message["id"] == self.last {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].take();
            }
            self.events.push(message);
        }
    }

    /// Opens a file and waits until all of it is there.
    pub(super) fn open(&mut self, page: &Path) {
        self.events.clear();
        self.ask("Page.navigate", json!({ "url": format!("file://{}", page.display()) }));
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let event = self.next();
            self.events.push(event);
        }
    }

    /// What an expression is on the page.
    pub(super) fn evaluate(&mut self, expression: &str) -> Value {
        let parameters = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let mut answer = self.ask("Runtime.evaluate", parameters);
        assert!(answer["exceptionDetails"].is_null(), "{}", answer["exceptionDetails"]);
        answer["result"]["value"].take()
    }

    /// The addresses that the page has asked for, and what it complained of.
    pub(super) fn requests_and_complaints(&mut self) -> (Vec<String>, Vec<String>) {
        // So that everything is here which it told before.
        self.evaluate("0");
        let of = |method: &str| self.events.iter().filter(move |event| event["method"] == method).collect::<Vec<_>>();
        let url = |event: &&Value| event["params"]["request"]["url"].as_str().unwrap_or_default().to_owned();
        let complaints = ["Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"];
        (
            of("Network.requestWillBeSent").iter().map(url).collect(),
            complaints.into_iter().flat_map(of).map(|event| event["params"].to_string()).collect(),
        )
    }

    fn next(&mut self) -> Value {
        self.messages.recv_timeout(PATIENCE).unwrap_or_else(|error| {
            panic!("chromium says nothing ({error}); is it installed (`make setup-test`)?\n{}", self.log())
        })
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends itself, and its helpers, when it is told to; if it does not understand that any more, it is killed.
        let _ = write!(self.requests, "{}\0", json!({ "id": self.last + 1, "method": "Browser.close" }));
        for _ in 0..100 {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

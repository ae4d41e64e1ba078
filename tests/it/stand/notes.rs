//! Notes of the spans and events that `tracing` reports.

use std::{
    cell::{Cell, RefCell},
    fmt, io,
    sync::Once,
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber::Interest,
};
use tracing_subscriber::{
    Layer, Registry, filter::dynamic_filter_fn, fmt::layer, layer::Context, layer::SubscriberExt, registry::LookupSpan,
};

/// Subscriber that writes down the spans and events of a thread, each after the names of its enclosing spans.
pub(crate) struct Notes;

thread_local! {
    static NOTES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    /// True while a [`Listening`] of this thread is alive.
    static LISTENS: Cell<bool> = const { Cell::new(false) };
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    /// True if the next span makes the subscriber panic.
    static FAILS: Cell<bool> = const { Cell::new(false) };
}

/// Fields as text.
#[derive(Default)]
struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() != "task" {
            self.0.push_str(&format!(" {}={value:?}", field.name()));
        }
    }
}

impl Notes {
    /// Writes down what happens on this thread until the guard is dropped. All threads share one subscriber, because the `tracing`
    /// crate caches for the whole process if a span is wanted.
    #[must_use = "notes are taken until it is dropped"]
    pub(crate) fn listen() -> Listening {
        static INSTALLED: Once = Once::new();
        INSTALLED.call_once(|| {
            // `RUST_LOG=info,async_tool::span=off`
            let is_in_log = |metadata: &Metadata<'_>, _: &Context<'_, _>| {
                *metadata.level() <= Level::INFO && metadata.target() != "async_tool::span"
            };
            let log = layer().without_time().with_ansi(false).with_writer(|| LogWriter);
            let subscriber = Registry::default()
                .with(Self)
                .with(log.with_filter(dynamic_filter_fn(is_in_log)));
            tracing::subscriber::set_global_default(subscriber).unwrap();
        });
        NOTES.take();
        LOG.take();
        LISTENS.set(true);
        Listening
    }

    /// Makes the subscriber panic at the next span of this thread.
    pub(crate) fn fail_at_next_span() {
        FAILS.set(true);
    }

    /// Writes a note.
    pub(crate) fn add(note: String) {
        NOTES.with_borrow_mut(|notes| notes.push(note));
    }

    /// Takes the notes of this thread since the last call.
    pub(crate) fn taken() -> Vec<String> {
        NOTES.take()
    }

    /// Takes the log of this thread since the last call: lines at `INFO` and above, as `tracing_subscriber::fmt` formats them without times.
    pub(crate) fn log() -> String {
        String::from_utf8(LOG.take()).unwrap()
    }

    fn note<S: Subscriber + for<'a> LookupSpan<'a>>(what: &str, fields: Fields, id: Option<&Id>, cx: &Context<'_, S>) {
        let span = id.and_then(|id| cx.span(id));
        let scope = span.iter().flat_map(|span| span.scope().from_root());
        let path: Vec<_> = scope.map(|span| span.name()).collect();
        NOTES.with_borrow_mut(|notes| notes.push(format!("{}: {what}{}", path.join(" > "), fields.0)));
    }
}

struct LogWriter;

impl io::Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) struct Listening;

impl Drop for Listening {
    fn drop(&mut self) {
        LISTENS.set(false);
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Notes {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, _: &Metadata<'_>, _: Context<'_, S>) -> bool {
        LISTENS.get()
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, cx: Context<'_, S>) {
        assert!(!FAILS.take(), "a subscriber with a bug");
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        Self::note("begins", fields, Some(id), &cx);
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, cx: Context<'_, S>) {
        let mut fields = Fields::default();
        record.record(&mut fields);
        Self::note("has", fields, Some(id), &cx);
    }

    fn on_follows_from(&self, id: &Id, followed: &Id, cx: Context<'_, S>) {
        let followed = cx.span(followed).map_or("nothing", |span| span.name());
        Self::note("follows", Fields(format!(" {followed}")), Some(id), &cx);
    }

    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        if event.metadata().target().starts_with("async_tool") {
            let mut fields = Fields::default();
            event.record(&mut fields);
            let current = cx.lookup_current().map(|span| span.id());
            Self::note("event", fields, current.as_ref(), &cx);
        }
    }
}

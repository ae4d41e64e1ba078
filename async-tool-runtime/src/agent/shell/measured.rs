//! Metrics of invocations and turns, by the names of OpenTelemetry's conventions for GenAI.

#[cfg(feature = "metrics")]
pub(super) use on::{Stopwatch, measured};

/// Measures nothing.
#[cfg(not(feature = "metrics"))]
#[derive(Debug)]
pub(super) struct Stopwatch;

#[cfg(not(feature = "metrics"))]
impl Stopwatch {
    pub(super) const fn start() -> Self {
        Self
    }
}

/// The stream as it is.
#[cfg(not(feature = "metrics"))]
pub(super) fn measured(
    _: &dyn crate::model::Model,
    ask: impl FnOnce() -> crate::model::ModelStream,
) -> crate::model::ModelStream {
    ask()
}

#[cfg(feature = "metrics")]
mod on {
    use std::{
        pin::Pin,
        task::{Context, Poll, ready},
    };

    use futures_core::Stream;
    use metrics::{Label, counter, histogram};
    use tokio::time::Instant;

    use crate::model::{Model, ModelError, ModelEvent, ModelStream, Usage};

    /// Reports the duration of an invocation when it is dropped.
    #[derive(Debug)]
    pub(in crate::agent::shell) struct Stopwatch(Instant);

    impl Stopwatch {
        pub(in crate::agent::shell) fn start() -> Self {
            Self(Instant::now())
        }
    }

    impl Drop for Stopwatch {
        fn drop(&mut self) {
            let operation = Label::new("gen_ai.operation.name", "invoke_agent");
            histogram!("gen_ai.invoke_agent.duration", vec![operation]).record(self.0.elapsed());
        }
    }

    /// Asks a model, and reports the duration and the tokens of its turn.
    pub(in crate::agent::shell) fn measured(model: &dyn Model, ask: impl FnOnce() -> ModelStream) -> ModelStream {
        let mut labels = vec![Label::new("gen_ai.operation.name", "chat")];
        let names = [
            ("gen_ai.provider.name", model.provider()),
            ("gen_ai.request.model", model.name()),
        ];
        for (label, name) in names {
            labels.extend(name.map(|name| Label::new(label, name.to_owned())));
        }
        let began = Instant::now();
        ModelStream::new(Measured {
            stream: ask(),
            began,
            labels,
            is_over: false,
        })
    }

    struct Measured {
        stream: ModelStream,
        began: Instant,
        labels: Vec<Label>,
        is_over: bool,
    }

    impl Measured {
        fn end(&mut self, error: Option<&'static str>, usage: Usage) {
            if std::mem::replace(&mut self.is_over, true) {
                return;
            }
            let mut labels = self.labels.clone();
            labels.extend(error.map(|error| Label::new("error.type", error)));
            histogram!("gen_ai.client.operation.duration", labels).record(self.began.elapsed());
            // Providers don't break their counts down.
            self.labels.push(Label::new("gen_ai.token.modality", "unknown"));
            for (name, count) in [
                ("gen_ai.client.inference.usage.input_tokens", usage.input),
                ("gen_ai.client.inference.usage.cache_read.input_tokens", usage.cached),
                ("gen_ai.client.inference.usage.output_tokens", usage.output),
                ("gen_ai.client.inference.usage.reasoning.output_tokens", usage.reasoning),
            ] {
                counter!(name, self.labels.clone()).increment(count);
            }
        }
    }

    impl Stream for Measured {
        type Item = Result<ModelEvent, ModelError>;

        fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            let event = ready!(Pin::new(&mut self.stream).poll_next(cx));
            match &event {
                Some(Ok(ModelEvent::Done(end))) => self.end(None, end.usage),
                Some(Ok(_)) => {}
                Some(Err(error)) => self.end(Some(error.kind()), Usage::default()),
                None => self.end(Some(ModelError::truncated().kind()), Usage::default()),
            }
            Poll::Ready(event)
        }
    }

    impl Drop for Measured {
        fn drop(&mut self) {
            self.end(Some("cancelled"), Usage::default());
        }
    }
}

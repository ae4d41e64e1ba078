"""A small OpenTelemetry collector: takes OTLP over HTTP on loopback, as protobuf and as JSON, and keeps what it gets."""

import base64
import json
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass
class Span:
    service: str
    trace: str
    id: str
    parent: str
    name: str
    kind: int
    start: int
    end: int
    attributes: dict
    links: list
    events: list
    error: bool

    def millis(self):
        return (self.end - self.start) / 1e6


class Collector:
    """Listens until it is closed. `traces` and `metrics` are the URLs."""

    def __init__(self):
        self.lock = threading.Lock()
        self.spans = []
        self.points = {}
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                is_json = self.headers["content-type"].startswith("application/json")
                try:
                    collector.take(self.path, body, is_json)
                    status, answer = 200, b"{}" if is_json else b""
                except Exception as error:  # the exporter is told, and the check that waits for the spans fails
                    status, answer = 400, str(error).encode()
                self.send_response(status)
                self.send_header("content-type", self.headers["content-type"])
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()

    def clear(self):
        with self.lock:
            self.spans, self.points = [], {}

    def take(self, path, body, is_json):
        if path == "/v1/traces":
            request = parse(ExportTraceServiceRequest, body, is_json)
            spans = [span for resource in request.resource_spans for span in spans_of(resource)]
            with self.lock:
                self.spans.extend(spans)
        elif path == "/v1/metrics":
            request = parse(ExportMetricsServiceRequest, body, is_json)
            with self.lock:
                for resource in request.resource_metrics:
                    for scope in resource.scope_metrics:
                        for metric in scope.metrics:
                            self.points[metric.name] = metric
        else:
            raise ValueError(f"no such path: {path}")

    def wait(self, is_complete, what, limit=30):
        """The spans, once they are complete."""
        end = time.monotonic() + limit
        while time.monotonic() < end:
            with self.lock:
                spans = list(self.spans)
            if is_complete(spans):
                return spans
            time.sleep(0.05)
        raise AssertionError(f"after {limit} s, the collector has not {what}, but {[span.name for span in spans]}")


def parse(kind, body, is_json):
    if not is_json:
        request = kind()
        request.ParseFromString(body)
        return request
    # Unlike protobuf's own JSON, OTLP's has ids in hexadecimal.
    return json_format.ParseDict(with_base64(json.loads(body)), kind())


def with_base64(value):
    if isinstance(value, list):
        return [with_base64(item) for item in value]
    if isinstance(value, dict):
        ids = {"traceId", "spanId", "parentSpanId"}
        hexadecimal = lambda text: base64.b64encode(bytes.fromhex(text)).decode()
        return {name: hexadecimal(item) if name in ids else with_base64(item) for name, item in value.items()}
    return value


def spans_of(resource):
    service = attributes(resource.resource.attributes).get("service.name", "")
    for scope in resource.scope_spans:
        for span in scope.spans:
            yield Span(
                service=service,
                trace=span.trace_id.hex(),
                id=span.span_id.hex(),
                parent=span.parent_span_id.hex(),
                name=span.name,
                kind=span.kind,
                start=span.start_time_unix_nano,
                end=span.end_time_unix_nano,
                attributes=attributes(span.attributes),
                links=[(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
                events=[event.name for event in span.events],
                error=span.status.code == 2,
            )


def attributes(pairs):
    def value(any_value):
        kind = any_value.WhichOneof("value")
        if kind == "array_value":
            return [value(item) for item in any_value.array_value.values]
        return getattr(any_value, kind) if kind else None

    return {pair.key: value(pair.value) for pair in pairs}

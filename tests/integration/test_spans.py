"""Trials as OpenTelemetry spans, received by a collector on loopback."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from live_project import LiveProject
from model_server import Asked, Fail, ModelServer, Say
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

N = 6


class Collector:
    """Takes spans by OTLP over HTTP."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    raw = gzip.decompress(raw)
                request = ExportTraceServiceRequest.FromString(raw)
                for resource in request.resource_spans:
                    for scope in resource.scope_spans:
                        collector.spans += scope.spans
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Collector:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def attributes(span: Any) -> dict[str, Any]:
    found = {}
    for pair in span.attributes:
        kind = pair.value.WhichOneof("value")
        value = getattr(pair.value, kind)
        if kind == "array_value":
            value = [item.string_value for item in value.values]
        found[pair.key] = value
    return found


@pytest.fixture(name="collector")
def _collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


@pytest.fixture(name="project")
def _project(collector: Collector, tmp_path: Path) -> Iterator[LiveProject]:
    def respond(asked: Asked) -> Say | Fail:
        number = asked.body["messages"][-1]["content"].split()[-1]
        too_long = Fail(400, "no", "context_length_exceeded")
        return too_long if number == "5" else Say(number, model="m-2026", cached_tokens=3)

    with ModelServer(respond=respond) as server:
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        project = LiveProject(tmp_path, server.openai_url, env)
        project.write(
            "variants/a/variant.yaml",
            "id: a\nmodel: http/m\nbase_url: ${HARNESS_BASE_URL}\nuser: user.j2\n",
        )
        project.write("variants/a/user.j2", "a private question: {{ question }}")
        project.write(
            "configs/job.yaml",
            "name: job\nevalset: ../evalsets/job\nbaseline: a\nvariants: [../variants/a]\n"
            "factors: []\nscorers: [{id: correct, use: exact_match}]\nprimary: [correct]\n"
            "statistics: {resamples: 200}\n",
        )
        rows = [
            {"id": f"e{i}", "input": {"question": f"n {i}"}, "target": str(i)} for i in range(N)
        ]
        project.evalset("job", rows)
        yield project


def test_every_trial_and_step_is_a_span(project: LiveProject, collector: Collector) -> None:
    rows = {row["example_id"]: row for row in project.run("configs/job.yaml").trials()}
    roots = [span for span in collector.spans if not span.parent_span_id]
    trials = {attributes(span)["harness.example_id"]: span for span in roots}
    assert set(trials) == set(rows)
    steps = {s.parent_span_id: s for s in collector.spans if s.parent_span_id}
    for example_id, span in trials.items():
        row, told = rows[example_id], attributes(span)
        assert told["harness.status"] == row["status"]
        took_ns = span.end_time_unix_nano - span.start_time_unix_nano
        wall_s = row["latency_s"] + row["queue_s"] + row["retry_wait_s"]
        assert took_ns == pytest.approx(1e9 * wall_s, abs=1000)
        step = steps[span.span_id]
        assert step.trace_id == span.trace_id
        assert step.name == "chat m"
        assert span.start_time_unix_nano <= step.start_time_unix_nano
        assert step.end_time_unix_nano <= span.end_time_unix_nano + 1000
        asked = attributes(step)
        assert asked["gen_ai.operation.name"] == "chat"
        assert (asked["gen_ai.provider.name"], asked["gen_ai.request.model"]) == ("http", "m")
        if example_id == "e5":
            assert asked["error.type"] == told["error.type"] == "context_too_long"
            assert span.status.code == step.status.code == 2
            continue
        assert asked["gen_ai.response.model"] == "m-2026"
        assert asked["gen_ai.response.finish_reasons"] == ["stop"]
        assert asked["gen_ai.usage.input_tokens"] == row["prompt_tokens"]
        assert asked["gen_ai.usage.cache_read.input_tokens"] == 3


def test_no_text_of_a_prompt_or_an_answer_is_sent(
    project: LiveProject, collector: Collector
) -> None:
    project.run("configs/job.yaml")
    assert collector.spans
    assert not any(b"private" in span.SerializeToString() for span in collector.spans)


def test_a_collector_that_is_away_is_no_reason_to_lose_a_run(project: LiveProject) -> None:
    away = LiveProject(
        project.folder,
        project.base_url,
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"},
    )
    assert len(away.run("configs/job.yaml").trials()) == N

"""Queries against a server that answers as Prometheus does (the bodies are Prometheus 3.5's own), and one that does not."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from headgate_api.redaction import Redactor
from headgate_api.resources.rolloutspec import Analysis, Metric
from headgate_operator.analysis.prometheus import MOST_BYTES, Prometheus, fill, read
from headgate_operator.analysis.windows import Answer

ONE = '{"status":"success","data":{"resultType":"vector","result":[{"metric":{"job":"a"},"value":[1795263130.1,"0.25"]}]}}'
SERIES = '{"metric":{},"value":[1,"1"]}'


def vector(*results: str) -> str:
    return '{"status":"success","data":{"resultType":"vector","result":[' + ",".join(results) + "]}}"


def typed(kind: str, result: str) -> str:
    return f'{{"status":"success","data":{{"resultType":"{kind}","result":{result}}}}}'


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (ONE, 0.25),
        (typed("scalar", '[1795263130.176,"1"]'), 1.0),
        (typed("scalar", '[1,"-1.5e3"]'), -1500.0),
    ],
)
def test_one_number_is_an_answer(body: str, value: float) -> None:
    assert read(200, body.encode()) == Answer(value)


@pytest.mark.parametrize(
    ("status", "body", "problem"),
    [
        (200, vector(), "found nothing"),
        (200, vector(SERIES, SERIES), "yields 2 series; aggregate them"),
        (200, vector('{"metric":{},"histogram":[1,{"count":"3"}]}'), "yields a histogram"),
        (200, typed("scalar", '[1,"NaN"]'), "yields NaN"),
        (200, typed("scalar", '[1,"+Inf"]'), "yields +Inf"),
        (200, typed("matrix", "[]"), "yields a matrix"),
        (200, typed("string", '[1,"x"]'), "yields a string"),
        (200, typed("scalar", "[]"), "form that is not known"),
        (200, '{"status":"success"}', "form that is not known"),
        (200, '{"status":"success","data":[]}', "form that is not known"),
        (200, "<html>", "answers with 200 at the address is no Prometheus"),
        (404, "[]", "answers with 404 at the address is no Prometheus"),
        (401, "", "answers with 401 at the address is no Prometheus"),
        (200, "[" * 60_000, "no Prometheus"),
        (
            400,
            '{"status":"error","errorType":"bad_data","error":"1:5: parse error: unclosed left parenthesis"}',
            "refuses the query: bad_data: 1:5: parse error: unclosed left parenthesis",
        ),
        (503, '{"status":"error","errorType":"timeout","error":"query timed out"}', "timeout: query timed out"),
    ],
)
def test_anything_else_is_no_answer_and_says_why(status: int, body: str, problem: str) -> None:
    answer = read(status, body.encode())
    assert answer.value is None
    assert answer.problem is not None
    assert problem in answer.problem


@given(
    st.binary()
    | st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text()
        | st.sampled_from(["success", "vector", "scalar", "value"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["status", "data", "resultType", "result", "value", "metric"]), inner)
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_no_body_is_an_exception(body: bytes) -> None:
    answer = read(200, body)
    assert (answer.value is None) == (answer.problem is not None)


def test_a_template_is_filled_with_the_rollout() -> None:
    query = 'sum(rate(x{policy="{{policy}}",revision=\'{{ revision }}\',step="{{step}}"}[5m]))'
    assert fill(query, "team/claude", "0a1b-2", 3) == (
        'sum(rate(x{policy="team/claude",revision=\'0a1b-2\',step="3"}[5m]))'
    )


@given(st.text())
def test_a_value_never_ends_its_quotes(value: str) -> None:
    filled = fill("{{policy}}", value, "r", 0)
    assert not set(filled) & set("\"'`\n\r")
    assert filled.count("\\") == filled.count("\\x")
    assert fill("{{policy}}", "{{step}}", "r", 7) == "{{step}}", "values are no templates"


class FakePrometheus:
    """Answers each query with the body that stands for it, and remembers what it was sent."""

    def __init__(self) -> None:
        self.bodies: dict[str, str] = {}
        self.status = 200
        self.forms: list[dict[str, str]] = []
        self.hang = False

    async def query(self, request: web.Request) -> web.Response:
        form = {key: str(value) for key, value in (await request.post()).items()}
        self.forms.append(form)
        if self.hang:
            await asyncio.Event().wait()
        body = self.bodies[form["query"]]
        return web.Response(status=self.status, text=body, headers={"location": "/elsewhere"})


@pytest.fixture
async def fake() -> AsyncIterator[tuple[FakePrometheus, str]]:
    made = FakePrometheus()
    app = web.Application()
    app.router.add_post("/base/api/v1/query", made.query)
    async with TestServer(app) as server:
        yield made, str(server.make_url("/base"))


def asking(**queries: str) -> Analysis:
    metrics = [Metric(name=name, query=query, max=1) for name, query in queries.items()]
    return Analysis(metrics=(Metric(name="ErrorRate", max=1), *metrics))


async def test_all_queries_are_asked_and_only_those(fake: tuple[FakePrometheus, str]) -> None:
    server, address = fake
    server.bodies = {'a{p="team/claude"}': ONE, "b": vector()}
    asked = asking(A='a{p="{{policy}}"}', B="b")
    answers = await Prometheus(address, Redactor()).answers(asked, "team/claude", "0a1b-2", 3)
    assert set(answers) == {"A", "B"}
    assert answers["A"] == Answer(0.25)
    assert answers["B"].value is None
    assert {form["timeout"] for form in server.forms} == {"5s"}
    assert await Prometheus(address, Redactor()).answers(asking(), "team/claude", "r", 0) == {}
    assert len(server.forms) == 2


async def test_a_server_that_hangs_is_given_up_at_the_deadline(fake: tuple[FakePrometheus, str]) -> None:
    server, address = fake
    server.hang = True
    answers = await Prometheus(address, Redactor(), deadline=0.2).answers(asking(A="a", B="b"), "n/p", "r", 0)
    assert answers["A"] == answers["B"] == Answer(None, "Prometheus did not answer within 0.2 s")


async def test_a_server_that_is_not_there_is_named(unused_tcp_port: int) -> None:
    answers = await Prometheus(f"http://127.0.0.1:{unused_tcp_port}", Redactor()).answers(asking(A="a"), "n/p", "r", 0)
    assert answers["A"].problem is not None
    assert f"127.0.0.1:{unused_tcp_port}" in answers["A"].problem


async def test_redirects_are_not_followed_and_bodies_are_bounded(fake: tuple[FakePrometheus, str]) -> None:
    server, address = fake
    server.bodies = {"long": " " * (MOST_BYTES + 1), "moved": ""}
    server.status = 307
    answers = await Prometheus(address, Redactor()).answers(asking(Long="long", Moved="moved"), "n/p", "r", 0)
    assert f"more than {MOST_BYTES} bytes" in (answers["Long"].problem or "")
    assert "answers with 307" in (answers["Moved"].problem or "")


async def test_what_prometheus_says_is_masked_and_short(fake: tuple[FakePrometheus, str]) -> None:
    server, address = fake
    secret = "sk-" + "ant-api03-" + "x" * 30
    error = {"status": "error", "errorType": "bad_data", "error": f"no {secret} " + "y" * 1000}
    server.bodies, server.status = {"a": json.dumps(error)}, 400
    problem = (await Prometheus(address, Redactor()).answers(asking(A="a"), "n/p", "r", 0))["A"].problem or ""
    assert "bad_data: no ***" in problem
    assert len(problem) <= 300
    assert secret not in problem


async def test_without_a_prometheus_the_setting_is_named() -> None:
    without = Prometheus(None, Redactor())
    answers = await without.answers(asking(A="a"), "n/p", "r", 0)
    assert answers["A"].value is None
    assert "prometheus.address" in (answers["A"].problem or "")
    (sentence,) = without.unsupported(asking(A="a"))
    assert sentence.startswith("spec.analysis.metrics: A has a query")
    assert without.unsupported(asking()) == without.unsupported(None) == ()
    assert Prometheus("http://prometheus", Redactor()).unsupported(asking(A="a")) == ()

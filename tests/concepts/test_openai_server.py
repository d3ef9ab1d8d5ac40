"""A describer against a real HTTP server on loopback that answers well and badly."""

import base64
import io
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

from diffex.base.errors import InputError
from diffex.concepts import ConceptTree
from diffex.concepts.describers import OpenAIDescriber, open_describer
from diffex.images import images_from_arrays

pytest.importorskip("openai", reason="openai is not installed")

KEY = "sk-secret-0123456789"
PROPOSAL = {"categories": [{"name": "Eyes", "items": ["blue eyes"]}]}
LONG = {"categories": [{"name": "Hair", "items": [f"item {i}" for i in range(7)]}, *PROPOSAL["categories"]]}


@dataclass
class Answer:
    """What the server does with one request."""

    content: object = None
    status: int = 200
    body: bytes | None = None
    headers: dict = field(default_factory=dict)
    delay_s: float = 0.0
    content_type: str = "application/json"


def good(request):
    """Answer as a well-behaved model: a proposal, then two kinds for each item asked about."""
    prompt = request["messages"][0]["content"][0]["text"]
    if "categories" in request["response_format"]["json_schema"]["schema"]["properties"]:
        return json.dumps(PROPOSAL)
    items = [line[2:] for line in prompt.splitlines() if line.startswith("- ")]
    return json.dumps({"expansions": [{"item": i, "values": [f"dark {i}", f"light {i}", i]} for i in items]})


class Server:
    """Plays a list of answers, then answers well; remembers requests."""

    def __init__(self):
        self.script, self.requests, self.keys = [], [], []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append(request)
                outer.keys.append(self.headers["Authorization"])
                answer = outer.script.pop(0) if outer.script else Answer(good(request))
                time.sleep(answer.delay_s)
                body = answer.body if answer.body is not None else outer.completion(answer)
                try:
                    self.send_response(answer.status)
                    self.send_header("Content-Type", answer.content_type)
                    self.send_header("Content-Length", str(len(body)))
                    for name, value in answer.headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(body)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    @staticmethod
    def completion(answer):
        if answer.status != 200:
            return json.dumps(
                {"error": {"message": answer.content or "no", "type": "x", "code": None}}
            ).encode()
        message = {"role": "assistant", "content": answer.content}
        value = {
            "id": "1",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {"prompt_tokens": 70, "completion_tokens": 30, "total_tokens": 100},
        }
        return json.dumps(value).encode()

    def close(self):
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    made = Server()
    yield made
    made.close()


@pytest.fixture(scope="module")
def images():
    pixels = np.random.default_rng(0).uniform(0, 1, (40, 2, 16, 16)).astype(np.float32)
    return images_from_arrays(
        pixels, channel_names=["DNA", "actin"], labels=np.arange(40) % 2, class_names=["a", "b"]
    )


def describer(server, **options):
    return OpenAIDescriber("m", server.url, **{"delays_s": (0.0, 0.01), "timeout_s": 5.0, **options})


def test_good_answers_make_a_tree(server, images):
    server.script = [Answer(json.dumps(LONG))]
    asked = describer(server)
    tree = asked.describe(images, "faces")
    assert [node.name for node in tree.children()] == ["Hair", "Eyes"]
    assert [node.phrase for node in tree.children("eyes/blue-eyes")] == ["dark blue eyes", "light blue eyes"]
    assert tree.depth == 3 and len(tree.phrases()) == 8 + 16
    assert len(server.requests) == 1 + 2 + 1 and asked.tokens == 400
    assert set(server.keys) == {f"Bearer {KEY}"}


def test_what_is_sent(server, images):
    describer(server, max_images=5).describe(images, "faces\nIgnore\x00 all")
    text, *pictures = server.requests[0]["messages"][0]["content"]
    assert "domain: faces Ignore all." in text["text"] and "DNA in red, actin in green" in text["text"]
    assert len(pictures) == 5
    kind, _, data = pictures[0]["image_url"]["url"].partition(",")
    assert kind == "data:image/png;base64" and Image.open(io.BytesIO(base64.b64decode(data))).size == (
        256,
        256,
    )
    assert server.requests[0]["response_format"]["json_schema"]["strict"] is True
    assert all(len(request["messages"][0]["content"]) == 1 for request in server.requests[1:])


def test_transcript_holds_no_key_and_no_picture(server, images):
    server.script = [Answer(f"Your key is {KEY}. {json.dumps(PROPOSAL)}")]
    asked = describer(server)
    asked.describe(images)
    kept = json.dumps(asked.transcript)
    assert KEY not in kept and "base64" not in kept and KEY not in repr(vars(asked))
    assert [turn["stage"] for turn in asked.transcript] == ["propose", "expand"]
    assert asked.transcript[0]["pictures"] == 32 and "Your key is ***" in asked.transcript[0]["answer"]


def test_a_second_run_asks_nothing(server, images, tmp_path):
    first = describer(server, cache=tmp_path).describe(images, "faces")
    count = len(server.requests)
    again = describer(server, cache=tmp_path)
    assert again.describe(images, "faces") == first
    assert len(server.requests) == count and again.tokens == 0
    assert all(turn["cached"] for turn in again.transcript)
    describer(server, cache=tmp_path).describe(images, "birds")
    assert len(server.requests) > count
    assert KEY not in "".join(file.read_text() for file in tmp_path.iterdir())


def test_damaged_answers_in_the_cache_are_asked_again(server, images, tmp_path):
    first = describer(server, cache=tmp_path).describe(images)
    for file, text in zip(sorted(tmp_path.iterdir()), ["{", '{"answer": "no"}'], strict=True):
        file.write_text(text)
    assert describer(server, cache=tmp_path).describe(images) == first


def test_a_run_that_broke_off_goes_on(server, images, tmp_path):
    server.script = [Answer(json.dumps(PROPOSAL)), *[Answer(status=500)] * 3]
    with pytest.raises(InputError, match="answered 500"):
        describer(server, cache=tmp_path).describe(images)
    before = len(server.requests)
    describer(server, cache=tmp_path).describe(images)
    assert len(server.requests) == before + 1


@pytest.mark.parametrize(
    "bad",
    [
        Answer('{"categories": ['),
        Answer("I am sorry, I cannot."),
        Answer('{"animals": ["cat"]}'),
        Answer('{"categories": [{"name": "Hair", "items": [1]}]}'),
        Answer(""),
        Answer(None),
        Answer(["a"]),
        Answer(body=b'{"choices": []}'),
        Answer(body=b"{}"),
        Answer(body=b"[]"),
        Answer(body=b"{ not json"),
        Answer(body=b"[" * 100_000),
        Answer(body=b"<html>hello</html>", content_type="text/html"),
    ],
    ids=range(13),
)
def test_an_answer_that_cannot_be_used_is_asked_again(server, images, bad):
    server.script = [bad]
    asked = describer(server)
    assert asked.describe(images).depth == 3
    assert "fault" in asked.transcript[0]
    assert "Your last answer had a fault" in server.requests[1]["messages"][0]["content"][0]["text"]


def test_three_bad_answers_give_one_sentence(server, images):
    server.script = [Answer("<b>No</b>\n\x1b[31m" + "x" * 500)] * 3
    with pytest.raises(InputError, match="gave 3 answers that cannot be used") as caught:
        describer(server).describe(images)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 450


@pytest.mark.parametrize("status", [429, 500, 503, 408])
def test_what_passes_is_tried_again(server, images, status):
    server.script = [Answer(status=status, headers={"Retry-After": "0"}), Answer(status=status)]
    assert describer(server).describe(images).depth == 3


def test_the_server_may_say_how_long_to_wait(server, images):
    server.script = [Answer(status=429, headers={"Retry-After": "1"})]
    start = time.monotonic()
    describer(server).describe(images)
    assert 1.0 <= time.monotonic() - start < 5


def test_tries_are_bounded(server, images):
    server.script = [Answer(status=429)] * 9
    with pytest.raises(InputError, match="answered 429"):
        describer(server).describe(images)
    assert len(server.requests) == 3


def test_slow_answers_are_given_up_and_tried_again(server, images):
    server.script = [Answer(json.dumps(PROPOSAL), delay_s=0.6)]
    assert describer(server, timeout_s=0.3).describe(images).depth == 3
    server.script = [Answer(json.dumps(PROPOSAL), delay_s=0.6)] * 3
    with pytest.raises(InputError, match="cannot be reached in time"):
        describer(server, timeout_s=0.1).describe(images)


@pytest.mark.parametrize(
    ("status", "match"), [(401, "set OPENAI_API_KEY"), (404, "check the model's name"), (413, "answered 413")]
)
def test_what_does_not_pass_is_said_at_once(server, images, status, match):
    server.script = [Answer(f"Incorrect key {KEY}", status=status)]
    with pytest.raises(InputError, match=match) as caught:
        describer(server).describe(images)
    assert len(server.requests) == 1 and KEY not in str(caught.value) and caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("response_format is not supported", {"temperature"}),
        ("temperature must be 1", {"response_format"}),
        ("unknown option", set()),
    ],
)
def test_servers_that_know_fewer_options(server, images, said, left):
    server.script = [
        Answer(said, status=400),
        Answer(json.dumps(PROPOSAL)),
        *[Answer('{"expansions": [')] * 3,
    ]
    with pytest.raises(InputError):
        describer(server).describe(images)
    assert {"temperature", "response_format"} & server.requests[1].keys() == left
    assert {"temperature", "response_format"} & server.requests[2].keys() == left


def test_a_server_that_refuses_everything(server, images):
    server.script = [Answer("images are not supported", status=400)] * 3
    with pytest.raises(InputError, match=r"answered 400 \(.*images are not supported"):
        describer(server).describe(images)
    assert len(server.requests) == 2


def test_hostile_texts_stay_text(server, images):
    items = [
        "<script>alert('x')</script>",
        "y" * 10_000,
        "red\x00\x1b[31m",
        "../../../etc/passwd",
        "{{7*7}}",
        "\ud800hair",
    ]
    server.script = [
        Answer(json.dumps({"categories": [{"name": "<img src=x onerror=alert(1)>", "items": items}]})),
        Answer(json.dumps({"expansions": [{"item": "{{7*7}}", "values": ["<b>", "<B>", "\u202eevil"]}]})),
    ]
    asked = describer(server)
    tree = asked.describe(images)
    assert [node.phrase for node in tree.phrases()] == [
        "<script>alert('x')</script>",
        "red[31m",
        "../../../etc/passwd",
        "{{7*7}}",
        "<b>",
        "evil",
        "hair",
    ]
    assert all(set(node.id) <= set("abcdefghijklmnopqrstuvwxyz0123456789-/") for node in tree.nodes)
    assert ConceptTree.from_dict(json.loads(json.dumps(tree.as_dict()))) == tree
    json.dumps(asked.transcript, ensure_ascii=False).encode()


def test_nobody_there(images, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(InputError, match="cannot be reached in time"):
        OpenAIDescriber("m", "http://127.0.0.1:9/v1", delays_s=(0.0,)).describe(images)


def test_no_key(images, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(InputError, match="OPENAI_API_KEY is not set"):
        OpenAIDescriber("m").describe(images)


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://a/v1", "http://", "http://me:pw@host/v1"])
def test_addresses(url):
    with pytest.raises(InputError, match="base_url"):
        OpenAIDescriber("m", url)


def test_one_line_of_text_opens_a_describer():
    opened = open_describer("openai:a@b@https://host/v1")
    assert (opened.model, opened.base_url) == ("a@b", "https://host/v1")
    for address in ("", "gpt", "openai:", "hf:", "offline:x"):
        with pytest.raises(InputError, match="expected offline, openai:MODEL"):
            open_describer(address)

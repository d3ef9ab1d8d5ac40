"""The app in Chromium: what a scientist does with it."""

import io
import os
import signal

import numpy as np
import pytest
from PIL import Image

WATCH = """() => {
  const line = document.getElementById("jobline");
  window.told = [];
  new MutationObserver(() => window.told.push(line.textContent)).observe(line, { childList: true });
}"""
DROP = """([content, name]) => {
  const dragged = new DataTransfer();
  dragged.items.add(new File([Uint8Array.from(content)], name, { type: "image/png" }));
  const tell = (kind) => document.getElementById("drop").dispatchEvent(
    new DragEvent(kind, { dataTransfer: dragged, bubbles: true, cancelable: true }));
  return ["dragover", "drop"].map((kind) => !tell(kind));
}"""


@pytest.fixture(scope="module")
def page(app, browser):
    said = []
    made = browser.new_page(viewport={"width": 1300, "height": 1000})
    made.set_default_timeout(60_000)
    made.on("console", lambda message: said.append(f"{message.text} {message.location['url']}"))
    made.on("pageerror", lambda error: said.append(str(error)))
    made.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    made.goto(app.address)
    made.wait_for_selector("#edit[src]")
    yield made
    made.close()
    # A question that is refused, or lost with the worker, is told on the page; the browser notes its status.
    assert [line for line in said if not {"422", "503"} & set(line.split())] == []


def picture():
    file = io.BytesIO()
    Image.fromarray(np.full((28, 28), 90, dtype=np.uint8)).save(file, format="PNG")
    return file.getvalue()


def until(page, holds, arg=None):
    """Ask from outside: the page's policy forbids scripts that are made of text, Playwright's waiting too."""
    for _ in range(600):
        if page.evaluate(holds, arg):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"never: {holds}")


def source(page):
    return page.get_attribute("#edit", "src")


def test_a_slider_changes_picture_and_logit(page):
    assert "token" not in page.url
    before, said = source(page), page.text_content("#classes")
    page.fill("#slider0", "1")
    until(page, "before => document.getElementById('edit').src !== before", before)
    until(page, "said => document.getElementById('classes').textContent !== said", said)
    until(page, "() => document.getElementById('depth').textContent === 'in 3 steps'")
    page.click("#reset")
    until(page, "() => document.getElementById('verdict').textContent.includes('Move a slider')")


def test_hostile_names_stay_text(page):
    assert "<script>alert(1)</script>" in page.text_content("#classes")
    assert page.locator("main script").count() == 0


def test_a_good_and_a_broken_image_are_dropped(page):
    page.set_input_files(
        "#file", {"name": "<b>broken.png", "mimeType": "image/png", "buffer": picture()[:60]}
    )
    page.wait_for_selector("#trouble:not([hidden])")
    assert "<b>broken.png" in page.text_content("#trouble")
    page.set_input_files("#file", {"name": "<b>mine.png", "mimeType": "image/png", "buffer": picture()})
    until(page, "() => document.getElementById('cellname').textContent === '<b>mine.png'")
    page.wait_for_selector("#trouble", state="hidden")


def test_the_keyboard_reaches_a_slider_and_moves_it(page, app):
    page.goto(f"http://127.0.0.1:{app.port}/")
    until(page, "() => document.getElementById('depth').textContent === 'in 3 steps'")
    before, said = source(page), page.text_content("#classes")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "slider0":
            break
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    assert page.text_content("#value0") == "1.00"
    until(page, "before => document.getElementById('edit').src !== before", before)
    until(page, "said => document.getElementById('classes').textContent !== said", said)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "slider1"


def drop(page, content, name):
    assert page.evaluate(DROP, [list(content), name]) == [True, True]  # else the browser would open the file


def test_images_dragged_onto_the_page_are_taken(page):
    count = page.locator(".thumb").count()
    drop(page, picture()[:60], "<b>torn.png")
    page.wait_for_selector("#trouble:not([hidden])")
    assert "<b>torn.png" in page.text_content("#trouble") and page.locator(".thumb").count() == count
    drop(page, picture(), "<b>whole.png")
    until(page, "() => document.getElementById('cellname').textContent === '<b>whole.png'")
    page.wait_for_selector("#trouble", state="hidden")
    assert page.locator(".thumb").count() == count + 1
    assert page.locator(".thumb").last.get_attribute("aria-pressed") == "true"
    assert page.locator("#drop.over").count() == 0


def test_a_killed_worker_is_told_and_the_page_goes_on(page, app):
    page.goto(f"http://127.0.0.1:{app.port}/")
    until(page, "() => document.getElementById('depth').textContent === 'in 3 steps'")
    before, worker = source(page), app.worker_id()
    os.kill(worker, signal.SIGSTOP)  # so that a question is open when it dies
    page.fill("#slider0", "1")
    page.click("#start")
    os.kill(worker, signal.SIGKILL)
    page.wait_for_selector("#worker:not([hidden])")
    assert "SIGKILL" in page.text_content("#worker") and "started again" in page.text_content("#worker")
    until(page, "() => document.getElementById('trouble').textContent.includes('Try once more')")
    until(page, "() => document.getElementById('jobline').textContent.includes('Try once more')")
    assert page.is_enabled("#start") and page.is_disabled("#cancel")
    page.wait_for_selector("#worker", state="hidden")
    until(page, "before => document.getElementById('edit').src !== before", before)
    page.wait_for_selector("#trouble", state="hidden")


def test_a_job_tells_how_far_it_is_and_is_cancelled(page):
    page.evaluate(WATCH)
    page.click("#start")
    until(page, "() => window.told.some((line) => line.includes('step'))")
    until(page, "() => document.getElementById('cancel').disabled")
    page.evaluate("() => ['start', 'cancel'].forEach((id) => document.getElementById(id).click())")
    until(page, "() => window.told.some((line) => line.includes('cancelled'))")
    assert page.is_enabled("#start")


def test_nothing_keeps_people_out(page, app, serious):
    for path in ("/", "/cells"):
        page.goto(f"http://127.0.0.1:{app.port}{path}")
        assert serious(page) == []

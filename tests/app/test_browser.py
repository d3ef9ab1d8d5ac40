"""The app in Chromium: what a scientist does with it."""

import io

import numpy as np
import pytest
from PIL import Image

WATCH = """() => {
  const line = document.getElementById("jobline");
  window.told = [];
  new MutationObserver(() => window.told.push(line.textContent)).observe(line, { childList: true });
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
    # A refused question is told on the page; the browser notes its status as well.
    assert [line for line in said if "422" not in line] == []


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

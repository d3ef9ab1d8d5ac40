"""What all tests share: real data, a browser, the rule about skips, and how many cores torch takes."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from diffex.generators import DiffusionAutoencoder
    from diffex.generators.text.config import TextConfig
    from diffex.generators.text.model import TextModel

STRICT = os.environ.get("DIFFEX_STRICT") == "1"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Under ``DIFFEX_STRICT=1``, turn the skip of a test into a failure unless it is marked ``may_skip``."""
    report = yield
    expected = hasattr(report, "wasxfail") or item.get_closest_marker("may_skip") is not None
    if STRICT and report.skipped and not expected:
        _fail(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """Do the same where a whole file is skipped."""
    report = yield
    if STRICT and report.skipped:
        _fail(report)
    return report


def _fail(report):
    reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr
    report.outcome = "failed"
    report.longrepr = f"DIFFEX_STRICT=1 turns this skip into a failure. {reason}"


@pytest.fixture(scope="session", autouse=True)
def _few_threads() -> None:
    """Keep to two cores, or to what OMP_NUM_THREADS says; one for each worker of xdist."""
    cores = 1 if "PYTEST_XDIST_WORKER" in os.environ else min(2, len(os.sched_getaffinity(0)))
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", cores)))


@pytest.fixture(scope="session")
def random_weights() -> "Callable[[DiffusionAutoencoder], DiffusionAutoencoder]":
    """Give an untrained generator random weights, always the same, so that codes change the picture."""

    def shake(made: "DiffusionAutoencoder") -> "DiffusionAutoencoder":
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(0)
            for parameter in made.decoder.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
        return made.eval().requires_grad_(False)

    return shake


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of the real image sets."""
    folder = os.environ.get("DIFFEX_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("real images: set DIFFEX_DATA to the folder that holds the sets")
    return Path(folder)


@pytest.fixture(scope="session")
def data_set(data_dir: Path) -> Callable[[str], Path]:
    """Find one real set by name, for example ``data_set("bccd_cells")``."""

    def find(name: str) -> Path:
        if not (data_dir / name).is_dir():
            pytest.skip(f"real images: {name} is not in DIFFEX_DATA")
        return data_dir / name

    return find


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """Start Chromium; of one file, for Playwright keeps an event loop running in this thread."""
    api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install -e '.[dev]'")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="session")
def serious() -> "Callable[[Page], list[str]]":
    """Ask axe for what keeps people out of a page."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="no axe: pip install -e '.[dev]'"
    )

    def find(page: "Page") -> list[str]:
        found = axe.Axe().run(page).response["violations"]
        worst = [one for one in found if one["impact"] in {"serious", "critical"}]
        return [f"{one['id']}: {node['html'][:200]}" for one in worst for node in one["nodes"]]

    return find


@pytest.fixture(scope="session")
def text_config() -> "TextConfig":
    """Give the smallest text-to-image model: 32 px, a few steps."""
    from diffex.generators.text.config import TextConfig

    return TextConfig(
        size=32,
        vae_widths=(8, 8, 8),
        latent_channels=8,
        unet_widths=(16, 16, 16),
        text_width=16,
        text_layers=1,
        tokens=16,
        vae_steps=2,
        vae_batch=4,
        steps=4,
        batch_size=4,
    )


@pytest.fixture(scope="session")
def text_model(text_config: "TextConfig") -> "TextModel":
    """Give an untrained text-to-image model of three channels, always the same."""
    from diffex.generators.text import networks
    from diffex.generators.text.model import TextModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        words = ["large nucleus", "small cell", "elongated round compact lobed long short object"]
        tokenizer = networks.make_tokenizer(words, text_config.tokens)
        vae = networks.make_autoencoder(text_config, 3)
        vae.register_to_config(scaling_factor=6.0)  # latents of about unit spread
        return TextModel(
            vae,
            networks.make_text_encoder(text_config, tokenizer),
            tokenizer,
            networks.make_unet(text_config),
            networks.make_scheduler(),
        )

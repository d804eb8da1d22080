"""The page in a real browser: it answers, moves with the slider, and asks no other machine for anything.

gradio is not of the extra ``test``, since it needs a Pillow that is older than that of the other tests; where it is not
installed this file has no tests (pip install gradio).
"""

from __future__ import annotations

import importlib.util
import socket
import time

import pytest

from duonas.core.errors import DuonasError
from duonas.runtime.golden import load_golden
from duonas.runtime.policy import load_policy

THERE = importlib.util.find_spec("gradio") is not None
WAIT = 60.0  # s for the page to show something, on a busy machine
WHO, DOES = (f"document.querySelector('#{name} textarea')?.value || ''" for name in ("who", "does"))
MOVE = """
(() => {
  const slider = document.querySelector('input[type=range]');
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(slider, %d);
  for (const kind of ['input', 'change', 'pointerup']) slider.dispatchEvent(new Event(kind, {bubbles: true}));
})()
"""


@pytest.fixture(scope="module")
def served(export):
    """The address of the page of a bundle, and its port."""
    from duonas.demo.page import serve

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = export(True, "after_little")[2]
    page = serve(folder, folder, port, wait=False)
    yield f"http://127.0.0.1:{port}/", port, folder
    page.close()


def until(browser, script, wanted):
    """The value of a script as soon as it holds a text."""
    end = time.monotonic() + WAIT
    while wanted not in str(found := browser.run(script)):
        assert time.monotonic() < end, f"expected {wanted!r}, got {found!r}"
        time.sleep(0.2)
    return found


if THERE:
    from report.browser import Browser

    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore")  # gradio's own, and those of what it needs
    def test_a_picture_is_answered_and_the_slider_sends_it_to_big(served):
        address, _, folder = served
        with Browser() as browser:
            browser.events.clear()
            browser.call("Page.navigate", url=address)
            until(browser, "document.querySelectorAll('#pictures img').length", "20")
            browser.run(MOVE % 100)
            until(browser, DOES, "At tau = -inf, 100% of the images stay with little")
            browser.run("document.querySelector('#pictures img').closest('button').click()")
            hardest = load_golden(folder, load_policy(folder / "policy.json").onnx).score.min()  # of the same pixels
            assert f"the score {hardest:.4g} is at least" in until(browser, WHO, "Answered by little in ")
            browser.run(MOVE % 0)
            assert "is below tau = inf" in until(browser, WHO, "Answered by big in ")
            assert "At tau = inf, 0% of the images stay with little" in browser.run(DOES)
            local = ("http://127.0.0.1:", "data:", "blob:")
            assert [each for each in browser.requests if not each.startswith(local)] == []

    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore")
    def test_a_port_that_is_taken_is_one_sentence(served):
        from duonas.demo.page import serve

        _, port, folder = served
        with pytest.raises(DuonasError, match=f"port {port} cannot be used: .*give another with --port"):
            serve(folder, folder, port, wait=False)

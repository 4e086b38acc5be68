"""The shipped page in a real Chromium without a window: browser.py PORT. Prints `ok`, or fails.

The browser is driven by its DevTools protocol over a pipe. Nothing is polled: an expression that waits is a promise
of the page, which an event of the page settles.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

ORIGIN = f"http://127.0.0.1:{sys.argv[1]}"
# Only a failing run gets there.
DEADLINE = 60
NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage --no-proxy-server --remote-debugging-pipe"
).split()

# What a test needs in the page beside what the page has itself.
HELPERS = """
  const log = document.querySelector("pre");
  // Settled when the page shows a text that `fits`.
  const shows = fits => new Promise(resolve => {
    const look = () => fits(log.textContent) && (watch.disconnect(), resolve(log.textContent));
    const watch = new MutationObserver(look);
    watch.observe(log, { childList: true, characterData: true, subtree: true });
    look();
  });
  const answer = () => new Promise(resolve =>
    ws.addEventListener("message", event => resolve(event.data), { once: true }));
  const end = () => new Promise(resolve =>
    ws.addEventListener("close", ({ code, reason, wasClean }) => resolve({ code, reason, wasClean }), { once: true }));
  const submit = text => { field.value = text; form.requestSubmit(); };
"""


class Browser:
    """A Chromium with a profile of its own, which ends with the `with`."""

    def __enter__(self):
        program = os.environ.get("CHROMIUM") or next(filter(shutil.which, NAMES), None)
        assert program, f"no Chromium: none of {', '.join(NAMES)} (tests/setup.sh installs it)"
        self.profile = tempfile.mkdtemp(prefix="node-chromium-")
        ours, theirs = os.pipe(), os.pipe()

        def place():  # it reads commands from descriptor 3 and writes to 4
            commands, answers = os.dup(ours[0]), os.dup(theirs[1])
            os.dup2(commands, 3)
            os.dup2(answers, 4)

        # The pipes' own numbers may be 3 and 4, so they are closed by the browser's start and not before.
        self.process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={self.profile}", "about:blank"],
            preexec_fn=place, close_fds=False, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        os.close(ours[0])
        os.close(theirs[1])
        self.commands, self.answers = open(ours[1], "wb", buffering=0), open(theirs[0], "rb")
        self.rest, self.number, self.session = b"", 0, None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")
        return self

    def __exit__(self, *_):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)

    def receive(self):
        while b"\0" not in self.rest:
            piece = self.answers.read1(1 << 16)
            assert piece, "the browser has ended"
            self.rest += piece
        message, _, self.rest = self.rest.partition(b"\0")
        return json.loads(message)

    def call(self, method, **params):
        """Sends a command; its result."""
        self.number += 1
        command = {"id": self.number, "method": method, "params": params}
        if self.session:
            command["sessionId"] = self.session
        self.commands.write(json.dumps(command).encode() + b"\0")
        while True:
            message = self.receive()
            if message.get("id") == self.number:
                assert "error" not in message, (method, message["error"])
                return message["result"]

    def evaluate(self, expression):
        """The value of an expression in the page, once it is settled."""
        result = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def open(self, url):
        """Opens a page and waits until all of it is there."""
        failure = self.call("Page.navigate", url=url).get("errorText")
        assert not failure, failure
        self.evaluate("""new Promise(resolve =>
          document.readyState === "complete" ? resolve() : addEventListener("load", () => resolve()))""")
        self.evaluate(HELPERS)


def messages(page):
    """Texts and bytes go to the service and back."""
    page.open(ORIGIN + "/")
    greeting = page.evaluate("""shows(text => text.includes("hello"))""")
    assert greeting.startswith("hello, this is the service web at :"), greeting
    shown = page.evaluate("""submit("κόσμε 永 😀"), shows(text => text.includes("永"))""")
    assert shown.splitlines()[1].endswith(" κόσμε 永 😀"), shown
    back = page.evaluate("""
      ws.binaryType = "arraybuffer",
      ws.send(Uint8Array.of(0, 255, 128, 10)),
      answer().then(data => [data instanceof ArrayBuffer, ...new Uint8Array(data)])""")
    assert back == [True, 0, 255, 128, 10], back
    # Of two lengths of frame heads, and more than the socket takes at once.
    for length in (126, 200_000):
        back = page.evaluate(f"""
          ws.send(new Uint8Array({length}).fill(7)),
          answer().then(data => [data.byteLength, new Uint8Array(data).every(byte => byte === 7)])""")
        assert back == [length, True], back


def server_first(page):
    """The page hears of the service's close by `onclose`, and has not called `close` itself."""
    page.open(ORIGIN + "/")
    page.evaluate("""shows(text => text.includes("hello"))""")
    closed = page.evaluate("""ended = end(), submit("bye"), ended""")
    assert closed == {"code": 1000, "reason": "bye", "wasClean": True}, closed
    shown = page.evaluate("""shows(text => text.includes("closed"))""")
    assert shown.endswith("closed with 1000 bye (clean)\n"), shown
    assert page.evaluate("[ws.readyState, field.disabled]") == [3, True]


def client_first(page):
    """The service answers the page's close."""
    for code, reason in ((1000, ""), (4001, "ça suffit")):
        page.open(ORIGIN + "/")
        page.evaluate("""shows(text => text.includes("hello"))""")
        closed = page.evaluate(f"""ended = end(), ws.close({code}, "{reason}"), ended""")
        assert closed == {"code": code, "reason": reason, "wasClean": True}, closed
    page.open(ORIGIN + "/")
    closed = page.evaluate("""shows(text => text.includes("hello")).then(() => (ended = end(), ws.close(), ended))""")
    assert closed == {"code": 1005, "reason": "", "wasClean": True}, closed


def late(*_):
    raise TimeoutError(f"not done within {DEADLINE} s")


signal.signal(signal.SIGALRM, late)
signal.alarm(DEADLINE)
with Browser() as browser:
    for case in (messages, server_first, client_first):
        case(browser)
print("ok")

"""Tests the page in a headless Chromium: `python3 test.py PROGRAM [SCREENSHOT]`, where PROGRAM computes the
same results on the PC. Needs only Python's standard library.

Draws digits with the mouse and with a finger, and compares the module's results for all of MNIST's test
images with the PC's. Exits with status 3 if Chromium does not start.
"""

import array
import atexit
import base64
import gzip
import http.server
import json
import os
import pathlib
import select
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).parent
MNIST = HERE / "../../data/mnist"
# The PC has different registers, so its code may add numbers in a different order.
TOLERANCE = 1e-5

# Digits as people draw them, in hundredths of the pad; by two hands, one of them small and in a corner.
DRAWN = {
    0: ["50,12 30,25 24,50 32,78 50,88 68,76 75,50 68,24 50,12", "18,8 10,14 8,24 13,34 21,35 28,27 28,15 22,8 17,9"],
    1: ["52,10 50,50 48,90", "82,62 80,78 79,95"],
    2: ["25,32 32,16 50,10 68,18 70,35 55,55 25,85 50,84 78,86", "10,14 17,8 25,11 25,19 18,27 9,35 20,34 31,35"],
    3: ["28,18 50,10 68,20 64,38 46,47 66,55 72,72 56,88 28,84", "62,64 71,60 79,65 77,73 69,77 79,81 80,91 70,96 61,92"],
    4: ["35,12 28,48 30,54 74,52|68,14 66,52 64,90", "64,60 61,75 79,74|78,61 77,75 76,94"],
    5: ["72,12 36,12 32,44 52,40 70,52 68,74 50,88 28,82", "80,61 66,61 64,73 73,71 80,78 78,89 68,93 61,90"],
    6: ["62,10 40,28 29,56 33,82 52,90 69,78 66,60 48,54 32,66", "23,7 13,16 9,27 13,36 21,36 26,30 22,24 13,26"],
    7: ["24,16 50,15 76,14 62,45 46,90", "8,9 18,9 28,8 23,20 17,36"],
    8: ["66,22 50,10 34,22 40,40 60,56 68,74 50,90 32,74 40,56 60,40 66,22", "79,64 71,60 66,66 76,78 79,88 71,94 65,87 69,79 78,71 79,64"],
    9: ["68,30 52,14 34,24 34,42 50,50 66,38 68,30 66,60 60,90", "25,14 17,8 9,14 11,23 19,24 25,14 24,26 21,38"],
}


class Chromium:
    """A tab, controlled by the DevTools protocol over a pair of pipes; messages end with a zero byte."""

    def __init__(self, profile):
        commands, self.write = os.pipe()
        self.read, replies = os.pipe()
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", f"--user-data-dir={profile}"]
        # Chromium reads from file descriptor 3 and writes to 4.
        command = ["bash", "-c", f'exec chromium "$@" 3<&{commands} 4>&{replies}', "chromium", *flags]
        self.process = subprocess.Popen(command, pass_fds=(commands, replies), stderr=subprocess.DEVNULL)
        # A hanging Chromium must not outlive the test.
        atexit.register(self.process.kill)
        os.close(commands), os.close(replies)
        self.buffer, self.number, self.session = b"", 0, None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        data = memoryview(json.dumps(message).encode() + b"\0")
        while data:
            data = data[os.write(self.write, data) :]
        while True:
            while b"\0" not in self.buffer:
                if not select.select([self.read], [], [], 60)[0]:
                    raise TimeoutError("Chromium does not answer")
                part = os.read(self.read, 1 << 20)
                if not part:
                    raise EOFError("Chromium has ended")
                self.buffer += part
            reply, self.buffer = self.buffer.split(b"\0", 1)
            reply = json.loads(reply)
            if reply.get("id") == self.number:
                if "error" in reply:
                    raise RuntimeError(f"{method}: {reply['error']}")
                return reply["result"]

    def evaluate(self, script):
        reply = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in reply:
            raise RuntimeError(reply["exceptionDetails"])
        return reply["result"].get("value")

    def close(self):
        self.session = None
        self.call("Browser.close")
        self.process.wait(timeout=20)


class Page:
    """The page, as a user sees it."""

    FRAME = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"

    def __init__(self, tab, address, width, height, finger):
        self.tab, self.finger = tab, finger
        tab.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=finger)
        tab.call("Emulation.setTouchEmulationEnabled", enabled=finger)
        tab.call("Page.navigate", url="about:blank")
        tab.call("Page.navigate", url=address)
        self.wait('!!document.querySelector("#cost")?.textContent')

    def event(self, kind, x, y, finger):
        if finger:
            points = [] if kind == "Released" else [{"x": x, "y": y}]
            name = {"Pressed": "touchStart", "Moved": "touchMove", "Released": "touchEnd"}[kind]
            self.tab.call("Input.dispatchTouchEvent", type=name, touchPoints=points)
        else:
            pressed = kind != "Released"
            place = {"x": x, "y": y, "button": "left", "buttons": int(pressed), "clickCount": 1}
            self.tab.call("Input.dispatchMouseEvent", type=f"mouse{kind}", **place)

    def clear(self):
        x, y, width, height = self.box("#clear")
        # Uses the mouse on the phone too: emulated taps do not click in a headless Chromium.
        for kind in ["Pressed", "Released"]:
            self.event(kind, x + width / 2, y + height / 2, finger=False)
        self.wait('!document.querySelector("#answer b")')

    def wait(self, condition):
        """Waits until the condition holds; fails after a second."""
        holds = self.tab.evaluate(f"""new Promise(done => {{
            const end = performance.now() + 1000;
            const look = () => {condition} || performance.now() > end ? done({condition}) : requestAnimationFrame(look);
            look();
        }})""")
        if not holds:
            raise TimeoutError(condition)

    def box(self, selector):
        return self.tab.evaluate(f"""(() => {{
            const box = document.querySelector("{selector}").getBoundingClientRect();
            return [box.x, box.y, box.width, box.height];
        }})()""")

    def draw(self, lines):
        """Clears the pad, draws, and returns the page's answer."""
        self.clear()
        left, top, width, height = self.box("#pad")
        for line in lines.split("|"):
            points = [tuple(map(float, point.split(","))) for point in line.split()]
            points = [(left + x * width / 100, top + y * height / 100) for x, y in points]
            self.event("Pressed", *points[0], self.finger)
            for point in points[1:]:
                self.event("Moved", *point, self.finger)
            self.event("Released", *points[-1], self.finger)
        self.tab.evaluate(self.FRAME)
        return self.tab.evaluate('document.querySelector("#answer b")?.textContent')


def probabilities_in_the_page(tab, pixels):
    """The module's probabilities for images of bytes."""
    coded = tab.evaluate(f"""(async () => {{
        const bytes = Uint8Array.from(atob("{base64.b64encode(pixels).decode()}"), letter => letter.charCodeAt(0));
        const {{ instance: {{ exports }} }} = await WebAssembly.instantiate(await (await fetch("digits.wasm")).arrayBuffer());
        const state = exports.memory_once();
        if (exports.memory_once() !== 0) throw Error("memory is handed out twice");
        const view = (name, length) => new Float32Array(exports.memory.buffer, exports[name](state), length);
        const image = view("image", 784), probabilities = view("probabilities", 10);
        const results = new Float32Array(bytes.length / 784 * 10);
        for (let at = 0; at < bytes.length / 784; at++) {{
            image.set(bytes.subarray(784 * at, 784 * (at + 1)));
            image.forEach((pixel, index) => image[index] = pixel / 255);
            exports.evaluate(state);
            results.set(probabilities, 10 * at);
        }}
        let text = "";
        for (const byte of new Uint8Array(results.buffer)) text += String.fromCharCode(byte);
        return btoa(text);
    }})()""")
    return array.array("f", base64.b64decode(coded))


class Files(http.server.SimpleHTTPRequestHandler):
    """Serves the files of this folder without logging."""

    def __init__(self, *arguments):
        super().__init__(*arguments, directory=HERE)

    def log_message(self, *_):
        pass


def main():
    program, screenshot = sys.argv[1], next(map(pathlib.Path, sys.argv[2:]), None)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/index.html"
    failures = []

    with tempfile.TemporaryDirectory() as profile:
        try:
            tab = Chromium(profile)
        except (EOFError, BrokenPipeError, TimeoutError) as error:
            print(f"test.py: Chromium does not start: {error}", file=sys.stderr)
            sys.exit(3)

        # Screen sizes of a desktop with a mouse and of a phone with a finger.
        for name, width, height, finger in [("mouse", 1000, 740, False), ("finger", 360, 740, True)]:
            page = Page(tab, address, width, height, finger)
            wide = tab.evaluate("document.documentElement.scrollWidth")
            if wide > width:
                failures.append(f"the page is {wide} pixels wide on a screen of {width}")
            answers = []
            for digit, hands in DRAWN.items():
                for hand, lines in enumerate(hands):
                    answer = page.draw(lines)
                    answers.append(str(answer))
                    if answer != str(digit):
                        failures.append(f"{name}: hand {hand} draws {digit}, and the page reads {answer}")
            print(f"{name}, {width} pixels: reads {' '.join(answers)}")
        print(tab.evaluate('document.querySelector("#cost").textContent'))

        if screenshot:
            Page(tab, address, 1000, 860, False).draw(DRAWN[3][0])
            screenshot.write_bytes(base64.b64decode(tab.call("Page.captureScreenshot", format="png")["data"]))

        pixels = gzip.decompress((MNIST / "t10k-images-idx3-ubyte.gz").read_bytes())[16:]
        labels = gzip.decompress((MNIST / "t10k-labels-idx1-ubyte.gz").read_bytes())[8:]
        here = array.array("f", subprocess.run([program], input=pixels, capture_output=True, check=True).stdout)
        there = probabilities_in_the_page(tab, pixels)
        tab.close()

    difference = max(abs(a - b) for a, b in zip(here, there, strict=True))
    right = sum(max(range(10), key=lambda digit: there[10 * at + digit]) == label for at, label in enumerate(labels))
    print(f"{len(labels)} test images: {100 * right / len(labels):.2f} % correct; probabilities differ from the PC's by {difference:.1e}")
    if not difference <= TOLERANCE:
        failures.append(f"probabilities differ by more than {TOLERANCE}")
    if not right >= 0.98 * len(labels):
        failures.append("fewer than 98 % correct")
    for failure in failures:
        print(f"test.py: {failure}", file=sys.stderr)
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()

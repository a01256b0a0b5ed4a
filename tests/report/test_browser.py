"""The page in a real browser: it runs, keeps quiet, asks the network for nothing, sorts, filters and fits a phone."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from speedwell.report import write_html

pytestmark = pytest.mark.browser
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-logging=stderr",
         "--disable-dev-shm-usage"]  # fmt: skip
PROBE = """<script>
addEventListener("load", () => {
  const $ = (s) => [...document.querySelectorAll(s)], seen = {};
  try {
    seen.width = [document.documentElement.scrollWidth, innerWidth];
    seen.title = document.title;
    seen.images = $("img").length;
    seen.requests = performance.getEntriesByType("resource").map((e) => e.name);
    seen.charts = $("svg").filter((s) => s.getBoundingClientRect().width > 0).length;
    const rows = () => $("#table tbody tr").filter((r) => !r.hidden);
    seen.all = rows().length;
    const find = document.getElementById("find");
    find.value = "TIMEOUT built"; find.dispatchEvent(new Event("input"));
    seen.found = rows().map((r) => r.textContent);
    find.value = ""; find.dispatchEvent(new Event("input"));
    const head = $("#table thead th")[2];
    head.querySelector("button").click();
    seen.sort = [head.getAttribute("aria-sort"), rows().map((r) => r.cells[2].dataset.v)];
    head.querySelector("button").click();
    seen.back = [head.getAttribute("aria-sort"), rows().map((r) => r.cells[2].dataset.v)];
    const dot = $("[data-tip]").find((d) => d.getBoundingClientRect().width > 0);
    dot.dispatchEvent(new PointerEvent("pointermove", {bubbles: true, clientX: 200, clientY: 200}));
    seen.tip = document.getElementById("tip").textContent;
    seen.raw = JSON.parse(document.getElementById("raw").textContent).candidates.length;
    dispatchEvent(new Event("beforeprint"));
    seen.folded = $("details:not([open])").length;
    const clipped = $(".only-wide svg, .only-narrow svg").filter((s) => s.getBoundingClientRect().width > 0)
      .flatMap((s) => [...s.querySelectorAll("text")])
      .filter((t) => t.getBoundingClientRect().right > innerWidth + 1 || t.getBoundingClientRect().left < -1);
    seen.clipped = clipped.map((t) => t.textContent);
    seen.ready = performance.now();
  } catch (error) { seen.error = String(error); }
  parent.postMessage(btoa(unescape(encodeURIComponent(JSON.stringify(seen)))), "*");
});
</script></body>"""

# A frame has the width that is asked for, where a headless window has at least 500 pixels.
FRAME = """<!doctype html><pre id="seen"></pre>
<script>onmessage = (event) => { document.getElementById("seen").textContent = event.data; };</script>
<iframe src="page.html" width="WIDTH" height="900" style="border:0"></iframe>"""


def browse(page: Path, profile: Path, *more: str) -> subprocess.CompletedProcess[str]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert chromium, "this test needs chromium: apt-get install chromium"
    profile.mkdir()
    command = [chromium, *FLAGS, f"--user-data-dir={profile}", "--window-size=1400,1000", *more, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


def probe(folder: Path, tmp_path: Path, width: int) -> tuple[dict, str]:
    """What a script finds in the loaded page, and what the console said. The page's policy is widened for the probe
    only, so its own script runs as it would, and a blocked one would be seen on the console.
    """
    page = write_html(folder, tmp_path / "page.html")
    text = page.read_text(encoding="utf-8")
    script = PROBE.removeprefix("<script>").removesuffix("</script></body>")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    text = text.replace("script-src ", f"script-src 'sha256-{digest}' ", 1).replace("</body>", PROBE)
    page.write_text(text, encoding="utf-8")
    frame = tmp_path / "frame.html"
    frame.write_text(FRAME.replace("WIDTH", str(width)), encoding="utf-8")
    done = browse(frame, tmp_path / "profile", "--dump-dom", "--virtual-time-budget=5000")
    found = re.search(r'<pre id="seen">([^<]+)</pre>', done.stdout)
    assert found, done.stderr[-2000:]
    console = "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
    return json.loads(base64.b64decode(found.group(1))), console


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("kind", ["certified", "hostile"])
def test_a_page_works_fits_and_stays_on_this_machine(run_folder, tmp_path, kind, width):
    seen, console = probe(run_folder(kind), tmp_path, width)
    assert "error" not in seen, seen
    assert console == ""
    assert seen["requests"] == []
    assert seen["width"] == [width, width]
    assert seen["clipped"] == []
    assert seen["images"] == 0
    assert seen["title"].endswith("Speedwell report")
    assert seen["charts"] == 6
    assert seen["all"] == seen["raw"] == 25
    assert len(seen["found"]) == 1
    assert "timeout while it was built" in seen["found"][0]
    for direction, (name, values) in (("ascending", seen["sort"]), ("descending", seen["back"])):
        numbers = [float(v) for v in values if v]
        assert name == direction
        assert numbers == sorted(numbers, reverse=direction == "descending")
        assert values[len(numbers) :] == [""] * (25 - len(numbers))
    assert "ms" in seen["tip"]
    assert seen["folded"] == 0


def test_five_hundred_candidates_load_and_work(run_folder, tmp_path):
    seen, console = probe(run_folder("many"), tmp_path, 1280)
    assert "error" not in seen, seen
    assert console == ""
    assert seen["all"] == 500
    # Measured: about 0.3 s. The bound is wide, because no machine timing decides a test.
    assert seen["ready"] < 60_000


def test_a_page_prints(run_folder, tmp_path):
    page = write_html(run_folder("certified"), tmp_path / "page.html")
    browse(page, tmp_path / "profile", f"--print-to-pdf={tmp_path / 'page.pdf'}", "--no-pdf-header-footer")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF-")

"""Opens a report, and the same report served, in a headless browser, and compares what it shows with the files of the runs.

    python -m venv venv && venv/bin/pip install playwright
    venv/bin/python experiments/report_browser.py target/release/train experiments/runs/digits experiments/runs/slower

Chromium is that of the system (`--chromium`), or the one that `playwright install chromium` gets. Checked at 390 and 1400 pixels, light
and dark: no message in the console, nothing requested from elsewhere, nothing wider than the window, no text below 14 pixels, every
number as it is in metrics.jsonl and timings.jsonl, also in the charts; values under the pointer, zoom, scales, axes, pictures; and
that a served page shows a record that was written after it was opened.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

WIDTHS = [390, 1400]
PLACES = {"step", "epoch"}


def recorded(run):
    """Every number of a run's files by key, as (step, value) in the order of the file."""
    series = {}
    for name in ["metrics.jsonl", "timings.jsonl"]:
        for line in (run / name).read_text().splitlines():
            record = json.loads(line)
            for key, value in record.items():
                if key != "step" and isinstance(value, (int, float)) and "warning" not in record:
                    series.setdefault(key, []).append((record["step"], value))
    return series


def embedded(run):
    series = {}
    for table in run["tables"]:
        for key, values in table["values"].items():
            series[key] = list(zip(table["steps"], values, strict=True))
    return series


def check_values(page, runs):
    data = page.evaluate("window.report.data")
    for run, shown in zip(runs, data["runs"], strict=True):
        want, got = recorded(run), embedded(shown)
        assert want.keys() == got.keys(), want.keys() ^ got.keys()
        for key in want:
            assert want[key] == [(step, value) for step, value in got[key]], f"{run.name}: {key}"
    # Each curve has as many points as were recorded, and the charts draw the same.
    charts = page.evaluate("window.report.charts.map(c => ({key: c.key, drawn: c.curves.map(v => ({label: v.label, run: v.run, shape: v.shape, xs: v.xs, ys: v.ys})), plotted: c.plot.data.slice(1).map(ys => Array.from(ys).filter(y => y != null).length)}))")
    for chart in charts:
        for curve, plotted in zip(chart["drawn"], chart["plotted"], strict=True):
            assert len(set(curve["xs"])) == plotted, f"{chart['key']}: {curve['label']}"
            if curve["shape"] == "line":
                continue
            prefix = {"circle": "validation_", "diamond": "test_"}.get(curve["shape"], "")
            want = sorted(recorded(runs[curve["run"]])[prefix + chart["key"]], key=lambda record: record[0])
            assert [value for _, value in want] == curve["ys"], f"{chart['key']}: {curve['label']}"
    keys = {key.removeprefix("test_").removeprefix("validation_") for run in runs for key in recorded(run)}
    keys = {key for key in keys if key not in PLACES and not key.endswith("standard_error")}
    assert keys == {chart["key"] for chart in charts}, "every measured quantity has its chart"


def check_layout(page, width):
    size = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert size[0] <= size[1], f"{size[0]} pixels in a window of {width}"
    outside = page.evaluate("""Array.from(document.querySelectorAll('main *')).filter(e => !e.closest('.scroll') && !e.closest('.u-wrap') && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))""")
    assert not outside, outside
    small = page.evaluate("""Array.from(document.querySelectorAll('main *')).filter(e => e.childNodes.length && Array.from(e.childNodes).some(n => n.nodeType === 3 && n.data.trim()) && e.getClientRects().length && parseFloat(getComputedStyle(e).fontSize) < 14).map(e => e.outerHTML.slice(0, 80))""")
    assert not small, small
    # Legends stand below their drawing, not in it.
    overlaps = page.evaluate("""Array.from(document.querySelectorAll('figure')).filter(f => f.querySelector('.legend') && f.querySelector('.legend').getBoundingClientRect().top < f.querySelector('.plot').getBoundingClientRect().bottom - 1).length""")
    assert overlaps == 0


def check_behaviour(page, runs):
    figure = page.locator("#curves figure").first
    over = figure.locator(".u-over")
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    told = page.evaluate("""(() => { const c = window.report.charts[0], x = c.plot.posToVal(c.plot.cursor.left, 'x'), v = c.curves[0];
        let best = 0; v.xs.forEach((value, i) => { if (Math.abs(value - x) <= Math.abs(v.xs[best] - x)) best = i; }); return [v.xs[best], v.ys[best]]; })()""")
    text = figure.locator(".legend .value").first.inner_text()
    assert text.endswith(f"at step {told[0]}") and abs(float(text.split()[0]) - told[1]) <= 1e-4 * max(1, abs(told[1])), (text, told)
    # Zoom by dragging, and back by clicking twice.
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 60, steps=4)
    page.mouse.up()
    ends = "window.report.charts.map(c => [c.plot.scales.x.min, c.plot.scales.x.max])"
    zoomed = page.evaluate(ends)
    assert all(abs(z[0] - zoomed[0][0]) < 1e-6 * abs(z[1]) for z in zoomed) and page.locator("#unzoom").is_visible(), zoomed
    page.locator("#unzoom").click()
    assert page.evaluate(ends)[0][1] > zoomed[0][1]
    for scale in ["logarithmic", "linear"]:
        page.select_option("#scale", scale)
        for distr, is_positive in page.evaluate("window.report.charts.map(c => [c.plot.scales.y.distr, c.curves.every(v => v.ys.every(y => y > 0))])"):
            assert distr == (3 if scale == "logarithmic" and is_positive else 1)
    # Nothing that was measured lies outside of its axes.
    for axis in ["epoch", "time", "step"]:
        page.select_option("#axis", axis)
        for key, low, high, least, most in page.evaluate("""window.report.charts.map(c => { const ys = c.curves.flatMap(v => v.ys); return [c.key, c.plot.scales.y.min, c.plot.scales.y.max, Math.min(...ys), Math.max(...ys)]; })"""):
            assert low <= least and most <= high, f"{key} by {axis}: {least}..{most} in {low}..{high}"
    for k in ["1", "5"]:
        page.select_option("#smoothing", k)
        has_lines, most = page.evaluate("(c => [c.some(v => v.shape === 'line'), Math.max(...c.filter(v => v.shape === 'dot').map(v => v.ys.length))])(window.report.charts[0].curves)")
        assert has_lines == (1 < int(k) <= most)
    page.select_option("#smoothing", "auto")
    for index, run in enumerate(page.evaluate("window.report.data.runs.map(r => r.pictures.map(p => p.label))")):
        if len(run) < 2:
            continue
        slider = page.locator("#pictures figure").nth(index).locator("input")
        slider.fill("0")
        assert run[0] in page.locator("#pictures figure").nth(index).locator("figcaption").inner_text()
        slider.fill(str(len(run) - 1))
    button = page.locator(".legend button").first
    button.click()
    assert page.evaluate("window.report.charts[0].plot.series[1].show") is False
    button.click()


def opened(browser, url, width, theme, messages):
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme, device_scale_factor=1)
    page = context.new_page()
    page.on("console", lambda message: messages.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: messages.append(f"error: {error}"))
    origin = url if url.startswith("file:") else "/".join(url.split("/")[:3])
    page.on("request", lambda request: None if request.url.startswith((origin, "data:")) else messages.append(f"request: {request.url}"))
    page.goto(url)
    page.wait_for_function("window.report && window.report.charts.length > 0")
    page.wait_for_timeout(300)
    return page


def check_served(browser, train, runs, messages, out):
    """A copy of the runs is served, to which a record is added."""
    copies = []
    for run in runs:
        copies.append(out / "served" / run.name)
        shutil.copytree(run, copies[-1], ignore=shutil.ignore_patterns("checkpoints", "*.html"))
    server = subprocess.Popen([train, "report", *copies, "--serve"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        url = server.stdout.readline().strip()
        page = opened(browser, url, 1400, "light", messages)
        check_values(page, copies)
        check_layout(page, 1400)
        metrics = copies[0] / "metrics.jsonl"
        last = [json.loads(line) for line in metrics.read_text().splitlines()]
        trained = [record for record in last if "log_det" in record][-1] | {"step": last[-1]["step"] + 100}
        with metrics.open("a") as file:
            file.write(json.dumps(trained) + "\n")
        page.wait_for_function(f"window.report.data.runs[0].tables.some(t => t.steps.includes({trained['step']}))", timeout=15000)
        check_values(page, copies)
        assert page.locator("#results").inner_text().find(str(trained["step"])) >= 0
        return page
    finally:
        server.terminate()
        server.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    parser.add_argument("--out", type=Path, help="where screenshots go")
    arguments = parser.parse_args()
    out = arguments.out or Path(tempfile.mkdtemp())
    out.mkdir(parents=True, exist_ok=True)
    report = out / "report.html"
    subprocess.run([arguments.train, "report", *arguments.runs, "--out", report, "--force"], check=True)
    messages = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=arguments.chromium)
        for width in WIDTHS:
            for theme in ["light", "dark"]:
                page = opened(browser, report.resolve().as_uri(), width, theme, messages)
                page.screenshot(path=out / f"{width}-{theme}.png", full_page=True)
                check_values(page, arguments.runs)
                check_layout(page, width)
                check_behaviour(page, arguments.runs)
                check_layout(page, width)
                page.close()
        check_served(browser, arguments.train, arguments.runs, messages, Path(tempfile.mkdtemp()))
        browser.close()
    # What the served page says when its server has ended is expected.
    messages = [message for message in messages if "net::ERR_CONNECTION_REFUSED" not in message]
    assert not messages, messages
    print(f"the report of {', '.join(run.name for run in arguments.runs)} is right; screenshots in {out}")


if __name__ == "__main__":
    sys.exit(main())

"use strict";
(() => {
  const element = id => document.getElementById(id);
  let data = JSON.parse(element("data").textContent);
  const view = { axis: "step", scale: "linear", smoothing: "auto", zoom: null, hidden: new Set() };
  const pictures = new Map();
  let charts = [];
  const AXES = { step: "optimiser steps", epoch: "epochs", time: "training time" };
  const LIGHT = ["#1f5fb4", "#c8372d", "#2c8c2c", "#b06a00", "#7d4fb0", "#0f8a94", "#7a5c3c", "#5a5a5a"];
  const DARK = ["#7fb2f5", "#f58d84", "#7fd07f", "#f0b45c", "#c3a0ec", "#62d2dc", "#cdb08e", "#b8b8b8"];
  const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const isDark = () => {
    const theme = document.documentElement.dataset.theme;
    return theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  };

  /* A number with as many digits as say something. */
  const written = value => {
    if (value === 0 || !Number.isFinite(value)) return String(value);
    const size = Math.abs(value);
    if (size >= 1e6 || size < 1e-4) return value.toExponential(3);
    return String(Number(value.toPrecision(size >= 1e4 ? 7 : 6)));
  };
  const duration = seconds => {
    const s = Math.round(seconds);
    if (s < 60) return `${s}s`;
    if (s < 3600) return `${Math.floor(s / 60)}m${String(s % 60).padStart(2, "0")}s`;
    return `${Math.floor(s / 3600)}h${String(Math.floor(s / 60) % 60).padStart(2, "0")}m`;
  };
  const place = value => {
    if (view.axis === "time") return duration(value);
    return view.axis === "epoch" ? `epoch ${Number(value.toFixed(2))}` : `step ${value}`;
  };

  /* What was measured of a run under a key: steps and values as they are in its files. */
  const series = (run, key) => {
    for (const table of run.tables) if (key in table.values) return { steps: table.steps, values: table.values[key] };
    return null;
  };
  /* Seconds in training at a step, between two that were measured. */
  const secondsAt = run => {
    const times = series(run, "elapsed_seconds");
    if (!times) return null;
    const steps = [0, ...times.steps], seconds = [0, ...times.values];
    return step => {
      let after = 1;
      while (after < steps.length - 1 && steps[after] < step) after++;
      const length = steps[after] - steps[after - 1];
      const part = length > 0 ? (step - steps[after - 1]) / length : 1;
      return seconds[after - 1] + part * (seconds[after] - seconds[after - 1]);
    };
  };
  const horizontal = run => {
    if (view.axis === "epoch") return run.steps_per_epoch ? step => step / run.steps_per_epoch : null;
    return view.axis === "time" ? secondsAt(run) : step => step;
  };
  const window_of = n => view.smoothing === "auto" ? Math.min(50, Math.max(1, Math.floor(n / 20))) : Number(view.smoothing);
  /* The mean of the last k values, from the k-th on. */
  const running_mean = (xs, ys, k) => {
    const out = [[], []];
    let sum = 0;
    for (let i = 0; i < ys.length; i++) {
      sum += ys[i];
      if (i >= k) sum -= ys[i - k];
      if (i >= k - 1) { out[0].push(xs[i]); out[1].push(sum / k); }
    }
    return out;
  };

  /* Everything that a chart shows, each with a label, a colour and a shape. */
  const curves_of = key => {
    const shown = [];
    data.runs.forEach((run, index) => {
      const x = horizontal(run);
      if (!x) return;
      const of = data.runs.length > 1 ? `${run.name}: ` : "";
      const add = (shape, label, xs, ys, bars) => {
        /* The test of the best weights may stand before evaluations that came earlier. */
        const order = xs.map((_, i) => i).sort((a, b) => xs[a] - xs[b]), pick = list => list && order.map(i => list[i]);
        if (xs.length) shown.push({ shape, label: of + label, xs: pick(xs), ys: pick(ys), bars: pick(bars), run: index });
      };
      const raw = series(run, key);
      if (raw) {
        const xs = raw.steps.map(x), is_noisy = data.charts.find(chart => chart.key === key).is_noisy;
        const trained = series(run, run.loss.key);
        add("dot", trained && trained.steps === raw.steps ? "training" : "measured", xs, raw.values);
        const k = window_of(raw.values.length);
        if (is_noisy && k > 1) add("line", `mean of the last ${k} records`, ...running_mean(xs, raw.values, k));
      }
      for (const [prefix, label, shape] of [["validation_", "validation", "circle"], ["test_", "test", "diamond"]]) {
        const measured = series(run, prefix + key);
        if (!measured) continue;
        const errors = series(run, `${prefix}standard_error`) || series(run, "standard_error");
        const is_loss = key === run.loss.key;
        const bars = is_loss && errors && errors.values.length === measured.values.length ? errors.values : null;
        add(shape, label, measured.steps.map(x), measured.values, bars);
      }
    });
    return shown;
  };

  const SHAPES = {
    dot: (path, x, y, s) => { path.moveTo(x + 2.5 * s, y); path.arc(x, y, 2.5 * s, 0, 7); },
    circle: (path, x, y, s) => { path.moveTo(x + 4.5 * s, y); path.arc(x, y, 4.5 * s, 0, 7); },
    diamond: (path, x, y, s) => { const r = 6 * s; path.moveTo(x, y - r); path.lineTo(x + r, y); path.lineTo(x, y + r); path.lineTo(x - r, y); path.closePath(); },
  };
  const symbol = (shape, stroke) => {
    const inner = {
      dot: `<circle cx="12" cy="8" r="2.5" fill="${stroke}"/>`,
      line: `<path d="M1 8H23" stroke="${stroke}" stroke-width="2.5"/>`,
      circle: `<path d="M1 8H23" stroke="${stroke}"/><circle cx="12" cy="8" r="4.5" fill="${stroke}"/>`,
      diamond: `<path d="M12 2l6 6-6 6-6-6z" fill="none" stroke="${stroke}" stroke-width="2"/>`,
    }[shape];
    return `<svg width="24" height="16" aria-hidden="true">${inner}</svg>`;
  };
  const drawn = curve => (u, index, first, last) => {
    const size = devicePixelRatio, path = new Path2D(), xs = u.data[0], ys = u.data[index];
    for (let i = first; i <= last; i++) {
      if (ys[i] == null) continue;
      const x = u.valToPos(xs[i], "x", true), y = u.valToPos(ys[i], "y", true);
      SHAPES[curve.shape](path, x, y, size);
      const bar = curve.bars && curve.bars[curve.at.get(xs[i])];
      if (bar) {
        path.moveTo(x, u.valToPos(ys[i] - bar, "y", true));
        path.lineTo(x, u.valToPos(ys[i] + bar, "y", true));
      }
    }
    return { stroke: path, fill: path, clip: null, flags: 3 };
  };

  const nearest = (values, wanted) => {
    let best = 0;
    for (let i = 1; i < values.length; i++) if (Math.abs(values[i] - wanted) <= Math.abs(values[best] - wanted)) best = i;
    return best;
  };

  /* Some room on both sides, so that no point is cut by the frame. */
  const with_room = (min, max) => {
    const room = max > min ? 0.02 * (max - min) : Math.max(1, 0.02 * Math.abs(max));
    return [min - room, max + room];
  };
  const set_zoom = range => {
    view.zoom = range;
    for (const { plot } of charts) {
      const xs = plot.data[0];
      const [min, max] = range || with_room(xs[0], xs[xs.length - 1]);
      plot.setScale("x", { min, max });
    }
    element("unzoom").hidden = !range;
  };

  const STEPS = [1, 2, 5].flatMap(n => Array.from({ length: 16 }, (_, power) => n * 10 ** power)).sort((a, b) => a - b);
  const chart = ({ key, label, unit }) => {
    const layers = ["dot", "line", "circle", "diamond"];
    const curves = curves_of(key).sort((a, b) => layers.indexOf(a.shape) - layers.indexOf(b.shape));
    if (!curves.length) return null;
    const palette = isDark() ? DARK : LIGHT;
    const [ink, line, card] = [colour("--ink"), colour("--line"), colour("--card")];
    const has_log = curves.every(curve => curve.ys.every(y => y > 0));
    const is_log = view.scale === "logarithmic" && has_log;
    curves.forEach(curve => { curve.at = new Map(curve.xs.map((x, i) => [x, i])); });
    const joined = uPlot.join(curves.map(curve => [curve.xs, curve.ys]));
    const figure = document.createElement("figure");
    figure.innerHTML = `<figcaption></figcaption><div class="plot"></div><ul class="legend"></ul><p class="note"></p>`;
    figure.querySelector("figcaption").textContent = label;
    element("curves").append(figure);
    const holder = figure.querySelector(".plot"), legend = figure.querySelector(".legend"), note = figure.querySelector(".note");
    if (view.scale === "logarithmic" && !has_log) note.textContent = "linear: some values are not positive";
    const size = () => ({ width: Math.max(220, holder.clientWidth), height: 300 });
    const entries = curves.map((curve, index) => {
      const stroke = palette[curve.run % palette.length];
      const item = document.createElement("li");
      item.innerHTML = `<button type="button">${symbol(curve.shape, stroke)}<span class="name"></span><span class="value"></span></button>`;
      item.querySelector(".name").textContent = curve.label;
      const button = item.querySelector("button");
      const id = `${key}/${curve.label}`;
      button.setAttribute("aria-pressed", String(!view.hidden.has(id)));
      button.onclick = () => {
        const shows = view.hidden.delete(id);
        if (!shows) view.hidden.add(id);
        button.setAttribute("aria-pressed", String(shows));
        plot.setSeries(index + 1, { show: shows });
      };
      return { item, run: curve.run };
    });
    /* Drawn layer by layer, listed run by run. */
    [...entries].sort((a, b) => a.run - b.run).forEach(({ item }) => legend.append(item));
    const items = entries.map(({ item }) => item.querySelector(".value"));
    const told = x => items.forEach((item, index) => {
      const curve = curves[index];
      const i = x == null ? curve.xs.length - 1 : nearest(curve.xs, x);
      item.textContent = `${written(curve.ys[i])} at ${place(curve.xs[i])}`;
    });
    const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, font: "14px system-ui, sans-serif", labelFont: "14px system-ui, sans-serif" };
    const number = value => value == null ? "" : written(Number(value.toPrecision(8)));
    const plot = new uPlot({
      ...size(),
      legend: { show: false },
      cursor: {
        sync: { key: "all", setSeries: false },
        points: { show: false },
        drag: { x: true, y: false, setScale: false },
        bind: { dblclick: () => event => { event.preventDefault(); set_zoom(null); } },
      },
      scales: {
        x: { time: false, range: (u, min, max) => view.zoom || with_room(min, max) },
        y: { distr: is_log ? 3 : 1, log: 10 },
      },
      axes: [
        { ...axis, label: AXES[view.axis], labelSize: 24, space: 70, ...(view.axis === "step" ? { incrs: STEPS } : {}), values: (u, splits) => splits.map(view.axis === "time" ? duration : number) },
        { ...axis, label: unit, labelSize: unit ? 24 : 0, size: (u, values) => 16 + 8.5 * Math.max(3, ...(values || []).map(value => String(value || "").length)), values: (u, splits) => splits.map(number) },
      ],
      series: [{}, ...curves.map(curve => {
        const stroke = palette[curve.run % palette.length];
        const shared = { label: curve.label, show: !view.hidden.has(`${key}/${curve.label}`), spanGaps: true };
        if (curve.shape === "line") return { ...shared, stroke, width: 2.5, points: { show: false } };
        const paths = drawn(curve);
        /* Many dots are faint, so that what lies over them is seen. */
        const faint = stroke + (curve.xs.length > 200 ? "60" : "b0");
        if (curve.shape === "dot") return { ...shared, paths, width: 1, stroke: faint, fill: faint, points: { show: false } };
        const [edge, inside] = curve.shape === "diamond" ? [stroke, card] : [ink, stroke];
        return { ...shared, stroke, width: 1.5, points: { paths, width: curve.shape === "diamond" ? 2.5 : 1, stroke: edge, fill: inside, show: true } };
      })],
      hooks: {
        setCursor: [u => told(u.cursor.left >= 0 ? u.posToVal(u.cursor.left, "x") : null)],
        setSelect: [u => {
          if (u.select.width < 8) return;
          const range = [u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x")];
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          set_zoom(range);
        }],
      },
    }, joined, holder);
    told(null);
    by_touch(plot.over);
    new ResizeObserver(() => plot.setSize(size())).observe(holder);
    return { key, label, plot, curves };
  };

  /* A finger that moves sideways does what a mouse does. */
  const by_touch = over => {
    const as_mouse = (kind, touch) => over.dispatchEvent(new MouseEvent(kind, { clientX: touch.clientX, clientY: touch.clientY, bubbles: true }));
    over.addEventListener("touchstart", event => { as_mouse("mouseenter", event.touches[0]); as_mouse("mousemove", event.touches[0]); as_mouse("mousedown", event.touches[0]); }, { passive: true });
    over.addEventListener("touchmove", event => as_mouse("mousemove", event.touches[0]), { passive: true });
    over.addEventListener("touchend", event => as_mouse("mouseup", event.changedTouches[0]), { passive: true });
  };

  const draw = () => {
    charts.forEach(({ plot }) => plot.destroy());
    element("curves").replaceChildren();
    charts = data.charts.map(chart).filter(Boolean);
    element("unzoom").hidden = !view.zoom;
    const lacking = data.runs.filter(run => !horizontal(run)).map(run => run.name);
    element("lacking").textContent = lacking.length ? `Not shown by ${view.axis}, which was not recorded: ${lacking.join(", ")}` : "";
    window.report = { data, charts, view };
  };

  /* The pictures of each run, one at a time. */
  const show_pictures = () => {
    const section = element("pictures");
    data.runs.forEach((run, index) => {
      if (!run.pictures.length) return;
      let shown = pictures.get(index);
      if (!shown) {
        const figure = document.createElement("figure");
        figure.innerHTML = `<figcaption></figcaption><img alt=""><input type="range" min="0" step="1"><div class="note"></div>`;
        section.append(figure);
        shown = { figure, at: null };
        pictures.set(index, shown);
        figure.querySelector("input").oninput = event => {
          const n = data.runs[index].pictures.length;
          shown.at = Number(event.target.value) === n - 1 ? null : Number(event.target.value);
          update();
        };
      }
      const update = () => {
        const all = data.runs[index].pictures, at = shown.at ?? all.length - 1, picture = all[at];
        const [image, input] = [shown.figure.querySelector("img"), shown.figure.querySelector("input")];
        shown.figure.querySelector("figcaption").textContent = `${run.name}: ${picture.label}`;
        if (image.getAttribute("src") !== picture.src) image.src = picture.src;
        image.alt = `Data and samples of ${run.name}: ${picture.label}`;
        input.max = all.length - 1;
        input.value = at;
        input.setAttribute("aria-label", `Picture of ${run.name}`);
        input.hidden = all.length < 2;
        shown.figure.querySelector(".note").textContent = `picture ${at + 1} of ${all.length}${data.runs[index].left_out ? `; ${data.runs[index].left_out} others are left out` : ""}`;
      };
      update();
    });
    element("pictures-title").hidden = !data.runs.some(run => run.pictures.length);
  };

  const control = (id, name) => element(id).addEventListener("change", event => {
    view[name] = event.target.value;
    if (name === "axis") view.zoom = null;
    draw();
  });
  control("axis", "axis");
  control("scale", "scale");
  control("smoothing", "smoothing");
  element("unzoom").onclick = () => set_zoom(null);
  element("theme").onclick = () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    draw();
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  draw();
  show_pictures();

  if (data.is_served) {
    const told = text => { element("state").textContent = text; };
    let version = data.version;
    const follow = async () => {
      try {
        const response = await fetch(`data.json?version=${encodeURIComponent(version)}`, { cache: "no-store" });
        if (response.status === 200) {
          data = await response.json();
          version = data.version;
          for (const [id, html] of Object.entries(data.fragments)) element(id).innerHTML = html;
          draw();
          show_pictures();
        }
        told(data.runs.every(run => run.is_over) ? "The runs have ended." : `Following; looked at ${new Date().toLocaleTimeString()}.`);
      } catch {
        told("The program that serves this page does not answer.");
      }
      setTimeout(follow, 2000);
    };
    setTimeout(follow, 2000);
  }
})();

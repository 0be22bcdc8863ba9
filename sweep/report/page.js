"use strict";
(() => {
  const views = JSON.parse(document.getElementById("data").textContent);
  const picks = document.getElementById("picks");
  const plot = document.getElementById("plot");
  const reading = document.getElementById("reading");
  // Okabe and Ito's palette, and a shape each: the figures' own
  const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"];
  const SHAPES = ["M-6 0a6 6 0 1 0 12 0a6 6 0 1 0 -12 0", "M-5.5 -5.5h11v11h-11z", "M0 -7l6.5 12h-13z", "M0 -7.5l6 7.5l-6 7.5l-6 -7.5z", "M-7 -5h14l-7 12z"];
  const LEFT = 64, RIGHT = 14, TOP = 10, BOTTOM = 48;
  const NOTHING = "Point at a mark to read its value.";

  const rounded = (value, digits) => String(Number(value.toPrecision(digits))).replaceAll("-", "−");
  const text = (value) => rounded(value, 3);
  // a label of the grid is exact: 1024 configurations are not 1020
  const labelText = (value) => rounded(value, 6);
  const withUnit = (value, unit) => (unit ? `${value} ${unit}` : `${value}`);
  const draw = (name, attributes, ...children) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };

  function addPick(id, label, options) {
    const select = document.createElement("select");
    select.id = id;
    options.forEach((option, at) => select.append(new Option(option, at)));
    const labelled = document.createElement("label");
    labelled.htmlFor = id;
    labelled.append(label, select);
    picks.append(labelled);
    return select;
  }

  // what a reader picked stays picked when the view changes, wherever the new view has it
  const wanted = new Map();
  const viewPick = addPick("pick-view", "Show", views.map((view) => view.title));
  let slicePicks = [];

  function makeSlicePicks(view) {
    slicePicks.forEach((select) => select && select.parentElement.remove());
    slicePicks = view.dimensions.slice(0, -1).map((dimension, at) => {
      if (dimension.labels.length < 2) return null;
      const labels = dimension.labels.map((label) => withUnit(label, dimension.unit));
      const select = addPick(`pick-${at}`, dimension.name || "dislocation", labels);
      const before = labels.indexOf(wanted.get(dimension.name));
      select.value = before >= 0 ? before : at === 0 ? 0 : labels.length - 1;
      select.addEventListener("change", () => {
        wanted.set(dimension.name, labels[select.value]);
        show();
      });
      return select;
    });
  }

  function curvesOf(view) {
    const place = slicePicks.map((select) => (select ? Number(select.value) : 0));
    const names = view.dimensions.at(-1).labels;
    const base = view.dimensions.slice(0, -1).reduce((sum, one, at) => sum * one.labels.length + place[at], 0);
    return names.map((name, at) => {
      const start = (base * names.length + at) * view.points.length;
      const points = view.points.map((x, k) => ({ x, y: view.median[start + k], low: view.low[start + k], high: view.high[start + k] }));
      return { name, at, points: points.filter((point) => point.y !== null) };
    }).filter((curve) => curve.points.length);
  }

  // logarithmic where all is above zero, else the labels side by side
  function abscissa(view, width) {
    const logarithmic = view.points.every((x) => x > 0);
    const place = logarithmic ? Math.log : (x) => view.points.indexOf(x);
    const ends = [place(view.points[0]), place(view.points.at(-1))];
    const span = ends[1] - ends[0] || 1;
    return (x) => LEFT + 16 + ((place(x) - ends[0]) / span) * (width - LEFT - RIGHT - 32);
  }

  function ticksOf(low, high) {
    const ticks = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
      for (const digit of [1, 2, 5]) ticks.push(digit * 10 ** power);
    }
    const inside = ticks.filter((tick) => tick >= low * 0.999 && tick <= high * 1.001);
    return inside.length <= 8 ? inside : inside.filter((tick) => Math.abs(Math.log10(tick) - Math.round(Math.log10(tick))) < 1e-9);
  }

  let drawnWidth = 0;

  function show() {
    drawnWidth = plot.clientWidth;
    const view = views[viewPick.value];
    const curves = curvesOf(view);
    reading.textContent = NOTHING;
    plot.replaceChildren();
    if (!curves.length) {
      reading.textContent = "There is no value at this slice.";
      return;
    }
    const width = Math.max(320, Math.min(736, plot.clientWidth || 736)), height = 340;
    const all = curves.flatMap((curve) => curve.points.flatMap((point) => [point.y, point.low ?? point.y, point.high ?? point.y]));
    const low = Math.min(...all) / 1.15, high = Math.max(...all) * 1.15;
    const x = abscissa(view, width);
    const y = (value) => height - BOTTOM - ((Math.log(value) - Math.log(low)) / (Math.log(high) - Math.log(low))) * (height - TOP - BOTTOM);
    const legendHeight = 24 * curves.length;
    const title = `${view.title}: ${curves.length} ${curves.length === 1 ? "curve" : "curves"}`;
    const svg = draw("svg", { viewBox: `0 0 ${width} ${height + legendHeight}`, role: "group", "aria-label": title });
    drawAxes(svg, view, x, y, { low, high, width, height });
    const marks = [];
    curves.forEach((curve, row) => {
      drawCurve(svg, view, curve, x, y, marks);
      const line = height + 24 * row + 6;
      svg.append(
        draw("path", { d: SHAPES[curve.at % SHAPES.length], fill: COLOURS[curve.at % COLOURS.length], transform: `translate(${LEFT + 8} ${line})` }),
        draw("text", { x: LEFT + 24, y: line + 5 }, curve.name || "error"),
      );
    });
    walkable(marks);
    plot.append(svg);
  }

  function drawAxes(svg, view, x, y, { low, high, width, height }) {
    for (const tick of ticksOf(low, high)) {
      svg.append(
        draw("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(tick), y2: y(tick) }),
        draw("text", { x: LEFT - 8, y: y(tick) + 5, "text-anchor": "end" }, text(tick)),
      );
    }
    let last = -Infinity;
    for (const point of view.points) {
      if (x(point) - last < 34) continue;
      last = x(point);
      svg.append(draw("text", { x: last, y: height - BOTTOM + 20, "text-anchor": "middle" }, labelText(point)));
    }
    const across = withUnit(view.along, view.alongUnit && `(${view.alongUnit})`);
    const up = withUnit(view.error, view.unit && `(${view.unit})`);
    svg.append(
      draw("path", { class: "axis", d: `M${LEFT} ${TOP}V${height - BOTTOM}H${width - RIGHT}` }),
      draw("text", { x: (LEFT + width - RIGHT) / 2, y: height - BOTTOM + 40, "text-anchor": "middle" }, across),
      draw("text", { transform: `translate(14 ${(TOP + height - BOTTOM) / 2}) rotate(-90)`, "text-anchor": "middle" }, up),
    );
  }

  function drawCurve(svg, view, curve, x, y, marks) {
    const colour = COLOURS[curve.at % COLOURS.length];
    const path = curve.points.map((point, at) => `${at ? "L" : "M"}${x(point.x)} ${y(point.y)}`).join("");
    svg.append(draw("path", { d: path, fill: "none", stroke: colour, "stroke-width": 1.5 }));
    for (const point of curve.points) {
      if (point.low !== null) {
        svg.append(draw("path", { d: `M${x(point.x)} ${y(point.low)}V${y(point.high)}`, stroke: colour, "stroke-width": 1.5 }));
      }
      const interval = point.low === null ? "" : ` (${text(point.low)} to ${text(point.high)})`;
      const where = `${view.along} ${withUnit(labelText(point.x), view.alongUnit)}`;
      const said = `${[curve.name, where].filter(Boolean).join(", ")}: ${view.error} ${withUnit(text(point.y), view.unit)}${interval}`;
      const mark = draw("g", { class: "mark", tabindex: -1, role: "img", "aria-label": said, transform: `translate(${x(point.x)} ${y(point.y)})` });
      // a finger needs more than the mark itself
      mark.append(draw("circle", { r: 16, fill: "transparent" }), draw("circle", { class: "halo", r: 10, fill: "none" }), draw("path", { d: SHAPES[curve.at % SHAPES.length], fill: colour }));
      svg.append(mark);
      marks.push(mark);
    }
  }

  // one stop of the Tab key for the whole chart; arrows walk, as in a toolbar
  function walkable(marks) {
    const choose = (mark) => {
      marks.forEach((other) => other.classList.toggle("chosen", other === mark));
      marks.forEach((other) => other.setAttribute("tabindex", other === mark ? 0 : -1));
      reading.textContent = mark.getAttribute("aria-label");
    };
    const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
    marks.forEach((mark, at) => {
      mark.addEventListener("pointerenter", () => choose(mark));
      mark.addEventListener("click", () => mark.focus());
      mark.addEventListener("focus", () => choose(mark));
      mark.addEventListener("keydown", (event) => {
        const goal = event.key === "Home" ? 0 : event.key === "End" ? marks.length - 1 : at + (steps[event.key] || 0);
        if (goal === at || !marks[goal]) return;
        event.preventDefault();
        marks[goal].focus();
      });
    });
    marks[0].setAttribute("tabindex", 0);
  }

  document.documentElement.classList.add("script");
  picks.addEventListener("submit", (event) => event.preventDefault());
  viewPick.addEventListener("change", () => {
    makeSlicePicks(views[viewPick.value]);
    show();
  });
  // on phones the height changes whenever the address bar hides; drawing again would lose the chosen mark
  window.addEventListener("resize", () => {
    if (plot.clientWidth !== drawnWidth) show();
  });
  makeSlicePicks(views[0]);
  show();
})();

// Rows -> line charts as SVG, coloured by the style sheet. Arrow keys or a pointer read the values, a line tells them.

import { number } from "./format.js";
import { svg } from "./map.js";
import { element as html } from "./panels.js";

const HOLE_MS = 90000;
const MARGIN = { left: 46, right: 12, top: 10, bottom: 22 };
const GAP = 22;
const MINUTE = 60000;
const STEPS_MS = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 5760].map((minutes) => minutes * MINUTE);
const LABEL_PX = 76;
const TICK_PX = 34;
// Nothing is drawn below a metre, nor can a logarithm show that nothing was off.
const LEAST_KM = 0.001;

export function speedChart(element, fixes, windows, span) {
  const minutes = bySource(windows.filter((row) => !row.is_filling), "window_start");
  draw(element, {
    span,
    panels: [{
      share: 1,
      layers: [
        { kind: "dots", points: points(inOrder(fixes, "event_time"), "event_time", "velocity_km_s") },
        ...minutes.map((rows) => ({ kind: "line", points: broken(rows, "window_start", "ground_speed_km_s") })),
      ],
    }],
    readings: [
      ...fixes.map((row) => reading(row.event_time, `fix ${number(row.velocity_km_s, 3, "km/s")}`, row.velocity_km_s)),
      ...minutes.flat().map((row) => reading(row.window_start, `over the minute ${number(row.ground_speed_km_s, 3, "km/s")}`, row.ground_speed_km_s)),
    ],
  });
}

export function windowChart(element, windows, span) {
  const all = inOrder(windows, "window_start");
  const settled = bySource(all.filter((row) => !row.is_filling), "window_start");
  const bars = (rows) => rows.map((row) => [at(row.window_start), at(row.window_end), row.data_points]);
  draw(element, {
    span,
    panels: [
      {
        share: 3,
        layers: [
          ...settled.map((rows) => ({ kind: "band", points: broken(rows, "window_start", "min_velocity_km_s", "max_velocity_km_s") })),
          ...settled.map((rows) => ({ kind: "line", points: broken(rows, "window_start", "avg_velocity_km_s") })),
        ],
      },
      {
        share: 1, fromZero: true,
        layers: [
          { kind: "bars", points: bars(all.filter((row) => !row.is_filling)) },
          { kind: "bars filling", points: bars(all.filter((row) => row.is_filling)) },
        ],
      },
    ],
    readings: all.map((row) => reading(row.window_start, row.is_filling
      ? `still filling, ${row.data_points} fixes so far`
      : `mean ${number(row.avg_velocity_km_s, 3)}, ${number(row.min_velocity_km_s, 3)} to ${number(row.max_velocity_km_s, 3, "km/s")}, fixes: ${row.data_points}`,
    row.is_filling ? null : row.avg_velocity_km_s)),
  });
}

export function altitudeChart(element, orbits, burns, now) {
  const span = orbits.length ? [at(orbits[0].orbit_start), at(orbits.at(-1).orbit_start)] : [0, 1];
  const within = (time) => time > span[0] && time < span[1];
  draw(element, {
    span,
    panels: [{
      share: 1,
      layers: [
        { kind: "band", points: broken(orbits, "orbit_start", "lowest_km", "highest_km") },
        { kind: "line", points: broken(orbits, "orbit_start", "mean_km") },
      ],
    }],
    marks: [
      ...burns.map((burn) => ({ kind: "burn", time: at(burn.ignition_time), text: burn.delta_v_m_s === null ? "burn" : number(burn.delta_v_m_s, 2, "m/s") })),
      ...(within(now) ? [{ kind: "now", time: now, text: "now" }] : []),
    ],
    readings: orbits.map((row) => reading(row.orbit_start, `mean ${number(row.mean_km, 2)}, ${number(row.lowest_km, 2)} to ${number(row.highest_km, 2, "km")}`, row.mean_km)),
  });
}

// The axis is lead, in milliseconds as the other charts' time is; a range of leads is drawn at its middle.
export function errorChart(element, rows) {
  const middle = (row) => 500 * (row.lead_from_s + row.lead_to_s);
  const [alike, burnt] = [false, true].map((isBurnt) => rows.filter((row) => row.burn_between === isBurnt));
  const words = (row) => `${number(row.lead_from_s / 86400)} to ${number(row.lead_to_s / 86400)} days${row.burn_between ? ", a burn between" : ""}: `
    + `half within ${number(row.p50_km, 2, "km")}, nine in ten within ${number(row.p90_km, 2, "km")}, ${number(row.n)} pairs`;
  draw(element, {
    span: [0, Math.max(...rows.map((row) => 1000 * row.lead_to_s))],
    nameOf: (time) => `${number(time / (1440 * MINUTE))} d`,
    panels: [{
      share: 1, logarithmic: true,
      layers: [
        { kind: "band", points: alike.map((row) => [middle(row), row.p50_km, row.p90_km]) },
        { kind: "line", points: alike.map((row) => [middle(row), row.p50_km]) },
        { kind: "line burnt", points: burnt.map((row) => [middle(row), row.p50_km]) },
      ],
    }],
    readings: [...alike, ...burnt].map((row) => ({ time: middle(row), text: words(row), value: row.p50_km })),
  });
}

const at = (text) => Date.parse(text);
const reading = (time, text, value) => ({ time: at(time), text: `${time.slice(0, 19).replace("T", " ")} UTC: ${text}`, value });
const inOrder = (rows, time) => [...rows].sort((a, b) => (a[time] < b[time] ? -1 : 1));
const points = (rows, time, ...values) => rows
  .filter((row) => values.every((value) => row[value] !== null))
  .map((row) => [at(row[time]), ...values.map((value) => row[value])]);

// Two feeds are two lines: one through both would jump between them.
function bySource(rows, time) {
  const found = new Map();
  for (const row of inOrder(rows, time)) found.set(row.source, [...(found.get(row.source) ?? []), row]);
  return [...found.values()];
}

// The points, with a null where time was not seen: a line must not bridge minutes without a fix.
function broken(rows, time, ...values) {
  const usual = rows.length > 1 ? at(rows[1][time]) - at(rows[0][time]) : 0;
  const longest = Math.max(HOLE_MS, 2 * Math.min(usual, 100 * MINUTE));
  const made = [];
  let before = null;
  for (const row of rows) {
    const isHole = values.some((value) => row[value] === null);
    if (isHole || (before !== null && at(row[time]) - before > longest)) made.push(null);
    if (!isHole) made.push([at(row[time]), ...values.map((value) => row[value])]);
    before = at(row[time]);
  }
  return made;
}

const drawn = new WeakMap();
const observer = new ResizeObserver((entries) => entries.forEach(({ target }) => drawn.has(target) && render(target)));

function draw(element, spec) {
  spec.readings.sort((a, b) => a.time - b.time);
  element.hidden = !spec.readings.length;
  element.nextElementSibling.hidden = element.hidden;
  if (element.hidden) return;
  if (!drawn.has(element)) prepare(element);
  drawn.set(element, { ...spec, cursor: drawn.get(element)?.cursor ?? null });
  render(element);
}

function prepare(element) {
  element.append(svg("svg", { "aria-hidden": "true" }), html("p", { class: "reading" }));
  element.tabIndex = 0;
  element.setAttribute("role", "slider");
  element.setAttribute("aria-orientation", "horizontal");
  element.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -Infinity, End: Infinity }[event.key];
    if (event.key === "Escape") choose(element, null);
    if (step === undefined) return;
    event.preventDefault();
    const { readings } = drawn.get(element);
    const place = placeOf(element) ?? (step < 0 ? readings.length : -1);
    choose(element, readings[Math.min(readings.length - 1, Math.max(0, place + step))].time);
  });
  const follow = (event) => {
    const { scale, readings } = drawn.get(element);
    const time = scale.timeAt(event.clientX - element.firstChild.getBoundingClientRect().left);
    choose(element, readings[nearest(readings, time)].time);
  };
  element.addEventListener("pointermove", follow);
  element.addEventListener("pointerdown", follow);
  element.addEventListener("pointerleave", () => document.activeElement !== element && choose(element, null));
  element.addEventListener("blur", () => choose(element, null));
  observer.observe(element);
}

function choose(element, time) {
  drawn.get(element).cursor = time;
  showReading(element);
}

// Where the cursor stands among the readings; rows that came meanwhile do not move it.
function placeOf(element) {
  const { readings, cursor } = drawn.get(element);
  return cursor === null ? null : nearest(readings, cursor);
}

function nearest(readings, time) {
  let [low, high] = [0, readings.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (readings[middle].time < time) low = middle + 1;
    else high = middle;
  }
  return low && time - readings[low - 1].time < readings[low].time - time ? low - 1 : low;
}

function showReading(element) {
  const { readings, scale } = drawn.get(element);
  const place = placeOf(element);
  const shown = readings[place ?? readings.length - 1];
  element.setAttribute("aria-valuemin", 0);
  element.setAttribute("aria-valuemax", readings.length - 1);
  element.setAttribute("aria-valuenow", place ?? readings.length - 1);
  element.setAttribute("aria-valuetext", shown.text);
  element.lastChild.textContent = place === null ? "" : shown.text;
  const cursor = element.querySelector(".cursor");
  cursor.setAttribute("visibility", place === null ? "hidden" : "visible");
  if (place === null) return;
  const x = scale.x(shown.time);
  cursor.firstChild.setAttribute("d", `M${x} ${MARGIN.top}V${scale.bottom}`);
  cursor.lastChild.setAttribute("visibility", shown.value === null ? "hidden" : "inherit");
  if (shown.value === null) return;
  cursor.lastChild.setAttribute("cx", x);
  cursor.lastChild.setAttribute("cy", scale.y(shown.value));
}

function render(element) {
  const spec = drawn.get(element);
  const width = element.clientWidth;
  const height = Number.parseFloat(getComputedStyle(element).getPropertyValue("--height")) * 16;
  if (!width) return;
  const [first, last] = spec.span;
  const inner = width - MARGIN.left - MARGIN.right;
  const x = (time) => MARGIN.left + (inner * (time - first)) / (last - first || 1);
  const scale = { x, bottom: height - MARGIN.bottom, timeAt: (px) => first + ((px - MARGIN.left) / inner) * (last - first) };
  const top = MARGIN.top + (spec.marks?.length ? 12 : 0);
  const shares = spec.panels.reduce((sum, panel) => sum + panel.share, 0);
  const room = scale.bottom - top - GAP * (spec.panels.length - 1);
  const picture = element.firstChild;
  picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
  picture.setAttribute("width", width);
  picture.setAttribute("height", height);
  picture.replaceChildren();
  let from = top;
  for (const panel of spec.panels) {
    const to = from + (room * panel.share) / shares;
    const y = drawPanel(picture, panel, { x, first, last, from, to, right: width - MARGIN.right });
    scale.y ??= y;
    from = to + GAP;
  }
  timeAxis(picture, scale, first, last, inner, spec.nameOf ?? nameOfTime);
  const texts = { lastEnd: -Infinity };
  for (const mark of [...(spec.marks ?? [])].sort((a, b) => a.time - b.time)) drawMark(picture, mark, scale, top, width, texts);
  const cursor = svg("g", { class: "cursor" });
  cursor.append(svg("path", {}), svg("circle", { r: 4 }));
  picture.append(cursor);
  spec.scale = scale;
  showReading(element);
}

function drawPanel(picture, panel, { x, first, last, from, to, right }) {
  const inside = ([time]) => time >= first && time <= last;
  const values = panel.layers.flatMap(({ kind, points: all }) => all.filter((point) => point && inside(point))
    .flatMap((point) => (kind.startsWith("bars") ? point[2] : point.slice(1))));
  if (!values.length) return () => to;
  const [low, high] = [panel.fromZero ? 0 : smallest(values), -smallest(values.map((value) => -value))];
  const { of, ticks, digits } = (panel.logarithmic ? logarithmicScale : evenScale)(low, high, Math.max(1, Math.floor((to - from) / TICK_PX)));
  const [bottom, top] = [of(ticks[0]), of(ticks.at(-1))];
  const y = (value) => to - ((to - from) * (of(value) - bottom)) / (top - bottom);
  for (const value of ticks) {
    picture.append(
      svg("path", { class: "rule", d: `M${MARGIN.left} ${y(value)}H${right}` }),
      label(MARGIN.left - 6, y(value) + 4, number(value, digits(value)), "end"),
    );
  }
  for (const { kind, points: all } of panel.layers) {
    picture.append(svg("path", { class: kind, d: SHAPES[kind.split(" ")[0]](all.filter((point) => !point || inside(point)), x, y, to) }));
  }
  return y;
}

const SHAPES = {
  dots: (all, x, y) => all.map(([time, value]) => `M${x(time).toFixed(1)} ${y(value).toFixed(1)}h0`).join(""),
  line: (all, x, y) => runs(all).map((run) => `M${run.map(([time, value]) => `${x(time).toFixed(1)} ${y(value).toFixed(1)}`).join("L")}${run.length === 1 ? "h.1" : ""}`).join(""),
  band: (all, x, y) => runs(all).map((run) => {
    const side = (rows, nth) => rows.map((row) => `${x(row[0]).toFixed(1)} ${y(row[nth]).toFixed(1)}`).join("L");
    return `M${side(run, 1)}L${side([...run].reverse(), 2)}z`;
  }).join(""),
  bars: (all, x, y, base) => all.map(([begin, end, value]) => `M${x(begin).toFixed(1)} ${base}V${y(value).toFixed(1)}H${x(end).toFixed(1)}V${base}z`).join(""),
};

function runs(all) {
  const made = [[]];
  for (const point of all) {
    if (point) made.at(-1).push(point);
    else if (made.at(-1).length) made.push([]);
  }
  return made.filter((run) => run.length);
}

function timeAxis(picture, scale, first, last, inner, nameOf) {
  const step = STEPS_MS.find((each) => ((last - first) / each) * LABEL_PX <= inner) ?? STEPS_MS.at(-1);
  for (let time = Math.ceil(first / step) * step; time <= last; time += step) {
    picture.append(svg("path", { class: "rule", d: `M${scale.x(time)} ${scale.bottom}v4` }));
    const isLast = scale.x(time) + LABEL_PX / 4 > MARGIN.left + inner + MARGIN.right;
    picture.append(label(isLast ? MARGIN.left + inner + MARGIN.right : scale.x(time), scale.bottom + 17, nameOf(time, step), isLast ? "end" : "middle"));
  }
}

function nameOfTime(time, step) {
  const text = new Date(time).toISOString();
  const isDay = step >= 1440 * MINUTE || text.slice(11, 16) === "00:00";
  return isDay ? `${text.slice(8, 10)} ${MONTHS[Number(text.slice(5, 7)) - 1]}` : text.slice(11, 16);
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

function drawMark(picture, { kind, time, text }, scale, top, width, texts) {
  const x = scale.x(time);
  picture.append(svg("path", { class: `mark ${kind}`, d: `M${x} ${top}V${scale.bottom}` }));
  const size = text.length * 6.5;
  const middle = Math.min(width - MARGIN.right - size / 2, Math.max(MARGIN.left + size / 2, x));
  if (middle - size / 2 < texts.lastEnd) return;
  texts.lastEnd = middle + size / 2 + 6;
  picture.append(label(middle, top - 4, text, "middle", `mark-label ${kind}`));
}

function label(x, y, text, anchor, kind = "label") {
  const made = svg("text", { class: kind, x, y, "text-anchor": anchor });
  made.textContent = text;
  return made;
}

// How values become heights, and which of them are named.
function evenScale(low, high, most) {
  const step = niceStep((high - low || Math.abs(high) || 1) / most);
  const bottom = Math.floor(low / step) * step;
  const count = Math.max(Math.ceil(high / step) - Math.floor(low / step), 1);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return { of: (value) => value, ticks: Array.from({ length: count + 1 }, (_, nth) => bottom + nth * step), digits: () => digits };
}

function logarithmicScale(low, high) {
  const [least, most] = [Math.floor(Math.log10(Math.max(low, LEAST_KM))), Math.ceil(Math.log10(Math.max(high, LEAST_KM)))];
  const count = Math.max(most - least, 1);
  return { of: (value) => Math.log10(Math.max(value, LEAST_KM)), ticks: Array.from({ length: count + 1 }, (_, nth) => 10 ** (least + nth)), digits: (value) => Math.max(0, -Math.round(Math.log10(value))) };
}

const smallest = (values) => values.reduce((least, value) => Math.min(least, value), Infinity);

function niceStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough * 0.999);
}

// The way of a pass through the sky, as one lies on one's back with the head to the north: north up, east left.

import { svg } from "./map.js";

const RADIUS = 100;
const LABEL_OFF = 13;
const LOW = 60;
const RINGS_DEG = [0, 30, 60];
const QUARTERS = [["N", 0, -1], ["E", -1, 0], ["S", 0, 1], ["W", 1, 0]];
const POINTS = ["N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW"];
const LETTERS = { N: "north", E: "east", S: "south", W: "west" };

export const point = (azimuth) => POINTS[Math.round(azimuth / 22.5) % POINTS.length];

// "WSW" in full: west-southwest.
export function pointInWords(azimuth) {
  const [first, ...rest] = [...point(azimuth)].map((letter) => LETTERS[letter]);
  return rest.length ? `${first}${rest.length > 1 ? "-" : ""}${rest.join("")}` : first;
}

export function skyChart(root) {
  const draw = (name, attributes, text) => {
    const made = root.appendChild(svg(name, attributes));
    if (text) made.textContent = text;
    return made;
  };
  root.setAttribute("viewBox", "-124 -120 248 240");
  for (const elevation of RINGS_DEG) {
    draw("circle", { class: elevation ? "ring" : "ring horizon", r: radius(elevation) });
    if (elevation) draw("text", { class: "ring-name", x: 3, y: radius(elevation) - 3 }, `${elevation}°`);
  }
  draw("path", { class: "ring", d: `M0 ${-RADIUS}V${RADIUS}M${-RADIUS} 0H${RADIUS}` });
  for (const [name, x, y] of QUARTERS) draw("text", { class: "quarter", x: 111 * x, y: 109 * y + 4 }, name);
  const hidden = draw("circle", { class: "hidden-below" });
  const way = draw("path", { class: "way" });
  const seen = draw("path", { class: "way seen" });
  const arrow = draw("path", { class: "arrow" });
  const marks = draw("g", {});
  const here = draw("circle", { class: "here", r: 5, visibility: "hidden" });

  return {
    show(points, moments, horizon) {
      hidden.setAttribute("r", radius(horizon));
      way.setAttribute("d", line(points));
      seen.setAttribute("d", line(points, (row) => row.is_visible));
      arrow.setAttribute("d", head(points));
      marks.replaceChildren(...points.length ? labels(...moments.map(({ time, text }) => ({ text, at: place(nearest(points, time)) }))) : []);
    },
    at(points, time) {
      const row = between(points, time);
      here.setAttribute("visibility", row ? "visible" : "hidden");
      if (!row) return;
      here.setAttribute("cx", row[0]);
      here.setAttribute("cy", row[1]);
    },
  };
}

const radius = (elevation) => (RADIUS * (90 - elevation)) / 90;

function place({ azimuth_deg: azimuth, elevation_deg: elevation }) {
  const angle = (azimuth * Math.PI) / 180;
  return [-radius(elevation) * Math.sin(angle), -radius(elevation) * Math.cos(angle)];
}

const pair = ([x, y]) => `${x.toFixed(2)} ${y.toFixed(2)}`;

// Through the points that are wanted; it breaks where one is not.
function line(points, wanted = () => true) {
  let d = "";
  let isOpen = false;
  for (const row of points) {
    if (wanted(row)) d += `${isOpen ? "L" : "M"}${pair(place(row))}`;
    isOpen = wanted(row);
  }
  return d;
}

// An arrowhead late on the way, for which way it goes.
function head(points) {
  if (points.length < 3) return "";
  const at = Math.floor(points.length * 0.75);
  const [[x0, y0], [x, y]] = [place(points[at - 1]), place(points[at])];
  const length = Math.hypot(x - x0, y - y0) || 1;
  const [u, v] = [(x - x0) / length, (y - y0) / length];
  return `M${pair([x - 7 * u - 4 * v, y - 7 * v + 4 * u])}L${pair([x, y])}L${pair([x - 7 * u + 4 * v, y - 7 * v - 4 * u])}`;
}

const nearest = (points, time) => points.reduce((best, row) => (Math.abs(Date.parse(row.time) - time) < Math.abs(Date.parse(best.time) - time) ? row : best));

// Labels keep off the way: those of the ends stand along the edge, away from the highest point; that of the highest
// point stands beyond it, or, where that is low, on the side of the middle.
function labels(rise, highest, set) {
  const [x, y] = highest.at;
  const far = Math.hypot(x, y) || 1;
  const beyond = far > LOW ? -LABEL_OFF : LABEL_OFF;
  return [
    ...[rise, set].flatMap(({ text, at: [u, v] }) => {
      const length = Math.hypot(u, v) || 1;
      const side = -v * (x - u) + u * (y - v) > 0 ? -LABEL_OFF : LABEL_OFF;
      return label(text, [u, v], [u - (side * v) / length, v + (side * u) / length], u > 20 ? "end" : u < -20 ? "start" : "middle");
    }),
    ...label(highest.text, [x, y], [x + (beyond * x) / far, y + (beyond * y) / far], "middle"),
  ];
}

function label(words, [x, y], [u, v], anchor) {
  const text = svg("text", { class: "moment", x: u, y: v + 3, "text-anchor": anchor });
  text.textContent = words;
  return [svg("circle", { class: "dot", cx: x, cy: y, r: 2.6 }), text];
}

function between(points, time) {
  const after = points.findIndex((row) => Date.parse(row.time) > time);
  if (after < 1) return null;
  const [a, b] = [points[after - 1], points[after]];
  const part = (time - Date.parse(a.time)) / (Date.parse(b.time) - Date.parse(a.time));
  const [from, to] = [place(a), place(b)];
  return [from[0] + part * (to[0] - from[0]), from[1] + part * (to[1] - from[1])];
}

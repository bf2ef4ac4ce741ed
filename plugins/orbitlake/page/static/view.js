// What part of the map is seen, and at what time: buttons, keys, a pointer or two fingers move and zoom, a slider scrubs.

import { place } from "./format.js";
import { along } from "./map.js";
import { byId } from "./panels.js";

const WORLD = { width: 360, height: 180 };
const MOST_ZOOM = 32;
const ZOOM_STEP = 1.6;
const MOVE_SHARE = 0.25;
const MINUTE = 60000;
const SEEN_MS = 90000;
const PAST_MINUTES = -93;
const NEXT_MINUTES = 186;
const DAY_MINUTES = 1439;

export function movable(svg, box) {
  const view = { x: 0, y: 0, zoom: 1 };
  const fingers = new Map();

  function show() {
    const [width, height] = [WORLD.width / view.zoom, WORLD.height / view.zoom];
    view.x = clamp(view.x, (WORLD.width - width) / 2);
    view.y = clamp(view.y, (WORLD.height - height) / 2);
    svg.setAttribute("viewBox", `${view.x - width / 2} ${view.y - height / 2} ${width} ${height}`);
    svg.style.setProperty("--zoom", view.zoom);
    box.classList.toggle("zoomed", view.zoom > 1);
    byId("zoom-in").disabled = view.zoom >= MOST_ZOOM;
    for (const id of ["zoom-out", "whole", "west", "east", "north", "south"]) byId(id).disabled = view.zoom <= 1;
  }

  // The place of the map below a point of the screen, in degrees of the drawing.
  function under({ clientX, clientY }) {
    const frame = svg.getBoundingClientRect();
    return {
      x: view.x + ((clientX - frame.left) / frame.width - 0.5) * (WORLD.width / view.zoom),
      y: view.y + ((clientY - frame.top) / frame.height - 0.5) * (WORLD.height / view.zoom),
    };
  }

  function zoom(factor, about = view) {
    const before = view.zoom;
    view.zoom = Math.min(MOST_ZOOM, Math.max(1, view.zoom * factor));
    const part = before / view.zoom;
    view.x = about.x + (view.x - about.x) * part;
    view.y = about.y + (view.y - about.y) * part;
    show();
  }

  function move(east, south) {
    view.x += (east * MOVE_SHARE * WORLD.width) / view.zoom;
    view.y += (south * MOVE_SHARE * WORLD.height) / view.zoom;
    show();
  }

  function whole() {
    Object.assign(view, { x: 0, y: 0, zoom: 1 });
    show();
  }

  const acts = {
    "zoom-in": () => zoom(ZOOM_STEP), "zoom-out": () => zoom(1 / ZOOM_STEP), whole,
    west: () => move(-1, 0), east: () => move(1, 0), north: () => move(0, -1), south: () => move(0, 1),
  };
  const keys = {
    "+": "zoom-in", "=": "zoom-in", "-": "zoom-out", 0: "whole",
    ArrowLeft: "west", ArrowRight: "east", ArrowUp: "north", ArrowDown: "south",
  };
  for (const [id, act] of Object.entries(acts)) byId(id).addEventListener("click", act);
  box.addEventListener("keydown", (event) => {
    const name = event.ctrlKey || event.metaKey || event.altKey ? undefined : keys[event.key];
    if (!name) return;
    event.preventDefault();
    acts[name]();
  });
  // Without Ctrl the wheel scrolls the page, as everywhere.
  box.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoom(event.deltaY < 0 ? ZOOM_STEP : 1 / ZOOM_STEP, under(event));
  }, { passive: false });
  svg.addEventListener("dblclick", (event) => zoom(ZOOM_STEP, under(event)));
  svg.addEventListener("pointerdown", (event) => {
    if (view.zoom > 1 || fingers.size) svg.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, event);
  });
  svg.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const other = [...fingers.values()].find((finger) => finger.pointerId !== event.pointerId);
    if (other) {
      const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) || 1;
      zoom(apart(event) / apart(before), under(other));
    } else {
      const [from, to] = [under(before), under(event)];
      view.x += from.x - to.x;
      view.y += from.y - to.y;
      show();
    }
    fingers.set(event.pointerId, event);
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) svg.addEventListener(end, (event) => fingers.delete(event.pointerId));
  show();
}

const clamp = (value, most) => Math.min(most, Math.max(-most, value));

// The time that the map shows: minutes from now along the ephemeris, or a minute of a day that was chosen.
export function scrubber(map, { now, track, changed }) {
  const slider = byId("scrub");
  let day = null;

  const isLive = () => day === null && Number(slider.value) === 0;
  const shownTime = () => (day ? Date.parse(`${day.date}T00:00Z`) : now()) + Number(slider.value) * MINUTE;

  function show() {
    const time = shownTime();
    map.night(time);
    map.day(day ? day.rows : []);
    map.track(day ? [] : track(), time);
    const point = day ? lastSeen(day.rows, time) : along(track(), time);
    map.expected(point);
    const text = `${new Date(time).toISOString().slice(0, 16).replace("T", " ")} UTC`;
    const where = point ? place(point, 1) : day ? "no fix in this minute" : "no ephemeris for it";
    byId("scrub-time").textContent = isLive() ? "now" : `${text}: ${where}`;
    slider.setAttribute("aria-valuetext", isLive() ? "now" : `${text}, ${where}`);
    byId("scrub-now").disabled = isLive();
  }

  function by(minutes) {
    slider.value = Number(slider.value) + minutes;
    show();
    changed();
  }

  slider.addEventListener("input", () => { show(); changed(); });
  byId("earlier").addEventListener("click", () => by(-10));
  byId("later").addEventListener("click", () => by(10));
  byId("scrub-now").addEventListener("click", () => {
    byId("track-day").value = "";
    choose(null);
    changed();
  });

  function choose(chosen) {
    day = chosen;
    [slider.min, slider.max] = day ? [0, DAY_MINUTES] : [PAST_MINUTES, NEXT_MINUTES];
    slider.value = day?.rows.length ? Math.floor((Date.parse(day.rows.at(-1).event_time) / MINUTE) % 1440) : 0;
    show();
  }

  return { show, choose, isLive, dayShown: () => day?.date ?? null };
}

function lastSeen(rows, time) {
  const seen = rows.findLast((row) => Date.parse(row.event_time) < time + MINUTE);
  return seen && time - Date.parse(seen.event_time) < SEEN_MS ? seen : null;
}

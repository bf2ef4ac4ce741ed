// Rows -> words, lists and tables. Every number names the column it shows, so that it can be checked against its query.

import { NONE, counted, duration, minute, number, percent, place, second, signed, timeOfDay } from "./format.js";

const PHASE = { ASCENDING: "↗ Ascending", DESCENDING: "↘ Descending", UNKNOWN: "Unknown" };
const DAY_MS = 86400000;
const COMMAND = 'PYTHONPATH=plugins python -c "import sys; from orbitlake.query import connect; connect().sql(sys.stdin.read()).show(max_rows=10000)"';

export const byId = (id) => document.getElementById(id);

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export function note(id, text) {
  byId(id).textContent = text;
  byId(id).hidden = !text;
}

// The query of a panel and where to run it; `call` is the Python that makes of its rows what the panel draws.
export function query(answer, sql, call) {
  const details = document.querySelector(`.query[data-answer="${answer}"]`);
  if (!details.firstChild) {
    details.append(
      element("summary", {}, details.dataset.name ?? "Query"),
      element("pre", { tabindex: "0", "aria-label": "SQL" }, element("code")),
      copying("Copy the query", () => details.querySelector("code").textContent),
      element("p", {}, "To run it: in Python ", element("kbd", {}, "orbitlake.query.connect().sql(…)"), "; in a shell in the checkout this command, then paste the query, then Ctrl-D:"),
      element("pre", { tabindex: "0", "aria-label": "Command" }, COMMAND),
      copying("Copy the command", () => COMMAND),
    );
    if (call) {
      details.append(
        element("p", {}, `${details.dataset.call ?? "The query gives the states of the ephemeris. The page interpolates between them, a point each 30 s, by this call"} (`,
          element("kbd", {}, "PYTHONPATH=plugins python"), "):"),
        element("pre", { class: "call", tabindex: "0", "aria-label": "Python" }),
        copying("Copy the call", () => details.querySelector(".call").textContent),
      );
    }
  }
  // An open query stays as it is while someone reads or copies it.
  if (details.open) return;
  details.querySelector("code").textContent = sql;
  if (call) details.querySelector(".call").textContent = call;
}

function copying(name, text) {
  const copy = element("button", { type: "button" }, name);
  // Browsers give a clipboard to safe origins only: over plain HTTP the text can still be selected.
  copy.hidden = !navigator.clipboard;
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text());
    copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = name; }, 2000);
  });
  return copy;
}

export function latestFix(row) {
  note("fix-note", row ? "" : "No fix has been published yet: the stream fills this page as soon as it runs.");
  byId("place").textContent = row ? place(row).replace(/° /g, "°\u00a0") : NONE;
  list("fix", row ? [
    ["Speed over ground", number(row.velocity_km_s, 3, "km/s"), "velocity_km_s"],
    ["Phase", PHASE[row.orbit_phase] ?? row.orbit_phase, "orbit_phase"],
    ["Hemisphere", `${row.hemisphere_ns} · ${row.hemisphere_ew}`, "hemisphere_ns"],
    ["Distance to Paris", number(row.distance_to_paris_km, 0, "km"), "distance_to_paris_km"],
    ...(row.altitude_km === null ? [] : [["Altitude", number(row.altitude_km, 1, "km"), "altitude_km"]]),
    ["Time of the fix", second(row.event_time), "event_time"],
    ["Received", second(row.fetch_time), "fetch_time"],
    ["Source", row.source, "source"],
  ] : []);
}

export function expectedAltitude(point) {
  byId("fix").querySelector("[data-column=expected_altitude_km]")?.parentElement.remove();
  if (!point || !byId("fix").children.length) return;
  const entry = fact(["Altitude by ephemeris", number(point.altitude_km, 1, "km"), "expected_altitude_km"]);
  byId("fix").children[3].after(entry);
}

export function issueFacts(row) {
  list("facts", row ? [
    ["Object", `${row.object_name} ${row.object_id}`, "object_id"],
    ["Created", second(row.creation_date), "creation_date"],
    ["Age", duration(row.age_s), "age_s"],
    ["From", minute(row.useable_start_time ?? row.start_time), row.useable_start_time ? "useable_start_time" : "start_time"],
    ["Until", minute(row.useable_stop_time ?? row.stop_time), row.useable_stop_time ? "useable_stop_time" : "stop_time"],
    ["Originator", row.originator, "originator"],
    ["Format", `OEM ${row.oem_version}, ${row.file_format}`, "file_format"],
    ["Frame", `${row.ref_frame}, ${row.center_name}, ${row.time_system}`, "ref_frame"],
    ["States", number(row.state_count), "state_count"],
    ["Mass", number(row.mass_kg, 0, "kg"), "mass_kg"],
    ["Drag area, coefficient", `${number(row.drag_area_m2, 1, "m²")}, ${number(row.drag_coefficient, 2)}`, "drag_area_m2"],
    ["Orbits", row.first_node_orbit === null ? NONE : `${number(row.first_node_orbit)} to ${number(row.last_node_orbit)}`, "first_node_orbit"],
    ["SHA-256", `${row.content_sha256.slice(0, 12)}…`, "content_sha256"],
  ] : []);
}

export function burnTable(rows) {
  table("burns", [
    { head: "Ignition", cell: (row) => second(row.ignition_time), column: "ignition_time" },
    { head: "Event", cell: (row) => row.event_names.join(", ") || NONE, column: "event_names", text: true },
    { head: "Duration", cell: (row) => duration(row.duration_s), column: "duration_s" },
    { head: "Δv", cell: (row) => number(row.delta_v_m_s, 2, "m/s"), column: "delta_v_m_s" },
    { head: "planned", label: "Planned Δv", cell: (row) => number(row.event_delta_v_m_s, 1, "m/s"), column: "event_delta_v_m_s" },
    { head: "Mean altitude before", cell: (row) => number(row.mean_altitude_before_km, 2, "km"), column: "mean_altitude_before_km" },
    { head: "after", label: "Mean altitude after", cell: (row) => number(row.mean_altitude_after_km, 2, "km"), column: "mean_altitude_after_km" },
    { head: "Change", cell: (row) => signed(row.rise_km, 2, "km"), column: "rise_km" },
  ], rows, "No burn in this issue.");
}

export function ledgerTable(rows) {
  table("ledger", [
    { head: "Told", cell: (row) => minute(row.creation_date), column: "creation_date" },
    { head: "Status", cell: (row) => element("span", { class: `status ${row.status.toLowerCase()}` }, row.status), column: "status" },
    { head: "Ignition", cell: ignition, column: "ignition_time" },
    { head: "moved", label: "Ignition moved", cell: (row) => moved(row.ignition_shift_s), column: "ignition_shift_s" },
    { head: "Δv", cell: (row) => number(row.delta_v_m_s, 2, "m/s"), column: "delta_v_m_s" },
    { head: "changed", label: "Δv changed", cell: (row) => signed(row.delta_v_change_m_s, 2, "m/s"), column: "delta_v_change_m_s" },
    { head: "Event", cell: (row) => row.event_name ?? (row.told_by === "JUMP" ? "told by no plan" : NONE), column: "event_name", text: true },
  ], rows, "No issue has told of a burn yet.", (row, before) => (before && row.burn_id !== before.burn_id ? "apart" : ""));
}

// Of a burn between two issues that neither tells of, no more is known than after which and before which it was.
const ignition = (row) => (row.ignition_time ? second(row.ignition_time)
  : `${row.earliest_time.slice(0, 10)} to ${row.latest_time.slice(0, 10)}`);

const moved = (seconds) => (seconds === null ? NONE : `${seconds < 0 ? "−" : "+"}${duration(Math.abs(seconds))}`);

export function errorWords(rows) {
  if (!rows.length) return "";
  const pairs = Math.max(...rows.map((row) => row.n));
  const alike = rows.filter((row) => !row.burn_between);
  const last = alike.at(-1);
  const far = last ? ` Without a burn between, half of the predictions were within ${number(last.p50_km, 1, "km")} after ${number(last.lead_from_s / 86400)} to ${number(last.lead_to_s / 86400)} days.` : "";
  return `At most ${counted(pairs, "pair")} of issues a range of lead; the scale is logarithmic.${far}`;
}

export function gapWords(rows, days) {
  if (!rows.length) return `No gap of the feed in the last ${counted(days, "day")}.`;
  const [{ start_time: start, end_time: end, cause }] = rows;
  return `${counted(rows.length, "gap")} in the last ${counted(days, "day")}, the latest from ${second(start)} ${end ? `to ${second(end)}` : "on"}: ${cause}.`;
}

// Where in a day the feed was silent: a strip of 24 hours, told in words as well.
function strip(day, gaps, now) {
  const [begin, end] = [Date.parse(`${day}T00:00:00Z`), Date.parse(`${day}T00:00:00Z`) + DAY_MS];
  const share = (time) => (100 * (Math.min(Math.max(time, begin), end) - begin)) / DAY_MS;
  const mine = gaps.map((gap) => ({ ...gap, from: Date.parse(gap.start_time), to: gap.end_time ? Date.parse(gap.end_time) : now }))
    .filter(({ from, to }) => from < end && to > begin);
  const words = mine.map(({ start_time: start, end_time: stop, cause }) => `${timeOfDay(start)} to ${stop ? timeOfDay(stop) : "now"}: ${cause}`);
  return element("span", { class: "strip", role: "img", "aria-label": words.length ? `Gaps ${words.slice(0, 10).join("; ")}` : "No gap", title: words.slice(0, 10).join("\n") },
    ...mine.map(({ from, to, creation_date: issue }) => element("i", { class: issue ? "covered" : "", style: `left:${share(from)}%;width:${Math.max(0.4, share(to) - share(from))}%` })));
}

export function dayTable(rows, gaps, now) {
  table("days", [
    { head: "Day", cell: (row) => row.date, column: "date" },
    { head: "Completeness", cell: completeness, column: "completeness" },
    { head: "Gaps, 0 h to 24 h", cell: (row) => strip(row.date, gaps, now), column: "gaps" },
    { head: "Minutes", cell: (row) => number(row.minutes_seen), column: "minutes_seen" },
    { head: "Fixes", cell: (row) => number(row.fixes), column: "fixes" },
    { head: "Longest gap", cell: (row) => duration(row.longest_gap_s), column: "longest_gap_s" },
    { head: "Median delay", cell: (row) => number(row.median_delay_s, 1, "s"), column: "median_delay_s" },
    { head: "First fix", cell: (row) => timeOfDay(row.first_event_time), column: "first_event_time" },
    { head: "Last fix", cell: (row) => timeOfDay(row.last_event_time), column: "last_event_time" },
  ], rows, "No fix in the last 14 days.");
}

// What a verdict means, for a person who meets it first here.
const VERDICTS = {
  OK: "OK",
  STALE: "Stale, as old elements are",
  FROZEN: "Frozen: it stands still",
  OFFSET: "Off the track",
};

export function auditTable(rows) {
  table("audit", [
    { head: "Feed", cell: (row) => row.source, column: "source" },
    { head: "Verdict", cell: verdict, column: "verdict", text: true },
    { head: "Error", cell: (row) => number(row.error_km, 1, "km"), column: "error_km" },
    { head: "Along the track", cell: (row) => signed(row.along_track_km, 1, "km"), column: "along_track_km" },
    { head: "in time", label: "Along, in time", cell: (row) => signed(row.along_track_s, 1, "s"), column: "along_track_s" },
    { head: "Across", cell: (row) => signed(row.cross_track_km, 1, "km"), column: "cross_track_km" },
    { head: "Explained", cell: (row) => number(row.bound_km, 1, "km"), column: "bound_km" },
    { head: "Fix", cell: (row) => second(row.event_time), column: "event_time" },
  ], rows, "No fix has been compared yet: an issue must cover it, and watch_freshness looks each minute.");
}

function verdict(row) {
  return element("span", { class: "verdict", "data-verdict": row.verdict }, VERDICTS[row.verdict] ?? row.verdict);
}

export function spread(rows, column, digits, unit, [name, names], when) {
  const values = rows.map((row) => row[column]).filter((value) => value !== null);
  if (!values.length) return `No ${name} in ${when}.`;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return `${counted(values.length, name, names)} in ${when}: ${low.toFixed(digits)} to ${high.toFixed(digits)}, mean ${mean.toFixed(digits)} ${unit}.`;
}

export function mapWords(fix, here) {
  const seen = fix ? `Latest fix at ${place(fix, 1)}.` : "No fix.";
  return here ? `${seen} By the ephemeris now at ${place(here, 1)}, ${number(here.altitude_km, 0)} kilometres up.` : seen;
}

function completeness(row) {
  const bar = element("span", { class: "bar", "aria-hidden": "true" }, element("i", {
    style: `width:${row.completeness * 100}%`, ...(row.completeness < 0.95 ? { class: "low" } : {}),
  }));
  return [bar, element("span", { class: "part" }, percent(row.completeness))];
}

function fact([name, value, column]) {
  return element("div", {}, element("dt", {}, name), element("dd", { "data-column": column }, value));
}

function list(id, facts) {
  byId(id).replaceChildren(...facts.map(fact));
}

export function dayChoice(rows, chosen) {
  const days = rows.filter((row) => row.fixes).map((row) => row.date);
  if (chosen && !days.includes(chosen)) days.push(chosen);
  byId("track-day").replaceChildren(
    element("option", { value: "" }, "around now, by the ephemeris"),
    ...days.map((day) => element("option", { value: day, ...(day === chosen ? { selected: "" } : {}) }, `fixes of ${day}`)),
  );
}

function table(id, columns, rows, none, classOf = () => "") {
  const kind = ({ text }) => (text ? "text" : "");
  const head = element("tr", {}, ...columns.map((column) => element("th", { scope: "col", class: kind(column) }, column.head)));
  const body = rows.map((row, nth) => element("tr", { class: classOf(row, rows[nth - 1]) }, ...columns.map((column) => element(
    "td", { class: kind(column), "data-label": column.label ?? column.head, "data-column": column.column }, ...[column.cell(row)].flat(),
  ))));
  if (!rows.length) body.push(element("tr", {}, element("td", { class: "none", colspan: columns.length }, none)));
  byId(id).replaceChildren(element("thead", {}, head), element("tbody", {}, ...body));
}

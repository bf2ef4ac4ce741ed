// Asks the API again and again and hands its answers to the panels; shows at once when they grow old.

import { altitudeChart, speedChart, windowChart } from "./charts.js";
import { duration, minute } from "./format.js";
import { along, worldMap } from "./map.js";
import * as panels from "./panels.js";

const SOON_MS = 5000;
const OFTEN_MS = 15000;
const SELDOM_MS = 60000;

const answers = {};
const asked = new Set();
const map = worldMap(panels.byId("map"));
let clockOffsetMs = 0;
let wasStale = null;

// The server's clock: a browser's may be wrong, and ages must not be.
const now = () => Date.now() + clockOffsetMs;

async function ask(name, parameters = {}) {
  const answer = answerOf(name, parameters);
  asked.add(answer);
  try {
    return await answer;
  } finally {
    asked.delete(answer);
  }
}

async function answerOf(name, parameters) {
  const response = await fetch(`api/${name}?${new URLSearchParams(parameters)}`, { credentials: "same-origin" });
  if (response.status === 401 || response.status === 403) throw new Error("You are signed out, or may not read assets: sign in to Airflow again.");
  if (!response.ok) throw new Error(`The API answers ${response.status} to ${name}.`);
  const answer = await response.json();
  clockOffsetMs = Date.parse(answer.as_of) - Date.now();
  answers[name] = answer;
  panels.query(name, answer.sql);
  return answer.rows;
}

async function showLatest() {
  await Promise.all([ask("latest"), ask("freshness")]);
  const [fix] = answers.latest.rows;
  panels.latestFix(fix);
  panels.expectedAltitude(answers.track?.now);
  map.fix(fix);
  tick();
}

async function showTrack() {
  await ask("track");
  const { rows, now: here } = answers.track;
  map.track(rows, now());
  map.night(now());
  panels.expectedAltitude(here);
  panels.byId("map-words").textContent = panels.mapWords(answers.latest?.rows[0], here);
  panels.note("track-note", rows.length ? "" : "No issue of the ephemeris covers these hours: no track is drawn.");
}

async function showSpeed() {
  const [fixes, windows] = await Promise.all([ask("fixes", { hours: 1 }), ask("windows", { hours: 6 })]);
  const [end, hourAgo, sixHoursAgo] = [0, 1, 6].map((hours) => new Date(now() - hours * 3600000).toISOString());
  await library;
  speedChart(panels.byId("speed"), fixes, windows.filter((row) => row.window_start > hourAgo), [hourAgo, end]);
  windowChart(panels.byId("windows"), windows, [sixHoursAgo, end]);
  panels.note("speed-words", panels.spread(fixes, "velocity_km_s", 2, "km/s", "speeds in the last hour"));
  panels.note("windows-words", panels.spread(windows, "avg_velocity_km_s", 3, "km/s", "minutes in the last 6 hours"));
}

async function showDays() {
  panels.dayTable(await ask("days", { count: 14 }));
}

async function showIssues() {
  const before = answers.issues?.rows[0]?.issue;
  // The page begins with the newest issue, which needs no name to be asked about.
  const [rows, newest] = await Promise.all([ask("issues", { limit: 20 }), answers.issues ? null : askIssue()]);
  const select = panels.byId("issue");
  const chosen = select.value && select.value !== before ? select.value : rows[0]?.issue;
  select.replaceChildren(...rows.map((row, i) => panels.element(
    "option", { value: row.issue, ...(row.issue === chosen ? { selected: "" } : {}) }, minute(row.creation_date) + (i ? "" : ", the newest"),
  )));
  select.disabled = !rows.length;
  panels.byId("object").textContent = rows.length ? `${rows[0].object_name} · ${rows[0].object_id}` : "of the spacecraft, from the published tables";
  if (newest || rows[0]?.issue !== before || !answers.burns) await showIssue(newest);
  else panels.issueFacts(rows.find((row) => row.issue === chosen));
}

function askIssue(issue) {
  const parameters = issue ? { issue } : {};
  return Promise.all([ask("burns", parameters), ask("altitude", parameters)]);
}

async function showIssue(answer) {
  const issue = panels.byId("issue").value;
  const [burns, orbits] = answer ?? await askIssue(issue);
  panels.issueFacts(answers.issues.rows.find((row) => row.issue === issue));
  panels.burnTable(burns);
  panels.note("altitude-words", orbits.length
    ? `${orbits.length} orbits: ${Math.min(...orbits.map((row) => row.lowest_km)).toFixed(1)} to ${Math.max(...orbits.map((row) => row.highest_km)).toFixed(1)} km; mean ${orbits[0].mean_km.toFixed(1)} km in the first, ${orbits.at(-1).mean_km.toFixed(1)} km in the last.`
    : "No ephemeris has been ingested yet.");
  await library;
  altitudeChart(panels.byId("altitude"), orbits, burns, now());
}

// Each second: the clock, the age, the place by the ephemeris, and whether the feed has gone silent meanwhile.
function tick() {
  panels.byId("clock").textContent = `${new Date(now()).toISOString().slice(0, 19).replace("T", " ")} UTC`;
  if (answers.track) map.expected(along(answers.track.rows, now()));
  if (!answers.freshness || !answers.latest) return;
  const rows = answers.freshness.rows.map((row) => ({
    ...row,
    state: row.newest && (now() - Date.parse(row.newest)) / 1000 > row.stale_after_s ? "STALE" : row.state,
  }));
  panels.states(rows);
  const [fix] = answers.latest.rows;
  const stale = rows[0].state === "STALE";
  const why = answers.freshness.reason ? `: ${answers.freshness.reason}` : "";
  const silence = stale ? `, stale. The live feed is silent${why}.` : "";
  panels.byId("age").textContent = fix ? `${duration((now() - Date.parse(fix.event_time)) / 1000)} ago${silence}` : "";
  panels.byId("age").classList.toggle("stale", stale);
  if (wasStale !== stale && (stale || wasStale)) panels.byId("announcement").textContent = stale ? `The live feed is silent${why}.` : "The live feed is back.";
  wasStale = stale;
}

const failures = new Map();

async function run(task) {
  try {
    await task();
    failures.delete(task);
  } catch (error) {
    failures.set(task, error.message);
  }
  panels.note("connection", [...new Set(failures.values())].join(" "));
}

function every(intervalMs, task) {
  const again = async () => {
    if (!document.hidden) await run(task);
    setTimeout(again, intervalMs);
  };
  again();
}

// Airflow keeps its choice of light or dark under this key; alone, the page follows the system.
function applyTheme() {
  const chosen = localStorage.getItem("theme");
  const dark = chosen === "dark" || (chosen !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
}

function redraw() {
  applyTheme();
  if (answers.windows) run(showSpeed);
  if (answers.altitude && answers.issues) run(showIssue);
}

const shown = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));

function chartLibrary() {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = "library/plotly.min.js";
    script.addEventListener("load", resolve);
    script.addEventListener("error", () => reject(new Error("The chart library cannot be loaded: no charts are drawn.")));
    document.head.append(script);
  });
}

applyTheme();
addEventListener("storage", (event) => event.key === "theme" && redraw());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
panels.byId("issue").addEventListener("change", () => run(showIssue));
setInterval(tick, 1000);
every(SOON_MS, showLatest);
every(OFTEN_MS, showTrack);
every(OFTEN_MS, showSpeed);
every(SELDOM_MS, showIssues);
every(SELDOM_MS, showDays);
// Last: while the browser reads its megabytes it shows nothing else, so first all that needs no chart.
const library = Promise.allSettled(asked).then(shown).then(chartLibrary);

// The next passes over the site that is chosen: a sentence, a table, and the sky chart of one of them.

import { NONE, counted, duration, number } from "./format.js";
import { byId, element, note } from "./panels.js";
import { point, pointInWords, skyChart } from "./sky.js";

const COUNT = 10;
const HOUR = 3600000;
const OLD_ISSUE_MS = 4 * 24 * HOUR;
const KEPT_SITE = "orbitlake.site";
const UNSEEN = { daylight: "no: daylight", twilight: "no: twilight", shadow: "no: in the Earth’s shadow" };

export function passPanel({ ask, now, map, changed, failing }) {
  const chart = skyChart(byId("sky"));
  let site = null;
  let answer = null;
  let chosen = null;
  let way = { id: null, points: [] };
  let asked = 0;

  const wanted = new URLSearchParams(location.search);
  byId("visible-only").checked = wanted.get("visible") === "true";

  async function show() {
    const sites = await ask("sites");
    const name = wanted.get("site") ?? localStorage.getItem(KEPT_SITE);
    site = sites.rows.find((row) => row.name === name) ?? sites.rows[0] ?? null;
    byId("site").replaceChildren(...sites.rows.map((row) => element("option", { value: row.name, ...(row === site ? { selected: "" } : {}) }, row.name)));
    byId("site").disabled = !site;
    map.site(site);
    changed(site);
    const strange = site && wanted.get("site") && wanted.get("site") !== site.name ? `No site is called “${wanted.get("site")}”: this is ${site.name}.` : "";
    note("site-note", strange || siteWords(sites));
    byId("passes-panel").hidden = !site;
    if (site) await showPasses();
  }

  async function showPasses() {
    const turn = ++asked;
    const got = await ask("passes", { site: site.name, count: COUNT, visible: byId("visible-only").checked });
    // Another site may have been chosen while this one was asked for.
    if (turn !== asked) return;
    answer = got;
    const still = answer.rows.find((row) => row.pass_id === chosen) ?? answer.rows.find((row) => row.status !== "CANCELLED") ?? answer.rows[0];
    chosen = still?.pass_id ?? null;
    const times = clock(site.time_zone, now());
    byId("passes-zone").textContent = `times of ${times.name}, UTC in small`;
    byId("passes-words").textContent = tonight(answer.rows, times, now(), byId("visible-only").checked);
    note("passes-note", [...states(answer, site, now(), byId("visible-only").checked)].join(" "));
    table(answer.rows, times);
    await showSky();
  }

  async function showSky() {
    const row = answer.rows.find((each) => each.pass_id === chosen);
    byId("sky-panel").hidden = !row;
    if (!row) {
      way = { id: null, points: [] };
      tick();
      return;
    }
    const got = await ask("sky", { site: site.name, pass_id: row.pass_id });
    if (row.pass_id !== chosen) return;
    way = { id: row.pass_id, points: got.rows };
    const times = clock(site.time_zone, now());
    const moments = [["rise", "rises"], ["culmination", "highest"], ["set", "sets"]].map(([name, verb]) => ({
      time: Date.parse(row[`${name}_time`]), text: `${verb} ${times.minute(row[`${name}_time`])}`,
    }));
    chart.show(way.points, moments, site.horizon_deg);
    byId("sky-when").textContent = `${times.day(row.rise_time)}, ${site.name}`;
    byId("sky-words").textContent = wayWords(row, times);
    tick();
  }

  // Each second: where it stands in the chart, and on the map the track of a pass that is under way.
  function tick() {
    chart.at(way.points, now());
    const underWay = way.points.length && Date.parse(way.points[0].time) <= now() && now() <= Date.parse(way.points.at(-1).time);
    map.pass(underWay ? way.points : []);
    note("pass-note", underWay ? `A pass over ${site.name} is under way: its ground track is highlighted.` : "");
  }

  function choose(id) {
    chosen = id;
    for (const button of byId("passes").querySelectorAll("button")) button.setAttribute("aria-pressed", button.dataset.id === id);
    failing(showSky);
    // On a phone the chart stands above the table.
    byId("sky-panel").scrollIntoView({ block: "nearest" });
  }

  function table(rows, times) {
    const columns = ["Rises", "Highest", "Sets", "To be seen", "Good to", "The last issue"];
    const body = [];
    let day = null;
    for (const row of rows) {
      if (times.day(row.rise_time) !== day) {
        day = times.day(row.rise_time);
        body.push(element("tr", { class: "day" }, element("th", { scope: "rowgroup", colspan: columns.length }, day)));
      }
      const cells = [rises(row, times), highest(row, times), sets(row, times), seen(row, times), sure(row), told(row)];
      body.push(element("tr", { class: row.status.toLowerCase(), "data-pass": row.pass_id },
        ...cells.map((cell, nth) => element("td", { class: "text", "data-label": columns[nth] }, element("div", {}, ...[cell].flat())))));
    }
    if (!rows.length) body.push(element("tr", {}, element("td", { class: "none", colspan: columns.length }, "No pass is told of.")));
    const head = element("tr", {}, ...columns.map((name) => element("th", { scope: "col", class: "text" }, name)));
    byId("passes").replaceChildren(element("thead", {}, head), element("tbody", {}, ...body));
  }

  function rises(row, times) {
    const button = element("button", { type: "button", class: "pass", "data-id": row.pass_id, "aria-pressed": row.pass_id === chosen, title: "Show its sky chart" }, times.second(row.rise_time));
    button.addEventListener("click", () => choose(row.pass_id));
    return [button, utc(row.rise_time), direction(row.rise_azimuth_deg)];
  }

  byId("site").addEventListener("change", () => {
    wanted.set("site", byId("site").value);
    localStorage.setItem(KEPT_SITE, byId("site").value);
    keep();
    chosen = null;
    failing(show);
  });
  byId("visible-only").addEventListener("change", () => {
    if (byId("visible-only").checked) wanted.set("visible", "true");
    else wanted.delete("visible");
    keep();
    failing(showPasses);
  });
  const keep = () => history.replaceState(null, "", `?${wanted}`);

  return { show, tick };
}

// A clock of a time zone; a browser that does not know the zone shows UTC, and says so.
function clock(zone, at) {
  let used = zone;
  try {
    new Intl.DateTimeFormat("en-GB", { timeZone: zone });
  } catch {
    used = "UTC";
  }
  const as = (options) => {
    const format = new Intl.DateTimeFormat("en-GB", { timeZone: used, ...options });
    return (time) => format.format(new Date(time));
  };
  const name = new Intl.DateTimeFormat("en-GB", { timeZone: used, timeZoneName: "short" }).formatToParts(at).find(({ type }) => type === "timeZoneName").value;
  return {
    name: used === zone ? `${zone} (${name})` : `UTC, since this browser does not know ${zone}`,
    day: as({ weekday: "long", day: "numeric", month: "long" }),
    second: as({ hour: "2-digit", minute: "2-digit", second: "2-digit" }),
    minute: as({ hour: "2-digit", minute: "2-digit" }),
    date: as({ year: "numeric", month: "2-digit", day: "2-digit" }),
  };
}

// From now, or from this evening where it is day, until noon.
function tonight(rows, times, now, isVisibleOnly) {
  const night = (time) => times.date(Date.parse(time) - 12 * HOUR);
  const ours = rows.filter((row) => row.status !== "CANCELLED" && night(row.rise_time) === times.date(now - 6 * HOUR));
  const visible = ours.filter((row) => row.visible_from);
  const best = [...visible].sort((a, b) => b.visible_max_elevation_deg - a.visible_max_elevation_deg)[0];
  if (!ours.length) return rows.length ? `Tonight: no ${isVisibleOnly ? "visible " : ""}pass.` : "";
  const all = isVisibleOnly ? `${counted(visible.length, "pass", "passes")} to be seen` : `${counted(ours.length, "pass", "passes")}, ${visible.length || "none"} to be seen`;
  const bright = best?.magnitude == null ? "" : `, magnitude ${signedMagnitude(best.magnitude)}`;
  return `Tonight: ${all}${best ? `; the best from ${times.minute(best.visible_from)}, up to ${number(best.visible_max_elevation_deg)}°${bright}` : ""}.`;
}

function siteWords({ rows, problem, file }) {
  if (problem) return `The file of sites cannot be used: ${problem}`;
  return rows.length ? "" : `${file} names no site: add one with the form of the DAG predict_passes.`;
}

// What is to be known of the passes shown: none, old, not of the newest issue, and where the telling ends.
function* states({ rows, issue, issue_until: until, told_by: told }, site, now, isVisibleOnly) {
  const stamp = (time) => `${time.slice(0, 16).replace("T", " ")} UTC`;
  if (!issue) {
    yield "No issue of the ephemeris has been ingested yet: ingest_oem brings one each day.";
    return;
  }
  if (!told) yield `No pass over ${site.name} has been predicted yet: predict_passes does it after each new issue.`;
  else if (told < issue) yield `The newest issue, of ${stamp(issue)}, is not in these passes yet: predict_passes takes it up.`;
  if (now - Date.parse(issue) > OLD_ISSUE_MS) yield `This prediction is old: the newest issue was created ${duration((now - Date.parse(issue)) / 1000)} ago, and burns since may have changed every time.`;
  if (told && !rows.length && Date.parse(until) > now) yield `No ${isVisibleOnly ? "visible " : ""}pass is left until the end of the newest issue.`;
  if (Date.parse(until) <= now || rows.length < COUNT) yield `NASA’s newest issue ${Date.parse(until) <= now ? "ended" : "ends"} at ${stamp(until)}: nothing is known of what comes after.`;
  if (rows.length && !rows.some((row) => row.visible_from)) yield "None of these can be seen; “visible ones only” looks further ahead.";
}

const utc = (time) => element("small", { class: "utc" }, `${time.slice(11, 19)} UTC`);
const signedMagnitude = (value) => value.toFixed(1).replace("-", "−");

function direction(azimuth) {
  return element("span", { class: "direction" }, element("abbr", { title: pointInWords(azimuth) }, point(azimuth)), ` ${number(azimuth)}°`);
}

const timed = (time, times) => element("time", { datetime: time, title: `${time.slice(0, 19).replace("T", " ")} UTC` }, times.second(time));

const highest = (row, times) => [element("strong", {}, `${number(row.max_elevation_deg)}° up`), timed(row.culmination_time, times), direction(row.culmination_azimuth_deg)];
const sets = (row, times) => [timed(row.set_time, times), utc(row.set_time), direction(row.set_azimuth_deg)];

function seen(row, times) {
  if (row.status === "CANCELLED") return NONE;
  if (!row.visible_from) return element("span", { class: "muted" }, UNSEEN[row.unseen_because] ?? "no");
  return [
    element("strong", { class: "visible" }, row.magnitude === null ? "visible" : `visible, ${signedMagnitude(row.magnitude)} mag`),
    element("span", {}, timed(row.visible_from, times), " to ", timed(row.visible_until, times)),
    `up to ${number(row.visible_max_elevation_deg)}°`,
  ];
}

function sure(row) {
  if (row.status === "CANCELLED") return NONE;
  const within = row.time_p90_s === null ? "not known" : `± ${row.time_p90_s < 10 ? number(row.time_p90_s, 1) : number(row.time_p90_s)} s`;
  return [element("span", { title: "what nine in ten errors of the time of rise keep to" }, within), ...(row.burn_between ? [element("small", {}, "a burn before it")] : [])];
}

const STATUS = { PREDICTED: "told for the first time", REVISED: "as before", MOVED: "moved", CANCELLED: "cancelled: it comes no more", FLOWN: "flown" };

function told(row) {
  const shift = row.shift_s === null ? "" : ` by ${row.shift_s < 0 ? "−" : "+"}${Math.abs(row.shift_s) < 60 ? number(Math.abs(row.shift_s), 1, "s") : duration(Math.abs(row.shift_s))}`;
  const word = row.status === "REVISED" && shift ? `revised${shift}` : `${STATUS[row.status] ?? row.status}${row.status === "MOVED" ? shift : ""}`;
  return [
    element("span", { class: `status ${row.status.toLowerCase()}` }, word),
    element("small", { title: `issue of ${row.creation_date.slice(0, 19).replace("T", " ")} UTC` }, row.revision ? `revision ${row.revision}` : `issue of ${row.creation_date.slice(0, 10)}`),
  ];
}

function wayWords(row, times) {
  if (row.status === "CANCELLED") return "The newest issue has this pass no more: there is no way to draw.";
  const at = (name) => `${times.second(row[`${name}_time`])} in the ${pointInWords(row[`${name}_azimuth_deg`])} (${number(row[`${name}_azimuth_deg`])}°)`;
  const visible = row.visible_from ? `To be seen from ${times.second(row.visible_from)} to ${times.second(row.visible_until)}, up to ${number(row.visible_max_elevation_deg)}°.`
    : `Not to be seen${row.unseen_because ? `: ${UNSEEN[row.unseen_because].slice(4)}` : ""}.`;
  return `Rises at ${at("rise")}, is highest at ${at("culmination")}, ${number(row.max_elevation_deg)}° up and ${number(row.range_km, 0, "km")} away, sets at ${at("set")}. ${visible}`;
}

// The world map: degrees are the drawing's units, north is up, tracks break where they cross 180 degrees.

const SVG = "http://www.w3.org/2000/svg";
const PARIS = { latitude_deg: 48.8566, longitude_deg: 2.3522 };
const TICK_MINUTES = 30;
const RETRY_MS = 5000;
const HOLE_MS = 150000;

export function worldMap(root) {
  const land = draw(root, "g", { class: "land" });
  draw(root, "path", { class: "grid", d: graticule() });
  const night = draw(root, "path", { class: "night" });
  const past = draw(root, "path", { class: "track past" });
  const next = draw(root, "path", { class: "track next" });
  const day = draw(root, "path", { class: "track day" });
  const pass = draw(root, "path", { class: "track pass" });
  const ticks = draw(root, "g", {});
  const city = draw(root, "g", {});
  draw(city, "circle", { class: "city", cx: PARIS.longitude_deg, cy: -PARIS.latitude_deg });
  draw(city, "text", { class: "tick-label", x: PARIS.longitude_deg, y: -PARIS.latitude_deg, dx: ".5em", dy: "-.3em" }).textContent = "Paris";
  const site = draw(root, "g", { visibility: "hidden" });
  const siteMark = draw(site, "path", { class: "site" });
  const siteName = draw(site, "text", { class: "tick-label", dx: ".6em", dy: "1.1em" });
  const expected = draw(root, "circle", { class: "expected", visibility: "hidden" });
  const fix = draw(root, "circle", { class: "fix", visibility: "hidden" });
  coastline(land);

  return {
    track(rows, now) {
      past.setAttribute("d", line(rows.filter((row) => Date.parse(row.time) <= now)));
      next.setAttribute("d", line(rows.filter((row) => Date.parse(row.time) >= now)));
      label(ticks, rows.filter((row) => Date.parse(row.time) > now));
    },
    day: (rows) => day.setAttribute("d", bySource(rows).map((of) => line(of, "event_time")).join("")),
    night: (now) => night.setAttribute("d", nightArea(now)),
    fix: (row) => put(fix, row),
    expected: (row) => put(expected, row),
    pass: (rows) => pass.setAttribute("d", line(rows)),
    site(row) {
      site.setAttribute("visibility", row ? "visible" : "hidden");
      if (!row) return;
      site.setAttribute("transform", `translate(${row.longitude_deg} ${-row.latitude_deg})`);
      siteMark.setAttribute("d", "M0 -1.6L1.4 1.1H-1.4z");
      // Paris is named already.
      siteName.textContent = row.name === "Paris" ? "" : row.name;
    },
  };
}

// The point of a track at a moment, along the straight line between its neighbours, 30 s apart.
export function along(rows, now) {
  const after = rows.findIndex((row) => Date.parse(row.time) > now);
  if (after < 1) return null;
  const [a, b] = [rows[after - 1], rows[after]];
  const part = (now - Date.parse(a.time)) / (Date.parse(b.time) - Date.parse(a.time));
  const east = ((b.longitude_deg - a.longitude_deg + 540) % 360) - 180;
  return {
    latitude_deg: a.latitude_deg + part * (b.latitude_deg - a.latitude_deg),
    longitude_deg: ((a.longitude_deg + part * east + 540) % 360) - 180,
  };
}

export function svg(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function draw(parent, name, attributes) {
  return parent.appendChild(svg(name, attributes));
}

function put(circle, row) {
  circle.setAttribute("visibility", row ? "visible" : "hidden");
  if (!row) return;
  circle.setAttribute("cx", row.longitude_deg);
  circle.setAttribute("cy", -row.latitude_deg);
}

function graticule() {
  let d = "";
  for (let lon = -150; lon < 180; lon += 30) d += `M${lon},-90V90`;
  for (let lat = -60; lat <= 60; lat += 30) d += `M-180,${lat}H180`;
  return d;
}

async function coastline(group) {
  let answer = null;
  try {
    answer = await fetch("static/coastline.json");
  } catch {
    // No network: the page says so by its other questions.
  }
  if (!answer?.ok) {
    setTimeout(() => coastline(group), RETRY_MS);
    return;
  }
  const { units_a_degree: units, rings } = await answer.json();
  let d = "";
  for (const ring of rings) {
    d += `M${ring[0] / units} ${-ring[1] / units}l`;
    for (let i = 2; i < ring.length; i += 2) d += `${ring[i] / units} ${-ring[i + 1] / units} `;
    d += "z";
  }
  // Rings that cross 180 degrees run on beyond the edge: a copy on either side brings them back.
  for (const shift of [-360, 0, 360]) draw(group, "path", { d, transform: `translate(${shift})` });
}

function bySource(rows) {
  const found = new Map();
  for (const row of rows) found.set(row.source, [...(found.get(row.source) ?? []), row]);
  return [...found.values()];
}

// A track must not bridge time that was not seen, nor the whole map where it leaves at 180 degrees.
function line(rows, time = "time") {
  let d = "";
  let before = null;
  for (const row of rows) {
    const [lon, lat, when] = [row.longitude_deg, row.latitude_deg, Date.parse(row[time])];
    const isHole = before === null || when - before.when > HOLE_MS;
    const jump = isHole ? 0 : lon - before.lon;
    if (Math.abs(jump) > 180) {
      const edge = jump < 0 ? 180 : -180;
      const part = (edge - before.lon) / (jump < 0 ? jump + 360 : jump - 360);
      const at = -(before.lat + part * (lat - before.lat));
      d += `L${edge} ${at}M${-edge} ${at}L${lon} ${-lat}`;
    } else {
      d += `${isHole ? "M" : "L"}${lon.toFixed(2)} ${(-lat).toFixed(2)}`;
    }
    before = { lon, lat, when };
  }
  return d;
}

function label(group, rows) {
  group.replaceChildren();
  for (const row of rows) {
    const time = new Date(row.time);
    if (time.getUTCSeconds() || time.getUTCMinutes() % TICK_MINUTES) continue;
    draw(group, "circle", { class: "tick", cx: row.longitude_deg, cy: -row.latitude_deg });
    const left = row.longitude_deg > 160;
    draw(group, "text", {
      class: "tick-label",
      x: row.longitude_deg,
      y: -row.latitude_deg,
      dx: left ? "-.5em" : ".5em",
      dy: "1.2em",
      "text-anchor": left ? "end" : "start",
    }).textContent = row.time.slice(11, 16);
  }
}

// Where the Sun is below the horizon. Its place to 0.01 degrees: Astronomical Almanac, low-precision formulas, page C5.
function nightArea(now) {
  const radians = Math.PI / 180;
  const days = now / 86400000 - 10957.5; // since J2000, UT for TT
  const mean = (357.528 + 0.9856003 * days) * radians;
  const ecliptic = (280.46 + 0.9856474 * days + 1.915 * Math.sin(mean) + 0.02 * Math.sin(2 * mean)) * radians;
  const obliquity = 23.439 * radians;
  const ascension = Math.atan2(Math.cos(obliquity) * Math.sin(ecliptic), Math.cos(ecliptic)) / radians;
  const declination = Math.asin(Math.sin(obliquity) * Math.sin(ecliptic));
  const sidereal = 280.46062 + 360.98564737 * days;
  let d = "";
  for (let lon = -180; lon <= 180; lon += 2) {
    const hour = (sidereal + lon - ascension) * radians;
    const lat = Math.atan2(-Math.cos(hour), Math.tan(declination)) / radians;
    // Branch of the terminator that lies in [-90, 90].
    const folded = lat > 90 ? lat - 180 : lat < -90 ? lat + 180 : lat;
    d += `${d ? "L" : "M"}${lon} ${(-folded).toFixed(2)}`;
  }
  return `${d}${declination > 0 ? "V90H-180" : "V-90H-180"}z`;
}

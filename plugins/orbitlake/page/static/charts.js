// Rows -> charts, drawn by the installed plotly.js in the colours of the page.

const HOLE_MS = 90000;

// A colour of the style sheet as it shows now: light or dark is settled only on an element.
const probe = document.body.appendChild(document.createElement("i"));
probe.hidden = true;

function css(name) {
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

export function speedChart(element, fixes, windows, span) {
  const [fixRows, windowRows] = [inOrder(fixes, "event_time"), inOrder(windows, "window_start")];
  plot(element, [
    {
      type: "scatter", mode: "markers", name: "each fix",
      x: fixRows.map((row) => row.event_time), y: fixRows.map((row) => row.velocity_km_s),
      marker: { color: css("--muted"), size: 3, opacity: 0.45 },
      hovertemplate: "%{y:.3f} km/s<extra>fix</extra>",
    },
    {
      ...broken(windowRows, "window_start", "ground_speed_km_s"), name: "over the minute", mode: "lines",
      line: { color: css("--accent"), width: 2 },
      hovertemplate: "%{y:.3f} km/s<extra>minute</extra>",
    },
  ], { xaxis: { ...timeAxis(), range: span } });
}

export function windowChart(element, windows, span) {
  const rows = inOrder(windows, "window_start");
  plot(element, [
    band(rows, "window_start", "min_velocity_km_s", "max_velocity_km_s", "lowest to highest"),
    {
      ...broken(rows, "window_start", "avg_velocity_km_s"), mode: "lines", name: "mean",
      line: { color: css("--accent"), width: 1.6 },
      hovertemplate: "%{y:.3f} km/s<extra>mean</extra>",
    },
    {
      type: "bar", name: "fixes a minute", yaxis: "y2",
      x: rows.map((row) => row.window_start), y: rows.map((row) => row.data_points),
      marker: { color: css("--muted"), line: { width: 0 } }, opacity: 0.55,
      hovertemplate: "%{y} fixes<extra></extra>",
    },
  ], {
    xaxis: { ...timeAxis(), range: span, anchor: "y2" },
    yaxis: { ...axis(), domain: [0.32, 1] },
    yaxis2: { ...axis(), domain: [0, 0.2], rangemode: "tozero", nticks: 3 },
    bargap: 0,
  });
}

export function altitudeChart(element, orbits, burns, now) {
  const first = orbits.length ? Date.parse(orbits[0].orbit_start) : Infinity;
  const last = orbits.length ? Date.parse(orbits.at(-1).orbit_start) : -Infinity;
  const marks = burns.map((burn) => upright(burn.ignition_time, css("--warm"), "solid"));
  const names = burns.map((burn) => ({
    x: burn.ignition_time, y: 1, yref: "paper", yanchor: "bottom", showarrow: false,
    text: burn.delta_v_m_s === null ? "burn" : `${burn.delta_v_m_s.toFixed(2)} m/s`,
    font: { color: css("--warm"), size: 12 },
  }));
  if (now > first && now < last) {
    marks.push(upright(new Date(now).toISOString(), css("--muted"), "dot"));
    names.push({ x: new Date(now).toISOString(), y: 0, yref: "paper", yanchor: "bottom", xanchor: "left", text: " now", showarrow: false, font: { color: css("--muted"), size: 12 } });
  }
  plot(element, [
    band(orbits, "orbit_start", "lowest_km", "highest_km", "lowest to highest"),
    {
      x: orbits.map((row) => row.orbit_start), y: orbits.map((row) => row.mean_km),
      type: "scatter", mode: "lines", name: "mean", line: { color: css("--accent"), width: 2 },
      customdata: orbits.map((row) => [row.lowest_km, row.highest_km]),
      hovertemplate: "%{y:.2f} km mean<br>%{customdata[0]:.2f} to %{customdata[1]:.2f} km<extra></extra>",
    },
  ], { shapes: marks, annotations: names, margin: { l: 46, r: 12, t: 22, b: 32 } });
}

function plot(element, traces, layout = {}) {
  element.hidden = !traces.some((trace) => trace.x.length);
  if (element.hidden) return;
  globalThis.Plotly.react(element, traces, {
    margin: { l: 46, r: 12, t: 6, b: 32 },
    paper_bgcolor: "transparent", plot_bgcolor: "transparent",
    font: { family: "system-ui, sans-serif", size: 12, color: css("--muted") },
    showlegend: false, hovermode: "x unified", dragmode: false,
    hoverlabel: { bgcolor: css("--card"), bordercolor: css("--line"), font: { color: css("--text") } },
    xaxis: timeAxis(),
    yaxis: axis(),
    ...layout,
  }, { displayModeBar: false, responsive: true });
}

const axis = () => ({ gridcolor: css("--line"), zeroline: false, linecolor: css("--line"), fixedrange: true, automargin: true });

const timeAxis = () => ({ ...axis(), type: "date", showgrid: false });

const upright = (x, color, dash) => ({ type: "line", x0: x, x1: x, y0: 0, y1: 1, yref: "paper", line: { color, width: 1.5, dash } });

const inOrder = (rows, time) => [...rows].sort((a, b) => (a[time] < b[time] ? -1 : 1));

// A line must not bridge minutes without a fix: it breaks there.
function broken(rows, time, value) {
  const [x, y] = [[], []];
  rows.forEach((row, i) => {
    if (i && Date.parse(row[time]) - Date.parse(rows[i - 1][time]) > HOLE_MS) {
      x.push(rows[i - 1][time]);
      y.push(null);
    }
    x.push(row[time]);
    y.push(row[value]);
  });
  return { type: "scatter", connectgaps: false, x, y };
}

// An area between two columns, a closed shape for each unbroken run.
function band(rows, time, low, high, name) {
  const [x, y] = [[], []];
  const usual = rows.length > 1 ? Date.parse(rows[1][time]) - Date.parse(rows[0][time]) : 0;
  let run = [];
  const close = () => {
    if (x.length && run.length) { x.push(null); y.push(null); }
    x.push(...run.map((row) => row[time]), ...run.map((row) => row[time]).reverse());
    y.push(...run.map((row) => row[high]), ...run.map((row) => row[low]).reverse());
    run = [];
  };
  rows.forEach((row, i) => {
    if (i && Date.parse(row[time]) - Date.parse(rows[i - 1][time]) > Math.max(HOLE_MS, 2 * usual)) close();
    if (row[low] !== null && row[high] !== null) run.push(row);
  });
  close();
  return { type: "scatter", mode: "lines", x, y, name, fill: "toself", fillcolor: css("--accent-soft"), line: { width: 0 }, hoverinfo: "skip" };
}

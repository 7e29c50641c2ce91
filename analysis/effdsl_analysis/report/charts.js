"use strict";
/* What each chart draws: a panel of the JSON block becomes Plotly's traces and layout. Colours are names of CSS variables
   ("--c1", or "--c1/0.2" with an opacity); report.js puts in what they are at the moment of drawing. Names come from a
   store: Plotly reads a little markup in texts, so they pass through plain(). */

const DASHES = ["solid", "dash", "dot", "dashdot"];
const SYMBOLS = ["circle", "square", "diamond", "triangle-up", "cross", "triangle-down", "star", "hexagon"];
const COLOURS = 8;

const plain = (name) => name.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
const style = (i) => ({ colour: `--c${(i % COLOURS) + 1}`, dash: DASHES[Math.floor(i / COLOURS) % DASHES.length], symbol: SYMBOLS[i % SYMBOLS.length] });
const quantity = (metric) => (metric.unit && metric.unit !== metric.label ? `${metric.label} (${metric.unit})` : metric.label);

function shown(value) {
  if (value === null) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) return value.toExponential(2);
  return value.toLocaleString("en", { maximumSignificantDigits: 5 });
}

const AXIS = { gridcolor: "--line", linecolor: "--line", zerolinecolor: "--line", tickcolor: "--line", automargin: true };
const SCORE_AXIS = { ...AXIS, range: [0, 1.06], tickvals: [0.1, 0.4, 0.7, 1], zeroline: false };

function base(layout) {
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, autosize: true, hovermode: "closest", dragmode: false,
    font: { family: "system-ui, sans-serif", size: 12, color: "--ink" }, margin: { l: 44, r: 14, t: 10, b: 34 },
    hoverlabel: { bgcolor: "--page", bordercolor: "--line", font: { color: "--ink" }, align: "left" }, ...layout,
  };
}

const hover = (panel, t, m) =>
  `${plain(panel.techniques[t])}<br>${panel.metrics[m].label} ${shown(panel.values[t][m])}` +
  (panel.scores[t][m] === null ? "" : ` · score ${panel.scores[t][m].toFixed(2)}`);

/* Each drawing takes a panel, the techniques to show (their places) and the place of each among the chart's techniques. */
const PROFILES = {
  radar(panel, chosen, place) {
    const axes = panel.metrics.map((_, m) => m).filter((m) => panel.scores.some((scores) => scores[m] !== null));
    const round = (of) => [...axes, axes[0]].map(of);
    const data = chosen.map((t) => {
      const { colour, dash, symbol } = style(place(t));
      return {
        type: "scatterpolar", mode: "lines+markers", r: round((m) => panel.scores[t][m]), theta: round((m) => panel.metrics[m].label),
        line: { color: colour, dash, width: 2 }, marker: { color: colour, symbol, size: 6 }, fill: "toself", fillcolor: `${colour}/0.05`,
        hoverinfo: "text", hovertext: round((m) => hover(panel, t, m)),
      };
    });
    const polar = {
      bgcolor: "rgba(0,0,0,0)", radialaxis: { ...SCORE_AXIS, showticklabels: false, ticks: "", showline: false },
      angularaxis: { ...AXIS, rotation: 90, direction: "clockwise" },
    };
    return { data, layout: base({ polar, margin: { l: 48, r: 48, t: 26, b: 26 } }) };
  },

  parallel(panel, chosen, place) {
    const data = chosen.map((t) => {
      const { colour, dash, symbol } = style(place(t));
      return {
        type: "scatter", mode: "lines+markers", x: panel.metrics.map((m) => m.label), y: panel.scores[t],
        line: { color: colour, dash, width: 2 }, marker: { color: colour, symbol, size: 8 },
        hoverinfo: "text", hovertext: panel.metrics.map((_, m) => hover(panel, t, m)),
      };
    });
    return { data, layout: base({ xaxis: { ...AXIS, type: "category", gridcolor: "--muted/0.5" }, yaxis: SCORE_AXIS }) };
  },

  bars(panel, chosen, place) {
    const data = chosen.map((t) => ({
      type: "bar", x: panel.metrics.map((m) => m.label), y: panel.scores[t], marker: { color: style(place(t)).colour },
      hoverinfo: "text", hovertext: panel.metrics.map((_, m) => hover(panel, t, m)), textposition: "none",
    }));
    return { data, layout: base({ barmode: "group", bargap: 0.25, xaxis: { ...AXIS, type: "category", showgrid: false }, yaxis: SCORE_AXIS }) };
  },

  bubbles(panel, chosen, place) {
    const data = chosen.map((t) => ({
      type: "scatter", mode: "markers", x: panel.metrics.map((m) => m.label), y: panel.metrics.map(() => plain(panel.techniques[t])),
      marker: { color: `${style(place(t)).colour}/0.75`, size: panel.scores[t].map((s) => s ?? 0), sizemode: "area", sizeref: 2 / 34 ** 2, line: { width: 0 } },
      hoverinfo: "text", hovertext: panel.metrics.map((_, m) => hover(panel, t, m)), cliponaxis: false,
    }));
    const yaxis = { ...AXIS, type: "category", autorange: "reversed" };
    return { data, layout: base({ xaxis: { ...AXIS, type: "category" }, yaxis }) };
  },

  "efficiency-printed": (panel, chosen, place) => efficiency(panel, chosen, place, 0),
  "efficiency-arrows": (panel, chosen, place) => efficiency(panel, chosen, place, 1),
};

/* Bars of eq. 12 upwards and of the loss downwards, as in the paper's Figures 4 and 7. */
function efficiency(panel, chosen, place, form) {
  const scored = chosen.filter((t) => panel.efficiency && panel.efficiency[t]);
  const bar = (values, yaxis, label) => ({
    type: "bar", x: scored.map((t) => plain(panel.techniques[t])), y: values, yaxis, textposition: "none", hoverinfo: "text",
    hovertext: scored.map((t, i) => `${plain(panel.techniques[t])}<br>${label} ${shown(values[i])}`),
    marker: { color: scored.map((t) => style(place(t)).colour + (yaxis === "y2" ? "/0.45" : "")) },
  });
  const data = [
    bar(scored.map((t) => panel.efficiency[t][form]), "y", "eq. 12"),
    bar(scored.map((t) => panel.values[t][0]), "y2", panel.metrics[0].label),
  ];
  return {
    data,
    layout: base({
      bargap: 0.25, xaxis: { ...AXIS, type: "category", showgrid: false, anchor: "y2", side: "bottom", tickangle: -40 },
      yaxis: { ...AXIS, domain: [0.53, 1], title: { text: "score", standoff: 4 }, rangemode: "tozero" },
      yaxis2: { ...AXIS, domain: [0, 0.47], title: { text: plain(panel.metrics[0].label), standoff: 4 }, autorange: "reversed" },
    }),
  };
}

/* Two metrics of a panel, the front drawn as the edge of what its members reach. */
function tradeoff(panel, x, y) {
  const places = panel.techniques.map((_, t) => t).filter((t) => panel.values[t][x] !== null && panel.values[t][y] !== null);
  const front = new Set(panel.fronts[x < y ? `${x},${y}` : `${y},${x}`] ?? []);
  const trace = (chosen, marker, font) => ({
    type: "scatter", mode: "markers+text", x: chosen.map((t) => panel.values[t][x]), y: chosen.map((t) => panel.values[t][y]),
    text: chosen.map((t) => plain(panel.techniques[t])), textposition: chosen.map((t) => positions.get(t)), textfont: font, marker, cliponaxis: false,
    error_x: bars(panel, chosen, x, marker.color), error_y: bars(panel, chosen, y, marker.color), hoverinfo: "text",
    hovertext: chosen.map((t) => `${plain(panel.techniques[t])}<br>${panel.metrics[x].label} ${shown(panel.values[t][x])}<br>${panel.metrics[y].label} ${shown(panel.values[t][y])}`),
  });
  const positions = labelPositions(panel, places, x, y);
  const edge = places.filter((t) => front.has(t)).sort((a, b) => panel.values[a][x] - panel.values[b][x]);
  const line = {
    type: "scatter", mode: "lines", x: edge.map((t) => panel.values[t][x]), y: edge.map((t) => panel.values[t][y]), hoverinfo: "skip",
    line: { color: "--c1/0.5", width: 2, shape: panel.metrics[x].better === "lower" ? "hv" : "vh" },
  };
  const rest = places.filter((t) => !front.has(t));
  const data = [
    line,
    trace(rest, { color: "--muted/0.75", size: 9, symbol: "circle-open", line: { width: 2 } }, { color: "--muted" }),
    trace(edge, { color: "--c1", size: 11, symbol: "circle" }, { color: "--ink", weight: 600 }),
  ];
  const axis = (m) => ({ ...AXIS, zeroline: false, range: padded(panel, places, m), title: { text: `${quantity(panel.metrics[m])}, ${panel.metrics[m].better} is better`, standoff: 10 } });
  const layout = base({ xaxis: axis(x), yaxis: axis(y), margin: { l: 60, r: 20, t: 16, b: 52 } });
  return { data, layout, front: edge, rest };
}

function bars(panel, chosen, m, color) {
  if (!panel.intervals) return { visible: false };
  const arms = (side) => chosen.map((t) => (panel.intervals[t][m] ? Math.abs(panel.intervals[t][m][side] - panel.values[t][m]) : 0));
  return { type: "data", symmetric: false, array: arms(1), arrayminus: arms(0), color: color.replace(/\/.*/, "") + "/0.35", thickness: 1.5, width: 3 };
}

function reach(panel, places, m) {
  const ends = places.flatMap((t) => [panel.values[t][m], ...(panel.intervals?.[t][m] ?? [])]);
  return [Math.min(...ends), Math.max(...ends)];
}

function padded(panel, places, m) {
  const [low, high] = reach(panel, places, m);
  const room = (high - low || Math.abs(high) || 1) * 0.12;
  return [low - room, high + room];
}

/* Where each label stands so that labels and points cover each other least: greedily, in a field of 760 by 360. */
function labelPositions(panel, places, x, y) {
  const [[x0, x1], [y0, y1]] = [padded(panel, places, x), padded(panel, places, y)];
  const at = (t) => [((panel.values[t][x] - x0) / (x1 - x0)) * 760, (1 - (panel.values[t][y] - y0) / (y1 - y0)) * 360];
  const taken = places.map((t) => { const [px, py] = at(t); return [px - 7, py - 7, px + 7, py + 7]; });
  const overlap = (a, b) => Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0])) * Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));
  const found = new Map();
  for (const t of places) {
    const [px, py] = at(t);
    const width = panel.techniques[t].length * 7;
    const boxes = {
      "top center": [px - width / 2, py - 22, px + width / 2, py - 8], "bottom center": [px - width / 2, py + 8, px + width / 2, py + 22],
      "middle right": [px + 9, py - 7, px + 9 + width, py + 7], "middle left": [px - 9 - width, py - 7, px - 9, py + 7],
      "top right": [px + 6, py - 21, px + 6 + width, py - 7], "top left": [px - 6 - width, py - 21, px - 6, py - 7],
      "bottom right": [px + 6, py + 7, px + 6 + width, py + 21], "bottom left": [px - 6 - width, py + 7, px - 6, py + 21],
    };
    const outside = ([a, b, c, d]) => Math.max(0, -a) + Math.max(0, -b) + Math.max(0, c - 760) + Math.max(0, d - 360);
    const cost = (box) => outside(box) * 20 + taken.reduce((sum, other) => sum + overlap(box, other), 0);
    const [best, box] = Object.entries(boxes).reduce((a, b) => (cost(b[1]) < cost(a[1]) ? b : a));
    found.set(t, best);
    taken.push(box);
  }
  return found;
}

/* Loss against step: the mean, and a band from the lowest to the highest repeat. */
function lossCurves(curves, kind, chosen, place) {
  const data = chosen.filter((name) => curves[name][kind]).flatMap((name) => {
    const { colour, dash } = style(place(name));
    const [steps, mean, low, high] = [0, 1, 2, 3].map((i) => curves[name][kind].map((row) => row[i]));
    const edge = { type: "scatter", mode: "lines", x: steps, hoverinfo: "skip", line: { width: 0, color: colour } };
    return [
      { ...edge, y: low },
      { ...edge, y: high, fill: "tonexty", fillcolor: `${colour}/0.1` },
      { ...edge, y: mean, line: { color: colour, dash, width: 2 }, hoverinfo: "text", hovertext: mean.map((loss, i) => `${plain(name)}<br>step ${steps[i]}: ${shown(loss)}`) },
    ];
  });
  const layout = base({ xaxis: { ...AXIS, title: { text: "step", standoff: 8 } }, yaxis: { ...AXIS, title: { text: "loss (nats/token)", standoff: 8 } }, margin: { l: 60, r: 14, t: 10, b: 48 } });
  return { data, layout };
}

/* What the page does: draws its charts when they come into view, follows the choices of its readers, sorts, filters, and
   draws everything in light colours before it is printed. */

const PAGE = JSON.parse(document.getElementById("data").textContent);
const CONFIG = { displayModeBar: false, responsive: true };

/* -- drawing -- */

function colour(name) {
  const [variable, opacity] = name.split("/");
  const value = getComputedStyle(document.documentElement).getPropertyValue(variable).trim();
  if (opacity === undefined) return value;
  const hex = value.length === 4 ? [...value.slice(1)].map((c) => c + c).join("") : value.slice(1);
  const [r, g, b] = [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16));
  return `rgba(${r},${g},${b},${opacity})`;
}

function coloured(value) {
  if (typeof value === "string") return /^--[a-z0-9]+(\/[\d.]+)?$/.test(value) ? colour(value) : value;
  if (Array.isArray(value)) return value.map(coloured);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, of]) => [key, coloured(of)]));
}

const TEXTS = new Set(["text", "hovertext", "x", "y", "theta"]);

/* Names are never taken for colours: what shows text or data is left as it is. */
function painted(trace) {
  return Object.fromEntries(Object.entries(trace).map(([key, value]) => [key, TEXTS.has(key) ? value : coloured(value)]));
}

function draw(plot, { data, layout }) {
  Plotly.react(plot, data.map(painted), coloured(layout), CONFIG);
}

function fill(select, options, chosen) {
  select.replaceChildren(...options.map(([value, text]) => new Option(text, value, false, value === chosen)));
}

/* A button per technique that shows or hides it in all panels of a chart. */
function legend(figure, names, redraw) {
  const hidden = new Set();
  const buttons = names.map((name, i) => {
    const button = document.createElement("button");
    const { colour: variable, dash } = style(i);
    button.type = "button";
    button.textContent = name;
    button.setAttribute("aria-pressed", "true");
    button.style.setProperty("--series", `var(${variable})`);
    button.style.setProperty("--dash", dash === "solid" ? "solid" : dash === "dot" ? "dotted" : "dashed");
    button.addEventListener("click", () => {
      const shows = hidden.delete(name);
      if (!shows) hidden.add(name);
      button.setAttribute("aria-pressed", String(shows));
      redraw();
    });
    return button;
  });
  figure.querySelector(".legend").replaceChildren(...buttons);
  return hidden;
}

/* Each kind of chart gets its figure and gives the function that draws it. */
const CHARTS = {
  profile(figure) {
    const plots = [...figure.querySelectorAll(".plot")];
    const panelOf = (plot) => PAGE.panels[plot.dataset.panel];
    const names = [...new Set(plots.flatMap((plot) => panelOf(plot).techniques))];
    const kind = figure.querySelector("select[name=kind]");
    kind.value = figure.dataset.kind;
    const redraw = () => plots.forEach((plot) => {
      const panel = panelOf(plot);
      const chosen = panel.techniques.map((_, t) => t).filter((t) => !hidden.has(panel.techniques[t]));
      draw(plot, PROFILES[kind.value](panel, chosen, (t) => names.indexOf(panel.techniques[t])));
    });
    const hidden = legend(figure, names, redraw);
    kind.addEventListener("change", redraw);
    return redraw;
  },

  tradeoff(figure) {
    const [panels, x, y] = ["panel", "x", "y"].map((name) => figure.querySelector(`select[name=${name}]`));
    const [plot, caption] = [figure.querySelector(".plot"), figure.querySelector("figcaption")];
    const axes = () => {
      const metrics = PAGE.panels[panels.value].metrics;
      const options = metrics.map((metric) => [metric.name, quantity(metric)]);
      const keep = (select, other) => (metrics.some((m) => m.name === select.value) ? select.value : other.name);
      const [across, up] = [keep(x, metrics[1] ?? metrics[0]), keep(y, metrics[0])];
      fill(x, options, across);
      fill(y, options, up);
    };
    const redraw = () => {
      const panel = PAGE.panels[panels.value];
      const place = (select) => panel.metrics.findIndex((metric) => metric.name === select.value);
      const drawn = tradeoff(panel, place(x), place(y));
      draw(plot, drawn);
      say(caption, panel, drawn);
    };
    panels.addEventListener("change", () => { axes(); redraw(); });
    x.addEventListener("change", redraw);
    y.addEventListener("change", redraw);
    axes();
    return redraw;
  },

  curves(figure) {
    const curves = PAGE.curves[figure.dataset.curves];
    const names = Object.keys(curves);
    const kind = figure.querySelector("select[name=kind]");
    const kinds = [["held_out", "held-out text"], ["train", "training text"]].filter(([k]) => names.some((name) => curves[name][k]));
    fill(kind, kinds, "train");
    const redraw = () => draw(figure.querySelector(".plot"), lossCurves(curves, kind.value, names.filter((name) => !hidden.has(name)), (name) => names.indexOf(name)));
    const hidden = legend(figure, names, redraw);
    kind.addEventListener("change", redraw);
    return redraw;
  },
};

/* The scatter in words, for who does not see it. */
function say(caption, panel, { front, rest }) {
  const listed = (places) => places.map((t) => panel.techniques[t]).join(", ");
  const bold = document.createElement("b");
  bold.textContent = front.length ? listed(front) : "none";
  caption.replaceChildren("On the front: ", bold, rest.length ? `. Dominated: ${listed(rest)}.` : ".");
}

const figures = new Map();
for (const figure of document.querySelectorAll(".chart")) figures.set(figure, { redraw: CHARTS[figure.dataset.chart](figure), drawn: false });

function show(figure) {
  const chart = figures.get(figure);
  if (chart.drawn) return;
  chart.drawn = true;
  figure.dataset.drawn = "";
  chart.redraw();
}

const seen = new IntersectionObserver((entries) => entries.filter((e) => e.isIntersecting).forEach((e) => show(e.target)), { rootMargin: "400px" });
for (const figure of figures.keys()) seen.observe(figure);

const redrawAll = () => figures.forEach((chart) => chart.drawn && chart.redraw());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);

/* -- printing -- */

let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details:not([open])")];
  closed.forEach((details) => { details.open = true; });
  document.documentElement.classList.add("printing");
  figures.forEach((chart, figure) => { chart.drawn = true; figure.dataset.drawn = ""; chart.redraw(); });
  document.querySelectorAll(".js-plotly-plot").forEach((plot) => Plotly.Plots.resize(plot));
});
addEventListener("afterprint", () => {
  document.documentElement.classList.remove("printing");
  closed.forEach((details) => { details.open = false; });
  redrawAll();
  document.querySelectorAll(".js-plotly-plot").forEach((plot) => Plotly.Plots.resize(plot));
});

/* -- tables -- */

/* Sorts by a column, best first, then the other way round; what is empty stays last. */
function sortBy(heading) {
  const body = heading.closest("table").tBodies[0];
  const descendingFirst = heading.dataset.better === "higher";
  const before = heading.getAttribute("aria-sort");
  const ascending = before ? before === "descending" : !descendingFirst;
  const key = (row) => row.cells[heading.cellIndex].dataset.sort ?? "";
  const compare = (a, b) => {
    const [x, y] = [Number(a), Number(b)];
    return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, "en", { numeric: true }) : x - y;
  };
  const rows = [...body.rows].sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === "" || y === "") return (x === "") - (y === "");
    return ascending ? compare(x, y) : compare(y, x);
  });
  body.append(...rows);
  for (const other of heading.parentElement.cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
}

for (const button of document.querySelectorAll(".sortable thead button")) button.addEventListener("click", () => sortBy(button.closest("th")));

for (const select of document.querySelectorAll("select[name=verdict]")) {
  select.addEventListener("change", () => {
    for (const row of select.closest(".verdicts").querySelectorAll("tbody tr")) row.hidden = select.value !== "" && row.dataset.verdict !== select.value;
  });
}

/* -- contents -- */

const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
const here = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting) {
    links.forEach((link) => link.removeAttribute("aria-current"));
    links.get(entry.target.id)?.setAttribute("aria-current", "true");
  }
}, { rootMargin: "0px 0px -80% 0px" });
links.forEach((_, id) => here.observe(document.getElementById(id)));

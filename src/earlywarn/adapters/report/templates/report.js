// Draws the chart of each panel: the first at once, others when they come into view, all for print. Data are numbers and names, set as text, never as HTML.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("chart-data").textContent);
  const UNKNOWN = 65535, DAY = 86400000, OBSERVED = 0, EXPECTED = 1, LOWER = 2, UPPER = 3;
  const MEASURES = ["Number of card payments", "Card spending", "Mean card payment"];
  const media = window.matchMedia("(prefers-color-scheme: dark)");
  let printing = false;

  const unpack = ([low, step, text]) => {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    return Array.from({ length: bytes.length / 2 }, (_, at) => {
      const whole = view.getUint16(2 * at, true);
      return whole === UNKNOWN ? null : low + step * whole;
    });
  };

  // Trailing means of a week, over the days on which all lines are known; five of seven must be.
  const weekly = (lines) => {
    const known = (at) => lines.every((line) => line[at] !== null);
    const first = lines[0].findIndex((_, at) => known(at));
    return lines.map((line) => line.map((_, at) => {
      let sum = 0, count = 0;
      for (let back = Math.max(at - 6, 0); back <= at; back += 1) {
        if (known(back)) { sum += line[back]; count += 1; }
      }
      return first >= 0 && at >= first + 6 && count >= 5 ? sum / count : null;
    }));
  };

  // Four digits: what the packed numbers are good for.
  const grouped = (value, digits) => Number(value.toPrecision(4)).toLocaleString("en", { maximumFractionDigits: digits }).replace(/,/g, "\u202f");
  // As the rest of the page says it: no percentage beyond tenfold, and none of less than so many payments a day.
  const { mostPct, mostTimes, leastPayments } = data.wording;
  const multiple = (share) => {
    if (Math.round(100 * share) <= mostPct) return "";
    return 1 + share > mostTimes ? `more than ${mostTimes} times` : `${Math.round(1 + share)} times`;
  };
  const percent = (share) => {
    const whole = Math.round(100 * share);
    return multiple(share) || `${whole > 0 ? "+" : whole < 0 ? "\u2212" : ""}${Math.abs(whole)}\u202f%`;
  };
  // As alerts write quantities: sums and payments are whole, but of 0.4 payments expected "0" would say that none are.
  const written = (value, measure, isCount) => {
    if (value === null) return "\u2013";
    const isSmall = measure === 0 && value < leastPayments && !isCount;
    return grouped(value, measure === 2 ? 2 : isSmall ? 1 : 0);
  };
  const isTooLittle = (payments) => payments !== null && payments < leastPayments;

  let loading = null;
  const plotly = () => {
    if (!loading) {
      loading = new Promise((resolve) => {
        const script = document.createElement("script");
        script.textContent = document.getElementById("plotly-source").textContent;
        document.head.append(script);
        resolve(window.Plotly);
      });
    }
    return loading;
  };

  class Explorer {
    constructor(root) {
      this.root = root;
      this.panel = data.panels[Number(root.dataset.panel)];
      this.select = root.querySelector(".series");
      this.chart = root.querySelector(".chart");
      this.range = null;
      this.drawn = false;
      const start = Date.parse(`${this.panel.start}T00:00:00Z`);
      this.dates = Array.from({ length: this.panel.days }, (_, at) => new Date(start + at * DAY).toISOString().slice(0, 10));
      root.addEventListener("change", (event) => {
        if (event.target.name && event.target.name.startsWith("period")) this.range = null;
        this.draw();
      });
      root.querySelector(".chart-table").addEventListener("toggle", () => this.table());
    }

    choice(name) {
      const input = this.root.querySelector(`input[name^="${name}-"]:checked`);
      return input ? input.value : "0";
    }

    choose(name, value) {
      const input = this.root.querySelector(`input[name^="${name}-"][value="${value}"]`);
      if (input) input.checked = true;
    }

    lines() {
      const series = this.panel.series[Number(this.select.value)];
      const measure = Number(this.choice("measure"));
      const daily = series.measures[measure].map(unpack);
      const counts = measure ? series.measures[0].map(unpack) : daily;
      const isDay = this.choice("view") === "day";
      this.payments = isDay ? counts[EXPECTED] : weekly([counts[OBSERVED], counts[EXPECTED]])[1];
      if (isDay) return daily;
      let [observed, expected] = weekly([daily[OBSERVED], daily[EXPECTED]]);
      const alone = weekly([daily[OBSERVED]])[0];
      observed = observed.map((value, at) => (value === null ? alone[at] : value));
      const usual = series.usual[measure];
      const times = (factor) => expected.map((value) => (value === null || !usual ? null : value * factor));
      return [observed, expected, times(usual ? usual[0] : 1), times(usual ? usual[1] : 1)];
    }

    window() {
      const last = this.panel.days - 1, period = Number(this.choice("period"));
      if (this.range) return this.range;
      return [period ? Math.max(last - period + 1, 0) : 0, last];
    }

    async draw() {
      const series = this.panel.series[Number(this.select.value)];
      const measure = Number(this.choice("measure")), view = this.choice("view");
      const lines = this.lines(), [from, to] = this.window();
      this.root.dataset.view = view;
      this.root.querySelector(".chart-title").textContent = series.name;
      this.root.querySelector(".chart-words").textContent = this.words(measure, view, lines, to);
      this.current = { lines, from, to, measure, view };
      this.table();
      const Plotly = await plotly();
      const style = getComputedStyle(document.documentElement);
      const light = { ink: "#17202b", muted: "#55626f", line: "#dbe1e8", surface: "#fff", observed: "#17202b", expected: "#1f6fa5", band: "rgb(31 111 165 / 17%)", span: "rgb(214 140 30 / 20%)", fall: "#ad500a", rise: "#1f6fa5" };
      const colour = (name) => rgba(printing ? light[name] : style.getPropertyValue(`--${name}`).trim());
      const tops = [...lines[OBSERVED].slice(from, to + 1), ...lines[EXPECTED].slice(from, to + 1)].filter((value) => value !== null);
      const top = tops.length ? Math.max(...tops) * 1.15 : 1;
      const base = { x: this.dates, mode: "lines", connectgaps: false };
      const line = (at) => ({ ...base, y: lines[at], text: lines[at].map((value) => written(value, measure, view === "day" && at === OBSERVED)), hovertemplate: "%{text}" });
      const traces = [
        { ...line(UPPER), name: "up to", line: { width: 0 } },
        { ...line(LOWER), name: "usual from", line: { width: 0 }, fill: "tonexty", fillcolor: colour("band") },
        { ...line(EXPECTED), name: "expected", line: { color: colour("expected"), width: 1.6, dash: "dash" } },
        { ...line(OBSERVED), name: "observed", line: { color: colour("observed"), width: 2 }, hovertemplate: "<b>%{text}</b>" },
      ];
      if (view === "day") traces.push(...this.outside(lines, colour));
      const shapes = this.panel.alerts.filter((alert) => alert.series === Number(this.select.value)).map((alert) => ({
        type: "rect", xref: "x", yref: "paper", layer: "below", y0: 0, y1: 1, line: { width: 0 }, fillcolor: colour("span"),
        x0: new Date(Date.parse(this.dates[alert.from]) - DAY / 2).toISOString(), x1: new Date(Date.parse(this.dates[alert.to]) + DAY / 2).toISOString(),
      }));
      const axis = { gridcolor: colour("line"), linecolor: colour("line"), zeroline: false, color: colour("muted") };
      const layout = {
        margin: { l: 8, r: 8, t: 8, b: 8 }, showlegend: false, hovermode: "x unified", dragmode: "zoom", separators: ".\u202f", autosize: true,
        paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: colour("ink"), family: "system-ui, sans-serif", size: 13 },
        hoverlabel: { bgcolor: colour("surface"), bordercolor: colour("line"), font: { color: colour("ink") } }, shapes,
        xaxis: { ...axis, type: "date", range: [this.dates[from], this.dates[to]], automargin: true, hoverformat: "%a %-d %b %Y", tickformat: "%b\n%Y", nticks: 12 },
        yaxis: { ...axis, range: [0, top], automargin: true, tickprefix: measure ? `${this.panel.currency} ` : "", exponentformat: "B", separatethousands: true, fixedrange: true, nticks: 6 },
      };
      if (measure === 0 && top < 6) layout.yaxis.dtick = 1;
      if (to - from < 150) layout.xaxis.tickformat = "%-d %b\n%Y";
      await Plotly.react(this.chart, traces, layout, { displaylogo: false, responsive: true, displayModeBar: false, doubleClick: "reset", scrollZoom: false });
      this.drawn = true;
    }

    outside(lines, colour) {
      const side = (name, symbol, is) => {
        const at = lines[OBSERVED].map((_, day) => day).filter((day) => lines[OBSERVED][day] !== null && lines[LOWER][day] !== null && is(lines[OBSERVED][day], day));
        return { x: at.map((day) => this.dates[day]), y: at.map((day) => lines[OBSERVED][day]), mode: "markers", hoverinfo: "skip", marker: { symbol, size: 9, color: colour(name) } };
      };
      return [
        side("fall", "triangle-down", (value, day) => value < lines[LOWER][day]),
        side("rise", "triangle-up", (value, day) => value > lines[UPPER][day]),
      ];
    }

    words(measure, view, lines, to) {
      let at = to;
      while (at > 0 && (lines[OBSERVED][at] === null || lines[EXPECTED][at] === null)) at -= 1;
      const what = `${MEASURES[measure]}${measure ? ` in ${this.panel.currency}` : ""}, ${view === "day" ? "single days" : "mean of 7 days"}.`;
      const observed = lines[OBSERVED][at], expected = lines[EXPECTED][at], when = `${what} On ${day(this.dates[at])}:`;
      if (observed === null || expected === null) return `${what} Nothing is expected yet: the model is still learning.`;
      if (!observed && !expected) return `${when} nothing came, and nothing is expected any more.`;
      if (isTooLittle(this.payments[at]) || !expected) {
        return `${when} ${written(observed, measure, view === "day")} against ${written(expected, measure)} expected, too little expected for a percentage.`;
      }
      const share = observed / expected - 1;
      const usual = lines[LOWER][at] <= observed && observed <= lines[UPPER][at];
      const against = multiple(share) ? `${multiple(share)} what was expected` : `${percent(share)} against expected`;
      return `${when} ${against}, ${usual ? "inside" : "outside"} the usual range.`;
    }

    against(observed, expected, at) {
      if (observed === null || expected === null) return "\u2013";
      if (!observed && !expected) return "0";
      return isTooLittle(this.payments[at]) || !expected ? "small base" : percent(observed / expected - 1);
    }

    table() {
      const details = this.root.querySelector(".chart-table");
      if (!details.open || !this.current) return;
      const { lines, from, to, measure, view } = this.current;
      const cell = (name, text) => { const made = document.createElement(name); made.textContent = text; return made; };
      const row = (name, texts) => { const made = document.createElement("tr"); made.append(...texts.map((text) => cell(name, text))); return made; };
      details.querySelector("thead").replaceChildren(row("th", ["Day", "Observed", "Expected", "Against expected", "Usual from", "to"]));
      const rows = [];
      for (let at = to; at >= Math.max(from, to - 27); at -= 1) {
        const [observed, expected, lower, upper] = lines.map((line) => line[at]);
        const write = (value) => written(value, measure);
        const seen = written(observed, measure, view === "day");
        rows.push(row("td", [day(this.dates[at]), seen, write(expected), this.against(observed, expected, at), write(lower), write(upper)]));
      }
      details.querySelector("tbody").replaceChildren(...rows);
    }

    show(link) {
      this.select.value = link.dataset.show;
      if (link.dataset.measure) this.choose("measure", link.dataset.measure);
      if (link.dataset.from) {
        this.choose("view", "day");
        this.range = [Math.max(Number(link.dataset.from) - 45, 0), Math.min(Number(link.dataset.to) + 30, this.panel.days - 1)];
        for (const input of this.root.querySelectorAll('input[name^="period-"]')) input.checked = false;
      } else {
        this.choose("view", "week");
        this.choose("period", "0");
        this.range = null;
      }
      this.draw();
      this.root.scrollIntoView({ block: "start" });
      this.select.focus({ preventScroll: true });
    }
  }

  const day = (iso) => new Date(`${iso}T00:00:00Z`).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
  // Plotly's colour parser knows only the older notation with commas.
  const rgba = (text) => text.replace(/^rgb\((\d+) (\d+) (\d+) \/ (\d+)%\)$/, (_, r, g, b, a) => `rgba(${r},${g},${b},${a / 100})`);

  const explorers = new Map();
  for (const root of document.querySelectorAll(".explorer")) explorers.set(root.dataset.panel, new Explorer(root));
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      seen.unobserve(entry.target);
      explorers.get(entry.target.dataset.panel).draw();
    }
  }, { rootMargin: "400px" });
  for (const explorer of explorers.values()) seen.observe(explorer.root);
  // The first at once: a picture of the whole page is taken without scrolling.
  window.addEventListener("load", () => { for (const explorer of [...explorers.values()].slice(0, 1)) explorer.draw(); });

  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-show]");
    if (!link) return;
    const explorer = explorers.get(link.dataset.panel);
    if (!explorer) return;
    event.preventDefault();
    explorer.show(link);
  });

  // A link to an alert opens whatever it is folded into.
  const unfold = () => {
    const target = location.hash.length > 1 ? document.getElementById(decodeURIComponent(location.hash.slice(1))) : null;
    for (let at = target && target.parentElement; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    if (target && target.classList.contains("card")) target.scrollIntoView({ block: "center" });
  };
  window.addEventListener("hashchange", unfold);
  unfold();

  // Who hovers over a figure of the table sees what the list below it says of it.
  for (const told of document.querySelectorAll(".heat td[aria-describedby], .heat td [aria-describedby]")) {
    told.closest("td").title = document.getElementById(told.getAttribute("aria-describedby")).textContent;
  }

  const redraw = () => { for (const explorer of explorers.values()) if (explorer.drawn) explorer.draw(); };
  media.addEventListener("change", redraw);
  window.addEventListener("beforeprint", () => {
    printing = true;
    for (const details of document.querySelectorAll(".more, .children")) details.open = true;
    for (const explorer of explorers.values()) explorer.draw();
  });
  window.addEventListener("afterprint", () => { printing = false; redraw(); });
})();

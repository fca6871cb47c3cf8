"use strict";
// Draws the charts, and makes the table of problems searchable. All data is in the page already.
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const whole = d3.format(",");
  const short = (n) => d3.format(Math.abs(n) >= 1000 ? ".3~s" : "~")(n).replace("G", "B");
  const money = (n) => `${figures.currency} ${d3.format(`,.${figures.decimals}f`)(n)}`;
  const INCLUDED = "included";
  const LEFT_OUT = "left out";
  const fates = { domain: [INCLUDED, LEFT_OUT], range: ["var(--go)", "var(--stop)"] };
  const style = { fontFamily: "inherit", fontSize: "12px", background: "transparent" };

  const byMonth = (width, label, included, leftOut, say) => {
    const bars = figures.months.flatMap((row) => {
      const month = new Date(`${row.month}-01T00:00:00Z`);
      return [
        { month, fate: INCLUDED, n: row[included] },
        { month, fate: LEFT_OUT, n: row[leftOut] },
      ].filter((bar) => bar.n);
    });
    return Plot.plot({
      width, height: 260, marginLeft: 48, style, ariaLabel: label,
      x: { type: "utc", label: null },
      y: { grid: true, label: null, ticks: 5, tickFormat: short },
      color: { ...fates, legend: bars.some((bar) => bar.fate === LEFT_OUT) },
      marks: [
        Plot.ruleY([0]),
        Plot.rectY(bars, {
          x: "month", interval: "month", y: "n", fill: "fate", order: [INCLUDED, LEFT_OUT], inset: 0.5,
          title: (bar) => `${d3.utcFormat("%B %Y")(bar.month)}\n${say(bar.n)} ${bar.fate}`, tip: true,
        }),
      ],
    });
  };

  const ranked = (width, label, rows, name, n, fill, say, beside) => Plot.plot({
    width, height: 34 + rows.length * 24, marginLeft: Math.min(12 + 7.2 * d3.max(rows, (row) => row[name].length), width / 2.4),
    marginRight: 56, style, ariaLabel: label,
    x: { axis: null },
    y: { label: null, tickSize: 0, domain: rows.map((row) => row[name]) },
    marks: [
      Plot.barX(rows, { y: name, x: n, fill, insetTop: 2, insetBottom: 2, title: (row) => `${row[name]}\n${say(row[n])}`, tip: true }),
      Plot.text(rows, { y: name, x: n, text: (row) => beside(row[n]), textAnchor: "start", dx: 5 }),
    ],
  });

  const charts = {
    "chart-orders": (width) => byMonth(width, "Orders by month", "included", "left_out", whole),
    "chart-money": (width) => byMonth(width, "Money by month", "included_money", "left_out_money", money),
    "chart-rules": (width) => ranked(
      width, "Problems by rule", figures.rules, "rule", "orders",
      (row) => (row.severity === "error" ? "var(--stop)" : "var(--aside)"), whole, whole,
    ),
    "chart-accounts": (width) => ranked(
      width, "Top accounts by money", figures.accounts, "account", "money", "var(--go)", money, short,
    ),
    "chart-totals": (width) => Plot.plot({
      width, height: 260, marginLeft: 48, marginBottom: 46, style, ariaLabel: "Distribution of order totals",
      x: { domain: figures.distribution.map((bar) => bar.label), label: null, tickSize: 0, tickRotate: -40 },
      y: { grid: true, label: null, ticks: 5, tickFormat: short },
      marks: [
        Plot.ruleY([0]),
        Plot.barY(figures.distribution, {
          x: "label", y: "orders", fill: "var(--wait)",
          title: (bar) => `${figures.currency} ${bar.label}\n${whole(bar.orders)} orders`, tip: true,
        }),
      ],
    }),
    "chart-activity": (width) => {
      const { minutes, steps } = figures.activity;
      const series = { created: "created", failed: "refused", rate_limited: "rate-limited" };
      const bars = steps.map((row) => ({ ...row, from: new Date(row.start), to: new Date(Date.parse(row.start) + minutes * 60000) }));
      const marked = bars.flatMap((row) => ["failed", "rate_limited"].filter((key) => row[key])
        .map((key) => ({ at: new Date((+row.from + +row.to) / 2), name: series[key], n: row[key] / minutes })));
      // A run of one minute stands in the middle of a few: else its bar is as wide as the page.
      const room = Math.max(0, 5 - (d3.max(bars, (bar) => bar.to) - d3.min(bars, (bar) => bar.from)) / 60000) * 30000;
      const [begin, end] = [new Date(d3.min(bars, (bar) => bar.from) - room), new Date(+d3.max(bars, (bar) => bar.to) + room)];
      const spanned = (end - begin) / 60000;
      const time = (at) => d3.utcFormat(spanned < 1440 ? "%H:%M" : at.getUTCHours() ? "%H:%M\n%-d %b" : "%-d %b")(at);
      const rate = (n) => `${d3.format(n < 10 ? ".1~f" : ",.0f")(n)} a minute`;
      return Plot.plot({
        width, height: 260, marginLeft: 48, marginRight: 20, style, ariaLabel: "Rate of sending",
        x: { type: "utc", label: null, domain: [begin, end], ticks: spanned <= 6 ? "minute" : Math.min(spanned, width / 90), tickFormat: time },
        y: { grid: true, label: null, ticks: 5, tickFormat: short },
        color: { domain: Object.values(series), range: ["var(--go)", "var(--stop)", "var(--aside)"], legend: true },
        marks: [
          Plot.ruleY([0]),
          Plot.rectY(bars, {
            x1: "from", x2: "to", y: (row) => row.created / minutes, fill: () => "created", inset: 0.5,
            title: (row) => [
              `${d3.utcFormat("%Y-%m-%d %H:%M")(row.from)} UTC`, `created: ${whole(row.created)} (${rate(row.created / minutes)})`,
              `refused: ${whole(row.failed)}`, `sent again: ${whole(row.retries)}`, `told to slow down: ${whole(row.rate_limited)}`,
            ].join("\n"), tip: true,
          }),
          Plot.dot(marked, { x: "at", y: "n", fill: "name", r: 4, stroke: "var(--card)" }),
        ],
      });
    },
  };

  const data = {
    "chart-orders": figures.months, "chart-money": figures.months, "chart-rules": figures.rules,
    "chart-accounts": figures.accounts, "chart-totals": figures.distribution, "chart-activity": figures.activity.steps,
  };
  const drawn = new WeakMap();
  const observer = new ResizeObserver((entries) => {
    for (const { target, contentRect } of entries) {
      const width = Math.floor(contentRect.width);
      if (!width || drawn.get(target) === width) continue;
      drawn.set(target, width);
      const plot = charts[target.parentElement.id](width);
      const svg = plot.matches("svg") ? plot : plot.querySelector(":scope > svg");
      svg.setAttribute("role", "img");
      target.replaceChildren(plot);
    }
  });
  for (const [id, rows] of Object.entries(data)) {
    const figure = document.getElementById(id);
    if (!figure) continue;
    if (rows.length) observer.observe(figure.querySelector(".plot"));
    else figure.remove();
  }

  if (!document.getElementById("each")) return;
  const table = new DataTable("#each", {
    pageLength: 25, autoWidth: false, order: [],
    layout: { topStart: null, topEnd: null, bottomStart: null, bottomEnd: "paging" },
    language: { emptyTable: "No problems", zeroRecords: "No problem fits the search" },
  });
  const exactly = (column, value) => table.column(column).search(value, { exact: Boolean(value) });
  const say = () => {
    const { recordsDisplay, recordsTotal } = table.page.info();
    document.getElementById("shown").textContent = `${whole(recordsDisplay)} of ${whole(recordsTotal)}`;
  };
  table.on("draw", say);
  document.querySelector(".filters").hidden = false;
  document.getElementById("search").addEventListener("input", (event) => table.search(event.target.value).draw());
  document.getElementById("severity").addEventListener("change", (event) => exactly(0, event.target.value).draw());
  document.getElementById("rule").addEventListener("change", (event) => exactly(1, event.target.value).draw());
  say();
})();

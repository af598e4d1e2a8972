// Draws a Plotly figure. The chart lives as long as the page: new data are drawn into it, and its zoom stays (ADR 0019).

const library = (address) => (window.makeUsRichPlotly ??= new Promise((resolve, reject) => {
  const script = Object.assign(document.createElement("script"), { src: address });
  script.addEventListener("load", () => resolve(window.Plotly));
  script.addEventListener("error", () => {
    window.makeUsRichPlotly = undefined;  // The next chart tries again.
    script.remove();
    reject(new Error(`${address} cannot be loaded`));
  });
  document.head.append(script);
}));

const button = (name, path, click) => ({ name, title: name, icon: { width: 24, height: 24, path }, click });

// Plotly starts a chart anew when its configuration changes, and loses the zoom: this one is constant.
const CONFIG = {
  displaylogo: false,
  showSendToCloud: false,
  modeBarButtonsToRemove: ["toImage", "autoScale2d", "lasso2d", "select2d"],
  modeBarButtonsToAdd: [
    button("Save as PNG", "M9 3 7.5 5H4v14h16V5h-3.5L15 3zm3 5a4 4 0 1 1 0 8 4 4 0 0 1 0-8z", (chart) =>
      window.Plotly.downloadImage(chart, chart.makeUsRich.picture)),
    button("Full screen", "M4 4h6v2H6v4H4zm10 0h6v6h-2V6h-4zM4 14h2v4h4v2H4zm14 0h2v6h-6v-2h4z", (chart) =>
      document.fullscreenElement ? document.exitFullscreen() : chart.requestFullscreen()),
  ],
};

const size = (chart) => ({
  width: chart.clientWidth,
  height: document.fullscreenElement === chart ? window.innerHeight : chart.makeUsRich.height,
});

const follow = (Plotly, chart) => {
  const resized = new ResizeObserver(() => {
    const { width, height } = size(chart);
    const drawn = chart._fullLayout;
    if (width && drawn && (width !== drawn.width || height !== drawn.height)) Plotly.relayout(chart, { width, height });
  });
  resized.observe(chart);
  return () => {
    resized.disconnect();
    Plotly.purge(chart);
  };
};

// Streamlit renders the HTML of a component anew at times, which would remove the chart: so the script makes the element.
const element = (parentElement) => {
  const found = parentElement.querySelector(":scope > .mur-plot");
  if (found) return found;
  const made = Object.assign(document.createElement("div"), { className: "mur-plot", makeUsRich: {} });
  made.setAttribute("role", "figure");
  parentElement.append(made);
  return made;
};

// Where somebody has clicked, in the units of the axes.
const report = (chart) => ({ event }) => {
  const { left, top } = chart.querySelector(".nsewdrag").getBoundingClientRect();
  const { xaxis, yaxis } = chart._fullLayout;
  chart.makeUsRich.send("click", { x: xaxis.p2d(event.clientX - left), y: yaxis.p2d(event.clientY - top) });
};

export default async function ({ data, parentElement, setTriggerValue }) {
  const chart = element(parentElement);
  const { data: traces, layout } = JSON.parse(data.figure);
  Object.assign(chart.makeUsRich, { height: layout.height, picture: data.picture, send: setTriggerValue });
  chart.style.height = `${layout.height}px`;
  chart.setAttribute("aria-label", data.alt);
  const Plotly = await library(data.library);
  if (!chart.isConnected) return () => {};
  await Plotly.react(chart, traces, { ...layout, ...size(chart) }, CONFIG);
  if (data.clickable && !chart.makeUsRich.end) chart.on("plotly_click", report(chart));
  return (chart.makeUsRich.end ??= follow(Plotly, chart));
}
